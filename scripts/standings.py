"""A verdict as a Markdown table on standard output, and as a picture where a file is named.

python scripts/standings.py runs/demo docs/demo.svg
"""

import sys
from pathlib import Path

from tuneoff.report.svg import standings_svg
from tuneoff.study.verdict.judge import read_verdict
from tuneoff.study.verdict.judgement import Verdict

HEAD = (
    "| arm | {metric} | 95 % interval | seeds | trainable parameters | training, s | artifact, bytes | prompt tokens |"
)


def table(verdict: Verdict) -> str:
    lines = [HEAD.format(metric=verdict.metric), "|---|---|---|---|---|---|---|---|"]
    for s in verdict.standings:
        cost = s.cost
        figures = (
            [f"{100 * s.mean:.1f} %", f"{100 * s.low:.1f} to {100 * s.high:.1f}", s.seeds]
            if s.mean is not None
            else [s.status, "", s.seeds]
        )
        costs = [f"{cost['trainable']:,.0f}", f"{cost['train_s']:.0f}", f"{cost['artifact_bytes']:,.0f}"]
        tokens = cost["prompt_tokens"]
        row = [s.arm, *figures, *costs, "" if tokens is None else f"{tokens:.0f}"]
        lines.append("| " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines)


def main(run: Path, picture: Path | None = None) -> None:
    verdict = read_verdict(run / "verdict.json")
    print(table(verdict))
    print(f"\n{verdict.reason}")
    if picture is not None:
        picture.write_text(standings_svg(verdict), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))

"""Our side of `hand_tuned`: the study that `tuneoff new` writes for the set's three files, run to its verdict.

Changed in it are the model and its number format, and soft prompts stand before and after the text, since either may
be the better one on validation. Three runs, of which a line each is kept: every tested arm's answers by seed, and the
verdict's words.

    "3 seeds"       no budget: one trial of each family's default, three seeds
    "defaults"      as it is written, with the budget that is written
    "equal time"    its budget is what all searched runs of theirs took (processor time of one thread, the same as the
                    clock's on an idle machine)
"""

import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from benchmarks.hand_tuned_sets import Drawn, Row

if TYPE_CHECKING:
    from benchmarks.hand_tuned import Results
    from tuneoff.study.verdict.judgement import Verdict

__all__ = ["RACING", "RUNS", "ours"]

RACING = ("zero_shot", "few_shot", "soft_prompt", "soft_prompt_after", "lora")
RUNS = ("3 seeds", "defaults", "equal time")
LEAST_S = 60

Line = dict[str, Any]


def ours(results: "Results", data: Drawn, runs: Sequence[str] = RUNS, changes: Mapping[str, Any] | None = None) -> None:
    """The studies whose lines are not there. runs: some of RUNS. changes: further tables of the study file."""
    asked = {"3 seeds": {"budget": "", "trials": 1, "seeds": 3}, "defaults": {}}
    if time_of_theirs := their_time(results):
        asked["equal time"] = {"budget": time_of_theirs}
    for run in (run for run in runs if run in asked and not results.lines(side="ours", run=run)):
        folder = results.path.parent / "unfinished" / f"{data.name}, {run}"  # gone on with after a kill
        study = folder / "study.toml"
        if not study.is_file():
            study = put_study(folder, data, results.common, {**(changes or {}), **asked[run]})
        results.add({"side": "ours", "run": run, "time": asked[run].get("budget", ""), **_ran(study, data, run)})
        shutil.rmtree(folder)


def their_time(results: "Results") -> str:
    """As a budget; empty where they have no line. Further seeds of the best settings are no part of the search."""
    seconds = sum(line["all_cpu_s"] for line in results.lines(side="theirs", seed=0))
    return f"{max(LEAST_S, round(seconds))}s" if seconds else ""


def put_study(folder: Path, data: Drawn, common: Line, changes: Mapping[str, Any]) -> Path:
    """Write the set's files, let `tuneoff new` write the study file, and change what has to be."""
    for split in ("train", "validation", "test"):
        file = folder / data.name / f"{split}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_jsonl(getattr(data, split)), encoding="utf-8")
    study, draft = folder / "study.toml", folder / "draft.toml"
    draft.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tuneoff", "new", str(folder / data.name), "--out", str(draft)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    table = tomllib.loads(draft.read_text(encoding="utf-8"))
    table["arms"] += [arm for arm in RACING if arm not in table["arms"]]
    table["model"] |= {"name": common["model"], "dtype": common["dtype"]}
    study.write_text(tomli_w.dumps(_merged(table, changes)), encoding="utf-8")
    return study


def _merged(table: Line, changes: Mapping[str, Any]) -> Line:
    inner = {name: {**table.get(name, {}), **value} for name, value in changes.items() if isinstance(value, Mapping)}
    return {**table, **changes, **inner}


def _jsonl(rows: Sequence[Row]) -> str:
    return "".join(json.dumps({"text": row.text, "label": row.label}) + "\n" for row in rows)


def _ran(study: Path, data: Drawn, run: str) -> Line:
    from tuneoff.api import compare

    began, cpu = time.perf_counter(), time.process_time()
    out = study.parent / "run"
    verdict = compare(study, out=out, quick=run == "3 seeds")
    took = {"all_s": time.perf_counter() - began, "all_cpu_s": time.process_time() - cpu}
    return {
        **{name: round(seconds, 1) for name, seconds in took.items()},
        "answer": verdict.answer,
        "recommended": verdict.recommended,
        "reasons": list(verdict.reasons),
        "flags": list(verdict.flags),
        "arms": arms_of(out, verdict, data),
    }


def arms_of(out: Path, verdict: "Verdict", data: Drawn) -> dict[str, Line]:
    """For each arm that was tested: its mean on validation, and its answers on the test by seed, 1 for a right one."""
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import read_spec
    from tuneoff.study.store import Ledger

    test = make_plan(read_spec(out.parent)).data.test
    text_of = {record.id: record.fields["text"] for record in test}
    ledger, told = Ledger(out / "ledger.sqlite"), {each.arm: each for each in verdict.standings}
    right: dict[str, dict[str, bool]] = defaultdict(dict)
    for outcome in ledger.outcomes(split="test", metric="accuracy"):
        right[outcome.job][text_of[outcome.record]] = outcome.stats == (1.0,)
    arms: dict[str, Line] = {}
    for job in sorted((job for job in ledger.jobs() if job.key in right), key=lambda job: job.seed):
        standing = told[job.arm]
        facts = {"family": standing.family, "validation_accuracy": standing.validation, "test": []}
        bits = "".join(str(int(right[job.key][row.text])) for row in data.test)
        arms.setdefault(job.arm, facts)["test"].append(bits)
    ledger.close()
    return arms

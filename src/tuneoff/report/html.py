"""report.html: one file that works from a disk, without a network, in the light and in the dark.

The page's own policy (Content-Security-Policy) allows the two scripts that are in it, by their hashes, and nothing
else: a record whose text is `<script>alert(1)</script>` is shown as that text, and could not run if it were not.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from tuneoff.core.files import write_text
from tuneoff.report import plots
from tuneoff.report.facts import Facts, facts
from tuneoff.report.folder import PAGE, open_ledger, read_verdict
from tuneoff.report.glossary import explained
from tuneoff.report.sizes import crossings
from tuneoff.report.tables import tables
from tuneoff.report.words import COSTS, Measure, chooses, marks, seconds, tried

__all__ = ["page", "write_report"]

HERE = Path(__file__).parent
HEADING = "Study"
KEYS = {
    "task": "data file",
    "kind": "answers",
    "measured_on": "Data",
    "decision": "What settles the choice",
    "cost": "cost that counts first",
    "prefer": "of arms that may be the best",
    "machine": "Machine",
    "forward_tokens_per_s": "tokens per second, forward",
    "paths": "Fast paths",
}
"what keys of the verdict's facts are called where their own name is the program's"
SAID_ELSEWHERE = (
    "up",
    "compared",
    "constant",
    "smallest_visible",
    "unchecked",
    "front",
    "trials",
    "unfinished",
    "sizes",
)


def write_report(folder: Path, texts: Mapping[str, tuple[str, str]] | None = None, out: Path | None = None) -> Path:
    """Write a run's report.html and give its path.

    texts: {record id: (text, wanted answer)} for the examples. out: another place than the run folder.
    Raises StudyError where the run has no verdict yet.
    """
    verdict = read_verdict(folder)
    ledger = open_ledger(folder)
    path = out or folder / PAGE
    write_text(path, page(facts(verdict, ledger, folder=folder, texts=texts)))
    ledger.close()
    return path


def page(facts: Facts) -> str:
    """The whole page as one text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    room = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    room.filters |= {"seconds": seconds}
    scripts = {"plotly": get_plotlyjs(), "script": (HERE / "page.js").read_text(encoding="utf-8")}
    decision = facts.verdict.facts["decision"]
    return room.get_template("page.html.jinja").render(
        facts=facts,
        verdict=facts.verdict,
        measure=facts.measure,
        costs=COSTS,
        tables=tables(facts),
        marks={row.mark: marks(facts.verdict)[row.mark] for row in facts.judged},
        measured_on=_measured_on(facts.verdict.facts),
        contents=_contents(facts),
        chooses=chooses(decision),
        arms=explained(row.standing.arm for row in facts.rows),
        tried=tried(facts.verdict.facts["trials"]),
        crossings=crossings(facts.verdict.facts["sizes"]),
        figures=_figures(facts),
        data=_sections(facts.verdict.facts, facts.measure),
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        policy=_policy(scripts.values()),
        **scripts,
    )


def _measured_on(table: Mapping) -> str:
    """What the scores are scores of."""
    data = table.get("measured_on")
    if not data:
        return ""
    train, validation, test = (f"{data[f'{split}_records']:,}" for split in ("training", "validation", "test"))
    return f"{data['model']} · {train} training, {validation} validation, {test} test records"


def _contents(facts: Facts) -> list[tuple[str, str]]:
    """The sections that this page has: (anchor, words)."""
    there = (
        ("standings", "Results", True),
        ("quality", "Quality and cost", True),
        ("beside", "Latency and robustness", bool(facts.beside.columns)),
        ("contrasts", "Differences", bool(facts.verdict.contrasts)),
        ("curves", "Learning curves", bool(facts.curves)),
        ("changes", "What would change this", bool(facts.changes)),
        ("opinion", "Before training", facts.advised is not None),
        ("examples", "Examples", True),
        ("rerun", "Run it again", True),
        ("reading", "How to read this", True),
    )
    return [(anchor, words) for anchor, words, wanted in there if wanted]


def _figures(facts: Facts) -> dict:
    return {
        "standings": [{"name": "", "figure": plots.standings(facts)}],
        "quality": plots.quality(facts),
        "curves": plots.curves(facts),
        "sizes": plots.sizes(facts),
    }


def _policy(scripts) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def _sections(table: Mapping, measure: Measure) -> dict[str, list[tuple[str, str]]]:
    """The verdict's facts as {heading: [(words, value)]}: nested tables become rows named by their path."""
    sections = {HEADING: []}
    for key, value in table.items():
        if key in SAID_ELSEWHERE:
            continue
        if key == "paths":
            sections[_plain(key)] = [(path, f"not taken: {why}" if why else "taken") for path, why in value.items()]
        elif isinstance(value, Mapping):
            sections[_plain(key)] = _flat(value)
        elif key == "margin":
            words = f"{measure.shown(value):.2g} {measure.difference_unit}"
            sections[HEADING].append(("differences inside this are called practically equal", words))
        else:
            sections[HEADING].append((_plain(key), _shown(value)))
    return {heading: rows for heading, rows in sections.items() if rows}


def _flat(table: Mapping, path: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in table.items():
        words = f"{path}: {key}" if path else _plain(key)
        rows += _flat(value, words) if isinstance(value, Mapping) else [(words, _shown(value))]
    return rows


def _plain(key: str) -> str:
    return KEYS.get(key, key.replace("_", " "))


def _shown(value: object) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    return str(value)

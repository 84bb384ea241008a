"""Answers from a finished run: whichever arm is asked for, models and baselines alike."""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneoff.core.errors import StudyError, nearest
from tuneoff.data.format import Row
from tuneoff.data.read import read_rows, to_records
from tuneoff.data.record import Record
from tuneoff.models.base import Base
from tuneoff.models.embedded import embedded
from tuneoff.study.bundle import load_tuned
from tuneoff.study.conduct import open_base
from tuneoff.study.plan import make_plan
from tuneoff.study.ready import Ready
from tuneoff.study.spec import ModelSpec, StudySpec
from tuneoff.study.store import Ledger
from tuneoff.study.verdict.judge import read_verdict

__all__ = ["Questions", "answer_records", "open_ready", "read_questions", "spec_of"]


def spec_of(folder: Path) -> StudySpec | None:
    """The study that a run folder was made by; None for a bundle's folder."""
    if (folder / "bundle.json").is_file():
        return None
    ledger = Ledger(folder / "ledger.sqlite")
    table = json.loads(ledger.meta("spec"))
    where = ledger.meta("folder")
    ledger.close()
    return StudySpec.build({**table, "folder": where or "."}, str(folder))


@dataclass(frozen=True, slots=True)
class Questions:
    """Records to answer, with the rows that they were made from, all columns of them."""

    records: list[Record]
    rows: list[Mapping[str, Any]]


def read_questions(folder: Path, source: str) -> Questions:
    """Records to answer, in the columns of the study; `-` reads JSON lines from standard input."""
    spec = spec_of(folder)
    rows = list(read_rows(source)) if source != "-" else _piped()
    records = to_records(rows, source, input=spec.data.input if spec else [], answered=False)
    return Questions(records, [row.table for row in rows])


def _piped() -> list[Row]:
    """Bytes, as a file has them: JSON is UTF-8, whatever the terminal is."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(sys.stdin.buffer.read())
        file.flush()
        return list(read_rows(file.name))


def answer_records(folder: Path, arm: str, records: Sequence[Record]) -> list[str]:
    """One answer per record, by the named arm or the recommended one."""
    spec = spec_of(folder)
    if spec is not None:
        arm, _ = _artifact(folder, arm)
        baseline = next((a for a in make_plan(spec).arms if a.name == arm and a.baseline), None)
        if baseline is not None:
            return _by_baseline(spec, baseline, records)
    return [answer.text for answer in open_ready(folder, arm).answers(records)]


def open_ready(folder: Path, arm: str = "") -> Ready:
    """The bundle in a folder, or of an arm of a run folder, with its base loaded."""
    bundle, spec = folder, spec_of(folder)
    if spec is not None:
        arm, artifact = _artifact(folder, arm)
        bundle = folder / artifact
        if not (bundle / "bundle.json").is_file():
            raise StudyError(
                f"{arm} needs no model, so that there is none to load",
                where=folder,
                fix=f"name another arm, or let it answer: tuneoff predict {folder} YOUR_RECORDS.jsonl --arm {arm}",
            )
    tuned = load_tuned(bundle, own_code=spec is not None)
    base = open_base(spec or _spec_for(tuned.base))
    _same_base(base, tuned.base, bundle)
    return Ready(tuned, base)


def _artifact(folder: Path, arm: str) -> tuple[str, str]:
    """(arm, folder of its best seed's bundle)."""
    if not (folder / "verdict.json").is_file():
        raise StudyError("this run has no verdict yet", where=folder, fix="tuneoff run study.toml finishes it")
    verdict = read_verdict(folder / "verdict.json")
    arm = arm or verdict.recommended or ""
    names = [s.arm for s in verdict.standings if s.mean is not None]
    standing = next((s for s in verdict.standings if s.arm == arm and s.mean is not None), None)
    if standing is None:
        raise StudyError(
            f"no finished arm {arm!r}" if arm else "this run recommends no arm",
            where=folder,
            allowed=names,
            fix=nearest(arm, names) or "--arm NAME",
        )
    return arm, standing.artifact


def _by_baseline(spec: StudySpec, arm, records: Sequence[Record]) -> list[str]:
    """A baseline keeps nothing: it is fitted again on the same training records, in an instant."""
    plan = make_plan(spec)
    answerer = arm.baseline.method.fit(plan.task, plan.data.train, 0)
    return [max(row, key=row.get) for row in answerer(records)]


def _spec_for(base: dict) -> StudySpec:
    """The model a bundle was made for: by name where that is embedded, else where it lay, else by name (the hub)."""
    name, path = base["name"], base["path"]
    name = path if name not in embedded() and Path(path).is_dir() else name
    return StudySpec(model=ModelSpec(name=name, template=base["template"]))


def _same_base(base: Base, made_for: dict, bundle: Path) -> None:
    if base.fingerprint != made_for["fingerprint"]:
        raise StudyError(
            "this bundle was made for another model",
            where=bundle,
            found=base.fingerprint,
            allowed=made_for["fingerprint"],
            fix=f"load {made_for.get('name')} as it was",
        )

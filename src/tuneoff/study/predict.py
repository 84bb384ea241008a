"""Answers from what a run left behind: whichever arm is asked for, models and baselines alike.

open_ready("runs/tickets", "lora")      an arm of a run folder
open_ready("runs/tickets/best")         one bundle's folder
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneoff.core.errors import StudyError, nearest
from tuneoff.data.format import Row
from tuneoff.data.read import columns_of, read_rows, to_records
from tuneoff.data.record import Record
from tuneoff.data.shapes import Shape, asking
from tuneoff.engine.examples import TooLong
from tuneoff.models.base import Base
from tuneoff.models.embedded import embedded
from tuneoff.study.arm import Job
from tuneoff.study.bundle import bundle_columns, load_tuned
from tuneoff.study.conduct import open_base
from tuneoff.study.plan import Plan, make_plan
from tuneoff.study.ready import Ready, ReadyBaseline
from tuneoff.study.spec import ModelSpec, StudySpec
from tuneoff.study.store import Ledger
from tuneoff.study.verdict.judge import read_verdict

__all__ = ["Questions", "answer_records", "open_ready", "read_questions", "spec_of"]


def spec_of(folder: Path) -> StudySpec | None:
    """The study that a run folder was made by; None for a bundle's folder."""
    if (folder / "bundle.json").is_file():
        return None
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        table = json.loads(ledger.meta("spec"))
        return StudySpec.build({**table, "folder": ledger.meta("folder") or "."}, str(folder))


@dataclass(frozen=True, slots=True)
class Questions:
    """Records to answer, with the rows that they were made from, all columns of them."""

    records: list[Record]
    rows: list[Mapping[str, Any]]


def read_questions(folder: Path, source: str, arm: str = "") -> Questions:
    """Records to answer, in the columns that the arm was made on; `-` reads JSON lines from standard input.

    Raises DataError that names the columns which are missing.
    """
    columns = _columns(_artifact(folder, arm))
    rows = list(read_rows(source)) if source != "-" else _piped()
    shape = asking(columns, columns_of(rows), source)
    records = to_records(rows, source, shape=shape, answered=False)
    return Questions(records, [row.table for row in rows])


def _piped() -> list[Row]:
    """Bytes, as a file has them: JSON is UTF-8, whatever the terminal is."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(sys.stdin.buffer.read())
        file.flush()
        return list(read_rows(file.name))


def answer_records(folder: Path, arm: str, records: Sequence[Record]) -> list[str]:
    """One answer per record, by the named arm or the recommended one."""
    return open_ready(folder, arm).ask(records).texts


@dataclass(frozen=True, slots=True)
class Artifact:
    """What is asked. bundle: its folder; None for a baseline. spec: of the run it is of, if not a bundle alone."""

    arm: str
    bundle: Path | None
    run: Path
    spec: StudySpec | None = None


def _artifact(folder: Path, arm: str) -> Artifact:
    spec = spec_of(folder)
    if spec is None:
        return Artifact("", folder, folder)
    arm, place = _standing(folder, arm)
    bundle = folder / place
    return Artifact(arm, bundle if (bundle / "bundle.json").is_file() else None, folder, spec)


def open_ready(
    folder: Path, arm: str = "", *, model: str = "", too_long: TooLong | None = None
) -> Ready | ReadyBaseline:
    """The bundle in a folder, or an arm of a run folder, ready to answer.

    model: where the base model lies now, if not where it lay. too_long: what becomes of a record that is too long, if
    not what became of it in the study. Raises StudyError where the model is another one, or nowhere.
    """
    artifact = _artifact(folder, arm)
    if artifact.bundle is None:
        return _fitted_again(artifact)
    tuned = load_tuned(artifact.bundle, own_code=artifact.spec is not None)
    if too_long:
        tuned = replace(tuned, lengths=tuned.lengths._replace(too_long=too_long))
    base = open_base(_model_of(tuned.base, model, artifact))
    _same_base(base, tuned.base, artifact.bundle)
    return Ready(tuned, base)


def _columns(artifact: Artifact) -> Shape:
    return bundle_columns(artifact.bundle) if artifact.bundle else _same_plan(artifact).data.shape


def _standing(folder: Path, arm: str) -> tuple[str, str]:
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


def _fitted_again(artifact: Artifact) -> ReadyBaseline:
    """A baseline keeps nothing: it is fitted again on the same training records, in an instant."""
    plan = _same_plan(artifact)
    with closing(Ledger(artifact.run / "ledger.sqlite")) as ledger:
        rows = {row.folder: row for row in ledger.jobs()}
    row = rows[_standing(artifact.run, artifact.arm)[1]]
    arm = plan.arm(artifact.arm).with_settings(row.knobs)
    job = Job(arm, row.trial, row.seed, row.knobs, "", plan.spec.seed)
    answerer = arm.baseline.method.fit(plan.task, plan.records(job), job.stream("baseline"))
    return ReadyBaseline(artifact.arm, plan.data.shape, answerer, plan.task.code_of)


def _same_plan(artifact: Artifact) -> Plan:
    plan = make_plan(artifact.spec)
    with closing(Ledger(artifact.run / "ledger.sqlite")) as ledger:
        if ledger.meta("data") != plan.data_key():
            raise StudyError(
                f"the data changed since this run, and {artifact.arm} is fitted again on it",
                where=artifact.run,
                fix="bring the data back as it was, or run the study again: tuneoff run STUDY --out A_NEW_FOLDER",
            )
    return plan


def _model_of(made_for: Mapping[str, Any], model: str, artifact: Artifact) -> StudySpec:
    """The model a bundle was made for, in the number format that was judged."""
    asked = artifact.spec.model if artifact.spec else ModelSpec()
    told = {"dtype": made_for["dtype"], "template": made_for["template"]}
    name = model or _where_it_lies(made_for, artifact)
    return StudySpec(model=asked.model_copy(update={**told, "name": name}))


def _where_it_lies(made_for: Mapping[str, Any], artifact: Artifact) -> str:
    """An embedded name, the folder that was opened, what the study named, or the hub's id."""
    name, path = made_for["name"], made_for["path"]
    if name in embedded():
        return name
    named = Path(artifact.spec.folder if artifact.spec else ".", name).expanduser()
    place = next((str(each.resolve()) for each in (Path(path), named) if each.exists()), made_for["hub_id"])
    if not place:
        raise StudyError(
            "the base model is not where it was when this arm was made",
            where=artifact.bundle,
            found=f"no folder {path}",
            fix="say where it lies now: tuneoff predict ... --model FOLDER, or tuneoff.load(..., model=FOLDER)\n"
            "(its fingerprint settles whether it is the same model)",
        )
    return place


def _same_base(base: Base, made_for: Mapping[str, Any], bundle: Path) -> None:
    if base.fingerprint != made_for["fingerprint"]:
        raise StudyError(
            "this bundle was made for another model",
            where=bundle,
            found=f"{base.fingerprint} ({base.origin.path})" if base.origin else base.fingerprint,
            allowed=made_for["fingerprint"],
            fix=f"name {made_for['name']} as it was: --model FOLDER, or tuneoff.load(..., model=FOLDER)",
        )

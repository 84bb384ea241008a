"""What must hold before a run goes on: alone in its folder, on the study, data and model that it began with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tuneoff.core.errors import StudyError
from tuneoff.core.files import check_folder, disk_guard, write_text
from tuneoff.core.text import read_text
from tuneoff.models.base import Base
from tuneoff.study.plan import Plan
from tuneoff.study.spec import StudySpec, write_spec
from tuneoff.study.store import Ledger

__all__ = ["alone", "keep_study", "make_folder", "same_base", "same_study"]


def make_folder(folder: Path) -> None:
    """The run folder, made where it is missing. Raises ResourceError where it cannot be, or cannot be written."""
    check_folder(folder, fix="name another run folder (--out, out=)")
    with disk_guard(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else runs this study inside the block. Raises StudyError where somebody does."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StudyError(
            "another process is running this study", where=folder, fix="wait for it, or give --out another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


def same_study(ledger: Ledger, plan: Plan, folder: Path) -> None:
    """Arms, seeds, trials and knobs may be added to a run; its data, prompt, model and schedule may not change.

    Before the first job all may: the first start often ends in a mistake of the study file that is then fixed.
    """
    begun = ledger.begun()
    if begun and ledger.meta("study") != plan.spec.fingerprint():
        changes = plan.spec.changes_since(json.loads(ledger.meta("spec")))
        raise StudyError(
            "the study file changed since this run began",
            where=folder,
            found="\n".join(changes),
            fix="undo the change (arms, seeds, trials may grow), or give --out another folder for a new run",
        )
    if begun and ledger.meta("data") != plan.data_key():
        raise StudyError(
            "the data changed since this run began",
            where=folder,
            fix="bring the data back as it was, or give --out another folder for a new run",
        )
    ledger.set_meta("study", plan.spec.fingerprint())
    ledger.set_meta("data", plan.data_key())
    if ledger.meta("spec") != plan.spec.model_dump_json():
        ledger.note("", "study file")  # an arm left out, another margin: what was judged must be judged anew
    ledger.set_meta("spec", plan.spec.model_dump_json())
    ledger.set_meta("folder", plan.spec.folder)


def keep_study(ledger: Ledger, spec: StudySpec, study_file: Path | None, copy: Path) -> None:
    """The study beside what it gave: a copy of its file, or the file that says the same where it had none."""
    ledger.set_meta("study_file", str((study_file or copy).resolve()))
    if study_file is None:
        write_spec(spec, copy)
    elif not copy.exists() or not copy.samefile(study_file):
        write_text(copy, read_text(study_file, "the study file"))


def same_base(ledger: Ledger, base: Base, folder: Path) -> None:
    """Raises StudyError where the model is another one than the run began with."""
    was = ledger.meta("base")
    if ledger.begun() and was != base.fingerprint:
        raise StudyError(
            "the model's files changed since this run began",
            where=folder,
            found=base.fingerprint,
            allowed=was,
            fix="bring the model back, or give --out another folder for a new run",
        )
    ledger.set_meta("base", base.fingerprint)

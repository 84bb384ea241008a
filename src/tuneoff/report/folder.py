"""The run folder as the report sees it: which file is which, and how far it is.

runs/tickets/study.toml   verdict.json   ledger.sqlite   report.html
"""

from collections.abc import Sequence
from pathlib import Path

from tuneoff.core.errors import StudyError, nearest
from tuneoff.data.record import Record
from tuneoff.study.store import Ledger
from tuneoff.study.verdict import judge
from tuneoff.study.verdict.judgement import Verdict

__all__ = [
    "LEDGER",
    "PAGE",
    "STUDY",
    "VERDICT",
    "open_ledger",
    "read_verdict",
    "study_file",
    "texts_of",
    "validation_texts",
]

STUDY, VERDICT, LEDGER, PAGE = "study.toml", "verdict.json", "ledger.sqlite", "report.html"


def open_ledger(folder: Path) -> Ledger:
    """The ledger of a run folder. Raises StudyError where there is no such folder, or no run in it."""
    if not folder.is_dir():
        beside = [path.name for path in folder.parent.iterdir() if path.is_dir()] if folder.parent.is_dir() else []
        fix = nearest(folder.name, beside) or "tuneoff run study.toml --out DIR makes one"
        raise StudyError("run folder not found", where=folder, fix=fix)
    return Ledger(folder / LEDGER)


def read_verdict(folder: Path) -> Verdict:
    """The folder's verdict. Raises StudyError where the run has none yet, saying how far it is."""
    path = folder / VERDICT
    if not path.is_file():
        raise _no_verdict(folder)
    return judge.read_verdict(path)


def study_file(ledger: Ledger, folder: Path) -> Path:
    """The study file that the run was started with, whose relative paths hold; else the copy in the run folder."""
    named = ledger.meta("study_file")
    return Path(named) if named else folder / STUDY


def validation_texts(folder: Path) -> dict[str, tuple[str, str]]:
    """{record id: (text, wanted answer)} of the validation records, read anew from the study's data.

    Empty where the ledger does not say which study it is of. Raises DataError where the data has gone.
    """
    from tuneoff.study.plan import make_plan
    from tuneoff.study.predict import spec_of

    ledger = open_ledger(folder)
    known = ledger.meta("spec")
    ledger.close()
    if not known:
        return {}
    return texts_of(make_plan(spec_of(folder)).data.validation)


def texts_of(records: Sequence[Record]) -> dict[str, tuple[str, str]]:
    """{record id: (text, wanted answer)}; several right answers stand behind one another."""
    return {record.id: (record.text, " | ".join(record.references)) for record in records}


def _no_verdict(folder: Path) -> StudyError:
    ledger = open_ledger(folder)
    jobs, study = ledger.jobs(), study_file(ledger, folder)
    ledger.close()
    counts = [
        (status, sum(job.status == status for job in jobs)) for status in ("done", "running", "failed", "planned")
    ]
    state = ", ".join(f"{count} {status}" for status, count in counts if count) or "none planned yet"
    failed = [f"{job.arm} (seed {job.seed + 1}): {job.why}" for job in jobs if job.status == "failed"]
    if not study.is_file():
        study = Path(STUDY)
    return StudyError(
        "this run has no verdict yet",
        where=folder,
        found="\n".join([f"{len(jobs)} jobs: {state}", *failed]),
        fix=f"tuneoff run {study} --out {folder} goes on where it stopped",
    )

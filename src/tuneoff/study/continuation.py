"""Unfinished training that goes on: the same command with more budget or more epochs adds to what is there.

    lora     cap 640 records, still rising at its end      done, retired; its state at the end is kept
    lora     cap 2,560 records, parent: the job above      a new job, which begins at that state

A chain of jobs stands for one place in the race, and the last one counts. What it got at the early rungs is its first
ancestor's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tuneoff.study.arm import Job
from tuneoff.study.outcome import JobRow
from tuneoff.study.plan import Plan
from tuneoff.study.race import Place
from tuneoff.study.store import Ledger

__all__ = ["ancestors", "current", "entered", "go_on_with", "place_of", "places", "unfinished_file"]

Rows = Mapping[str, JobRow]


def unfinished_file(folder: Path, key: str) -> Path:
    """Where the state at the end of an unfinished job is kept. folder: the run's."""
    return folder / "unfinished" / f"{key}.safetensors"


def current(job: Job, rows: Rows) -> Job:
    """The job that stands for a place: the last of its chain, with the cap that it began with."""
    row = rows.get(job.key)
    if row is None:
        return job
    child = next((other for other in rows.values() if other.parent == row.key), None)
    if child is None:
        return replace(job, cap=row.cap)
    return current(replace(job, parent=row.key, cap=child.cap), rows)


def ancestors(key: str, rows: Rows) -> list[str]:
    """A job's chain, itself first."""
    chain = [key]
    while parent := rows[chain[-1]].parent:
        chain.append(parent)
    return chain


def go_on_with(plan: Plan, ledger: Ledger, ground: str, folder: Path) -> list[str]:
    """Enter a new job for each unfinished one that may now see more records. Returns their labels."""
    rows, labels = ledger.all_jobs(), []
    for first in places(plan, ground):
        job = current(first, rows)
        row = rows.get(job.key)
        if row is None or not _goes_on(row, first.cap) or not unfinished_file(folder, job.key).is_file():
            continue
        child = replace(job, parent=job.key, cap=first.cap)
        ledger.add_job(entered(child))
        labels.append(child.label)
    return labels


def _goes_on(row: JobRow, cap: int) -> bool:
    return row.status == "done" and row.progress is not None and not row.progress.finished and row.cap < cap


def places(plan: Plan, ground: str) -> Iterable[Job]:
    """The first job of every place in the race."""
    for arm in plan.arms:
        for trial in range(len(plan.settings[arm.name])):
            for seed in range(plan.seeds(arm)):
                yield plan.job(arm, trial, seed, ground)


def place_of(job: Job) -> Place:
    return job.arm.name, job.trial, job.seed


def entered(job: Job) -> JobRow:
    """The row of a job that is planned."""
    return JobRow(
        key=job.key,
        arm=job.arm.name,
        trial=job.trial,
        seed=job.seed,
        size=job.size,
        status="planned",
        knobs=job.settings,
        folder=f"jobs/{job.key}",
        cap=job.cap,
        parent=job.parent,
    )

"""The files that hold the states of unfinished jobs, one for each stage of training."""

import shutil
from pathlib import Path

from tuneoff.core.files import written
from tuneoff.study.arm import Job
from tuneoff.study.continuation import unfinished_file

__all__ = ["aside_file", "begun_aside", "forget_asides"]

FORM = 4  # of the file: an older one is not found


def aside_file(folder: Path, job: Job, stage: int) -> Path:
    """folder: the run's."""
    return folder / "aside" / f"{job.key}-{stage}-{FORM}.safetensors"


def begun_aside(folder: Path, job: Job, stage: int) -> Path:
    """The same; a job that goes on with an unfinished one begins with what that kept."""
    aside = aside_file(folder, job, stage)
    if job.parent and not aside.is_file():
        aside.parent.mkdir(parents=True, exist_ok=True)
        with written(aside) as temporary:
            shutil.copyfile(unfinished_file(folder, job.parent), temporary)
    return aside


def forget_asides(folder: Path, job: Job) -> None:
    """Remove the unfinished states of a job that the ledger holds as done."""
    for stage in range(len(job.arm.stages)):
        aside_file(folder, job, stage).unlink(missing_ok=True)

"""What the ledger holds: jobs, outcomes, curve points. Plain rows, never averaged away."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tuneoff.core.cost import Cost
from tuneoff.engine import learner
from tuneoff.engine.learner import Trained
from tuneoff.study.arm import Job

__all__ = ["AxisRow", "JobRow", "Outcome", "Point", "Progress", "Split", "points_of"]

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One record's result under one metric. stats None means unscored, and `why` says why.

    Key: (job, step, split, record, metric, phrasing). step: the rung at which it was answered; 0: when the job was
    done. answer: the label chosen or the text generated.
    """

    job: str
    record: str
    metric: str
    split: Split
    stats: tuple[float, ...] | None
    step: int = 0
    phrasing: int = 0
    why: str = ""
    answer: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One point of a learning curve. train_loss: nats per trained token.

    value: the deciding metric on validation; None where answers were not given at this check. likelihood: the mean
    likelihood of the right answer on validation.
    """

    job: str
    step: int
    records: int
    train_loss: float | None
    value: float | None
    likelihood: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AxisRow:
    """One job's figure on an axis beside quality (study/axes/take.py names them). value None: `why` it is not known.

    n: how many records, texts or requests it stands on. low / high: 95 % interval, where there is one.
    """

    job: str
    name: str
    value: float | None
    n: int = 0
    low: float | None = None
    high: float | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Whether a job's training had come to its end, by the stable part of its curve (engine/flatness.py).

    state: "flat": the 95 % upper bound of what a third more steps would bring is below the study's margin; "improving":
    the lower bound is above 0, and the curve is not flat; "unknown": neither was shown. gain: what a third more steps
    are estimated to bring, in mean likelihood of the right answer; upper: its bound. None: too few checks to tell.
    steps: optimiser steps taken. more_steps, more_s: how many more it would take, about, and their seconds; 0 where
    flat.
    """

    state: Literal["flat", "improving", "unknown"]
    gain: float | None = None
    upper: float | None = None
    steps: int = 0
    more_steps: int = 0
    more_s: float = 0.0

    @property
    def finished(self) -> bool:
        return self.state == "flat"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRow:
    """One job: arm x trial x seed. status: planned, running, paused (at `rung`), done, or, with `why`, failed or
    dropped.

    seed: counted from 0. size: of a point of a learning curve; 0 in the race. tested: it has met the sealed test set.
    attempts: how often it was started. progress: of a job that trained to its end. cap: how many records its training
    may see; 0: it trains nothing. parent: the job whose unfinished training it goes on with.
    """

    key: str
    arm: str
    trial: int
    seed: int
    status: str
    why: str = ""
    knobs: dict = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    tested: bool = False
    attempts: int = 0
    folder: str = ""
    rung: int = 0
    size: int = 0
    progress: Progress | None = None
    cap: int = 0
    parent: str = ""


def points_of(job: Job, curves: Sequence[Trained]) -> list[Point]:
    """The curve, stages one behind the other; a course has no figure on the person's task."""
    points, offset = [], 0
    for stage, curve in zip(job.arm.stages[-len(curves) :], curves):
        points += [_point(job, point, offset, own=stage.course is None) for point in curve.points]
        offset += curve.points[-1].step
    return points


def _point(job: Job, point: learner.Point, offset: int, *, own: bool) -> Point:
    """own: whether it is of the person's task, whose figure it then has."""
    return Point(
        job=job.key,
        step=offset + point.step,
        records=point.records,
        train_loss=point.train_loss,
        value=point.figure if own else None,
        likelihood=point.likelihood,
        seconds=point.seconds,
    )

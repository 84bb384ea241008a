"""One arm's artifact, worn and measured: what serving it costs, how it bears other words, what it learned by heart.

Each measure gives rows for the ledger. They stand on validation and training records, never on the sealed test set.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.engine.attach import Worn
from tuneoff.engine.hidden import own_tokens
from tuneoff.evaluation.memorisation import Answered, copied, memorised
from tuneoff.evaluation.metric import Metric
from tuneoff.evaluation.rewording import BUILT_IN, Wording, in_own_words
from tuneoff.evaluation.run import answer_examples, metric_named
from tuneoff.evaluation.serving import Served, serve, warm_up
from tuneoff.stats.interval import Interval
from tuneoff.study.arm import Job
from tuneoff.study.axes import gap
from tuneoff.study.axes.sizes import BATCHES, Taken
from tuneoff.study.bundle import Tuned
from tuneoff.study.outcome import AxisRow, Outcome
from tuneoff.study.plan import Plan, instruction
from tuneoff.study.probing import scorer_of
from tuneoff.study.work import Worker

__all__ = ["GROUPS", "Artifact", "Beside", "axis_row", "unknown"]

GROUPS = {
    "serving": tuple(f"{name}_{batch}" for batch in BATCHES for name in Served._fields[:3]),
    "retention": ("retention_drift",),
    "rewordings": ("reworded", "reworded_gap"),
    "memorisation": ("memorised", "overfit", "copied"),
}
"the figures behind each key of [measure]"

Rows = list[tuple[float, ...] | None]
"statistics per record under the deciding metric; None where it cannot be scored"


class Beside(NamedTuple):
    """What was measured of one arm. outcomes: of the records that were asked in other words."""

    rows: list[AxisRow]
    outcomes: Sequence[Outcome] = ()


def axis_row(job: Job, name: str, found: Interval, n: int) -> AxisRow:
    low, high = (end if np.isfinite(end) else None for end in (found.low, found.high))
    return AxisRow(job=job.key, name=name, value=found.mean, n=n, low=low, high=high)


def unknown(job: Job, names: Sequence[str], why: str) -> Beside:
    """Figures that cannot be had, and why."""
    return Beside([AxisRow(job=job.key, name=name, value=None, why=why) for name in names])


class Artifact:
    """Worn while it is measured. Its answers on validation serve two measures. taken: how much is looked at."""

    def __init__(self, worker: Worker, job: Job, tuned: Tuned, worn: Worn, taken: Taken):
        self.worker, self.job, self.tuned, self.worn, self.taken = worker, job, tuned, worn, taken
        self.metric: Metric = metric_named(worker.task.metrics[0])

    @property
    def plan(self) -> Plan:
        return self.worker.plan

    @cached_property
    def records(self) -> list[Record]:
        """The validation records that stand for all."""
        return self.plan.data.validation[: self.taken.records]

    @cached_property
    def validation(self) -> Answered:
        return self._ask(self.tuned.prompt, self.records)

    def serving(self) -> Beside:
        records = self.plan.data.validation[: self.plan.spec.measure.records]
        prompts = [e.ids.prompt for e in self.worker.encode(self.tuned.prompt, records, self.worn.taken)]
        warm_up(self.worn, prompts)
        served = {batch: serve(self.worn, prompts, batch) for batch in self.taken.batches}
        return Beside([row for batch, own in served.items() for row in self._served(own, batch)])

    def _served(self, served: Served, batch: int) -> list[AxisRow]:
        table = served._asdict()
        n = table.pop("requests")
        rows = [AxisRow(job=self.job.key, name=f"{name}_{batch}", value=value, n=n) for name, value in table.items()]
        if self.tuned.probe is None:
            return rows
        (silent,) = unknown(self.job, [f"tokens_per_s_{batch}"], "it chooses a label and writes nothing").rows
        return [silent if row.name == silent.name else row for row in rows]

    def rewording(self) -> Beside:
        asked = [wording(self.tuned.prompt, self.records) for wording in _wordings(self.plan)]
        if None in asked:
            return unknown(self.job, GROUPS["rewordings"], "its prompt has no instruction to put in other words")
        said = [self._ask(*each) for each in asked]
        rows = [self._rows(answered) for answered in (self.validation, *said)]
        outcomes = [o for at, each in enumerate(said) for o in self._outcomes(each, rows[at + 1], at + 1)]
        scored = [at for at in range(len(self.records)) if all(own[at] is not None for own in rows)]
        own, *others = (np.array([each[at] for at in scored]) for each in rows)
        found = gap.reworded(own, others, self.metric)
        return Beside([axis_row(self.job, *each, len(scored)) for each in zip(GROUPS["rewordings"], found)], outcomes)

    def memorisation(self) -> Beside:
        if why := _not_trained_here(self.job):
            return unknown(self.job, GROUPS["memorisation"], why)
        records = self.worker.unseen(self.job, self.tuned.prompt)[: len(self.records)]
        training, others = self._ask(self.tuned.prompt, records), self.validation
        known = memorised(training, others, per_token=self.worker.task.kind == "text")
        apart = gap.apart(_scored(self._rows(training)), _scored(self._rows(others)), self.metric)
        n = len(records)
        rows = [axis_row(self.job, "memorised", known, n), axis_row(self.job, "overfit", apart, n)]
        return Beside([*rows, *self._copied(training).rows])

    def _copied(self, training: Answered) -> Beside:
        if self.worker.task.kind != "text":
            return unknown(self.job, ["copied"], "the answers are labels")
        found, long = copied(training, self.worker.base.chat)
        if found is None:
            return unknown(self.job, ["copied"], "no training answer is long enough")
        return Beside([axis_row(self.job, "copied", found, long)])

    def _ask(self, prompt: Prompt, records: Sequence[Record]) -> Answered:
        examples = self.worker.encode(prompt, records, self.worn.taken)
        own = None if prompt == self.tuned.prompt else own_tokens([example.prompt for example in examples])
        how = {"cache": self.worker.cache, "prior": self.tuned.prior, "scorer": scorer_of(self.tuned, own=own)}
        return Answered(examples, answer_examples(self.worn, self.tuned.task, examples, **how))

    def _rows(self, answered: Answered) -> Rows:
        pairs = zip(answered.answers, answered.examples)
        return [self.metric.row(answer, example.record, self.worker.task) for answer, example in pairs]

    def _outcomes(self, answered: Answered, rows: Rows, phrasing: int) -> list[Outcome]:
        return [
            Outcome(
                job=self.job.key,
                record=example.record.id,
                metric=self.metric.name,
                split="validation",
                stats=stats,
                phrasing=phrasing,
                why="" if stats is not None else "it cannot be scored",
                answer=answer.text if answer.readable else "",
            )
            for example, answer, stats in zip(answered.examples, answered.answers, rows)
        ]


def _scored(rows: Rows) -> np.ndarray:
    return np.array([row for row in rows if row is not None])


def _wordings(plan: Plan) -> list[Wording]:
    asked = plan.spec.measure.rewordings
    if isinstance(asked, int):
        return list(BUILT_IN[:asked])
    return [in_own_words(instruction(said, plan.spec, plan.data)) for said in asked]


def _not_trained_here(job: Job) -> str:
    if job.arm.given:
        return "it was trained elsewhere, on records that are not known here"
    if not job.arm.learns:
        return "nothing was trained"
    own = job.arm.probe or any(stage.course is None for stage in job.arm.stages)
    return "" if own else "it was trained on other tasks alone"

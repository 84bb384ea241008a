"""What stands beside quality: figures of each tested arm's artifact, taken once after the test.

    first_token_ms_1, first_token_ms_16       ms                         evaluation/serving.py
    tokens_per_s_1, tokens_per_s_16           tokens per second
    cache_bytes_1, cache_bytes_16             bytes
    retention_drift                           nats per token             evaluation/retention.py
    reworded, reworded_gap                    of the deciding metric     evaluation/rewording.py
    memorised, copied                         share                      evaluation/memorisation.py
    overfit                                   of the deciding metric

They stand on validation and training records; the sealed test set is not touched. A figure that cannot be had is a
row with its reason, and the arm keeps its place.
"""

import json
import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from tuneoff.core.files import disk_guard
from tuneoff.core.seeds import stream
from tuneoff.evaluation.retention import OwnTexts, drift, own_texts
from tuneoff.evaluation.run import metric_named
from tuneoff.stats.interval import mean_interval
from tuneoff.study.arm import Job
from tuneoff.study.axes.artifact import GROUPS, Artifact, Beside, axis_row, unknown
from tuneoff.study.axes.sizes import BATCHES, ArmCost, Taken, asked_for, fit_figures
from tuneoff.study.bundle import Tuned
from tuneoff.study.continuation import current
from tuneoff.study.faults import ENDS, raised, said
from tuneoff.study.outcome import AxisRow, JobRow
from tuneoff.study.plan import Plan
from tuneoff.study.store import Ledger
from tuneoff.study.verdict.measured import measure
from tuneoff.study.verdict.standing import handed_over
from tuneoff.study.work import Worker

__all__ = ["Axes", "due", "settle_figures", "take_axes"]

FIGURES = "figures"  # event: what is taken of each artifact, as JSON


def due(ledger: Ledger, plan: Plan) -> list[JobRow]:
    """Of each tested arm the job that is handed over, where its figures are not there as the study asks for them."""
    if not any(getattr(plan.spec.measure, group) for group in GROUPS):
        return []
    metric = metric_named(plan.task.metrics[0])
    random = [arm.name for arm in plan.arms if arm.random]
    tested, *_ = measure(ledger, metric, [arm.name for arm in plan.arms], random)
    jobs = [arm.jobs[handed_over(arm, metric.up)] for arm in tested]
    return [job for job in jobs if ledger.meta(_taken(job.key)) != plan.spec.measure.key]


def settle_figures(ledger: Ledger, plan: Plan, forward_s: float, allowed_s: float) -> Taken:
    """What is taken of each artifact, settled once for all arms, and written down. forward_s: a token."""
    said = [json.loads(event["detail"]) for event in ledger.events() if event["what"] == FIGURES]
    earlier = [each["taken"] for each in said if each["measure"] == plan.spec.measure.key]
    if earlier:
        return Taken.read(earlier[-1])
    costs = [_cost(plan, row, forward_s) for row in due(ledger, plan) if not plan.arm(row.arm).baseline]
    taken = fit_figures(plan.spec.measure, plan.spec.decision, costs, forward_s, allowed_s)
    ledger.note("", FIGURES, json.dumps({"measure": plan.spec.measure.key, "taken": taken.as_json()}))
    return taken


def _cost(plan: Plan, row: JobRow, forward_s: float) -> ArmCost:
    """As its test was."""
    return ArmCost(
        record_s=row.cost.score_s / len(plan.data.test),
        prompt_s=(row.cost.prompt_tokens or 0.0) * forward_s,
        drifts=bool(plan.arm(row.arm).stages),
        learned=plan.arm(row.arm).learns,
    )


def take_axes(
    worker: Worker,
    ledger: Ledger,
    ground: str,
    tell: Callable[[str], None],
    met: Callable[[str, Exception], None] = raised,
    taken: Taken | None = None,
) -> None:
    """Measure what is due, arm by arm, and write it down. tell: told the label of each job before it is measured.

    met: told what cannot be measured, and why. taken: how much is looked at; None: all that is asked for.
    """
    axes, plan, rows = Axes(worker, met, taken), worker.plan, ledger.all_jobs()
    for row in due(ledger, plan):
        job = current(plan.job(plan.arm(row.arm), row.trial, row.seed, ground), rows)
        tell(job.label)
        beside = axes.measure(job)
        ledger.add_axes(beside.rows, beside.outcomes)
        ledger.set_meta(_taken(job.key), plan.spec.measure.key)


def _taken(job: str) -> str:
    return f"axes of {job}"


class Axes:
    """Measures artifacts on one base; what the base itself writes is sampled once."""

    def __init__(self, worker: Worker, met: Callable[[str, Exception], None] = raised, taken: Taken | None = None):
        self.worker, self.met, asked = worker, met, worker.plan.spec.measure
        self.taken = taken or asked_for(asked)
        self.groups = [group for group in GROUPS if getattr(asked, group)]
        self.why = f"left out: all figures together may take {100 * asked.share:.0f} % of the time"

    @cached_property
    def own_texts(self) -> OwnTexts:
        return own_texts(self.worker.base, stream(self.worker.plan.spec.seed, "retention"))

    def measure(self, job: Job) -> Beside:
        """All figures that the study asks for, each with its value or the reason why there is none."""
        names = [name for group in self.groups for name in GROUPS[group]]
        if job.arm.baseline:
            return unknown(job, names, "needs no language model")
        return self._tried(job, names, lambda: self._all(job, self.worker.tuned(job)))

    def _all(self, job: Job, tuned: Tuned) -> Beside:
        parts = [unknown(job, self._missing(), self.why)]
        if "retention" in self.groups and self.taken.retention:  # needs the base bare in between
            parts.append(self._tried(job, GROUPS["retention"], lambda: self._retention(job, tuned)))
        with tuned.worn(self.worker.base) as worn:
            artifact = Artifact(self.worker, job, tuned, worn, self.taken)
            takes = {
                "serving": artifact.serving,
                "rewordings": artifact.rewording,
                "memorisation": artifact.memorisation,
            }
            going = [group for group in self.groups if group in takes and self._going(group)]
            parts += [self._tried(job, self._names(group), takes[group]) for group in going]
        return Beside([row for part in parts for row in part.rows], [o for part in parts for o in part.outcomes])

    def _going(self, group: str) -> bool:
        """Whether anything of a group is taken."""
        taken = {"serving": self.taken.batches, "retention": self.taken.retention}
        return bool(taken.get(group, self.taken.records))

    def _names(self, group: str) -> list[str]:
        """The figures of a group that are taken."""
        untaken = [str(batch) for batch in BATCHES if batch not in self.taken.batches] if group == "serving" else []
        return [name for name in GROUPS[group] if self._going(group) and name.rpartition("_")[2] not in untaken]

    def _missing(self) -> list[str]:
        """The figures that are asked for and not taken."""
        asked = {name: group for group in self.groups for name in GROUPS[group]}
        return [name for name, group in asked.items() if name not in self._names(group)]

    def _retention(self, job: Job, tuned: Tuned) -> Beside:
        (name,) = GROUPS["retention"]
        if tuned.unchanged:
            return Beside([AxisRow(job=job.key, name=name, value=0.0, why="the model is unchanged")])
        base = self.worker.base
        nats = drift(base, self.own_texts, lambda: tuned.worn(base))
        return Beside([axis_row(job, name, mean_interval(np.array(nats), (0.0, math.inf)), len(nats))])

    def _tried(self, job: Job, names: Sequence[str], take: Callable[[], Beside]) -> Beside:
        """What goes wrong is the reason why these figures are missing; a full disk ends the run."""
        try:
            with disk_guard(self.worker.folder):
                return take()
        except ENDS:
            raise
        except Exception as error:  # a plugin may raise anything, and memory may run out
            self.met(f"{job.label}: {', '.join(names)} could not be measured", error)
            return unknown(job, names, said(error))

"""The measuring behind the advice, once per run, before anything is trained.

    advice = measure_advice(worker)                     under a minute for a 135M-parameter model on two cores
    advice = keep_advice(worker, folder)                the same, read from folder/advice.json where it is there

What is read is capped in tokens, so the time grows with the model and not with the data.
"""

import time
from pathlib import Path

from tuneoff.core import plugins
from tuneoff.core.files import disk_guard
from tuneoff.data.general import general_text
from tuneoff.study.advice.advice import ADVICE, Advice, advise, read_advice, write_advice
from tuneoff.study.advice.alignment import alignment
from tuneoff.study.advice.factors import Compute, Control, Factors
from tuneoff.study.advice.headroom import quantity, uniqueness
from tuneoff.study.advice.opinion import FAMILIES
from tuneoff.study.budget.forecast import Forecast
from tuneoff.study.spec import DecisionSpec
from tuneoff.study.verdict.limits import NO_WEIGHTS, active
from tuneoff.study.work import Worker

__all__ = ["LEAST", "compute_of", "control", "effort_in", "keep_advice", "measure_advice"]

LEAST = 0.1  # of what is usually looked at: less is no ground for an opinion
READ = 24_000  # tokens run forward for a whole opinion, or written for as long


def effort_in(seconds: float, forward_tokens_per_s: float) -> float:
    """How much of what is usually looked at can be in so many seconds; 0 where that is too little."""
    effort = min(1.0, seconds * forward_tokens_per_s / READ)
    return effort if effort >= LEAST else 0.0


def measure_advice(
    worker: Worker, compute: Compute | None = None, general: Path | None = None, effort: float = 1.0
) -> Advice:
    """Measure the factors and form the first opinion. compute: the forecast, where there is one. general: the person's
    own general text. effort: how much of what is usually looked at.

    Raises DataError where that cannot be read, or where a record does not fit the model.
    """
    began = time.perf_counter()
    plan, base = worker.plan, worker.base
    factors = Factors(
        kind=plan.data.kind,
        families=plan.families,
        parameters=sum(weight.numel() for weight in base.net.parameters()),
        alignment=alignment(worker, general_text(general), effort),
        uniqueness=uniqueness(worker, effort),
        quantity=quantity(plan),
        compute=compute,
        control=control(plan.spec.decision),
    )
    return advise(factors, plan.ground(base.fingerprint), time.perf_counter() - began)


def control(decision: DecisionSpec) -> Control:
    """What the person's limits say before anything is measured."""
    limits = active(decision)
    why = "it needs the model's weights, which the study rules out"
    inside = _families_inside() if NO_WEIGHTS in limits else set()
    barred = [family for family in FAMILIES if family in inside]
    later = tuple(f"{key} = {value:g}" for key, value in limits.items() if key != NO_WEIGHTS)
    return Control(ruled_out={family: why for family in barred}, later=later)


def _families_inside() -> set[str]:
    """Those whose methods look inside the model."""
    methods = [plugins.load("methods", name) for name in plugins.names("methods")]
    return {method.family for method in methods if method.uses_weights}


def compute_of(told: Forecast) -> Compute:
    """The forecast as a factor."""
    return Compute(
        best_s=told.best.all_s,
        worst_s=told.worst.all_s,
        peak_bytes=max((arm.peak_bytes for arm in told.arms if arm.peak_bytes), default=None),
        arms={arm.arm: arm.run_s for arm in told.arms},
    )


def keep_advice(worker: Worker, folder: Path, compute: Compute | None = None, effort: float = 1.0) -> Advice:
    """The advice of a run: what its folder holds, if measured on the same ground; else measured now and kept."""
    kept = read_advice(folder / ADVICE)
    if kept is not None and kept.ground == worker.plan.ground(worker.base.fingerprint):
        return kept
    advice = measure_advice(worker, compute, effort=effort)
    with disk_guard(folder):
        write_advice(advice, folder / ADVICE)
    return advice

"""How much data each family needs: its best arm again, on the first 16, 64, 256 ... training records.

    records        16      64      256     all
    prompting      0.43    0.44    0.45    0.45
    fine-tuning    0.38    0.47    0.66    0.73        overtakes prompting at about 50 records

Measured on validation, which the sealed test set stays out of. The arm and its settings are those that won on all
records; each size is one job of one seed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuneoff.evaluation.metric import Metric
from tuneoff.study.arm import Job
from tuneoff.study.plan import Plan
from tuneoff.study.race import Place, Seen
from tuneoff.study.store import Ledger
from tuneoff.study.traits import Traits
from tuneoff.study.verdict.scores import figure_of

__all__ = ["Crossing", "FamilyCurve", "Sized", "crossings", "curve_jobs", "family_curves"]

ALL = 0
"the size of a job that learns from every training record"


@dataclass(frozen=True, slots=True)
class Sized:
    """A family's figure on validation at one size, with its 95 % interval over n validation records."""

    records: int
    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class FamilyCurve:
    """By rising number of training records. arm: the one that stands for the family."""

    family: str
    arm: str
    points: tuple[Sized, ...]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where a family that learns overtakes prompting. records: between two sizes by straight lines over the logarithm.

    None: it is ahead at every size (`always`), or at none.
    """

    family: str
    over: str
    records: int | None
    always: bool = False


def curve_jobs(plan: Plan, seen: Sequence[Seen], ground: str) -> list[Job]:
    """The jobs of the curve: each family's best arm at each size below the whole."""
    sizes = sorted({size for size in plan.spec.curve if size < len(plan.data.train)})
    return [
        plan.job(plan.arm(arm), trial, 0, ground, size=size)
        for arm, trial, _ in _best_of_families(plan, seen).values()
        for size in sizes
    ]


def family_curves(plan: Plan, seen: Sequence[Seen], ledger: Ledger, metric: Metric, ground: str) -> list[FamilyCurve]:
    """What the curve's jobs and the whole ones gave; sizes whose job failed are missing."""
    curves = []
    for family, place in _best_of_families(plan, seen).items():
        arm, trial, _ = place
        sizes = [*sorted({size for size in plan.spec.curve if size < len(plan.data.train)}), ALL]
        keys = {size: plan.job(plan.arm(arm), trial, 0, ground, size=size).key for size in sizes}
        points = [_sized(ledger, keys[size], size or len(plan.data.train), metric) for size in sizes]
        curves.append(FamilyCurve(family, arm, tuple(point for point in points if point)))
    return curves


def crossings(curves: Sequence[FamilyCurve], traits: Mapping[str, Traits], up: bool) -> list[Crossing]:
    """Where each family that learns overtakes prompting, as far as both have points of equal size. traits: by arm."""
    prompting = next((curve for curve in curves if traits[curve.arm].prompt), None)
    if prompting is None:
        return []
    return [_crossing(curve, prompting, up) for curve in curves if traits[curve.arm].uses_weights]


def _best_of_families(plan: Plan, seen: Sequence[Seen]) -> dict[str, Place]:
    best: dict[str, tuple[tuple[float, float], Place]] = {}
    for s in seen:
        if s.value is not None and s.row.seed == 0 and s.row.arm in plan.families:
            family, place = plan.families[s.row.arm], (s.row.arm, s.row.trial, 0)
            if family not in best or s.value > best[family][0]:
                best[family] = (s.value, place)
    return {family: place for family, (_, place) in best.items()}


def _sized(ledger: Ledger, key: str, records: int, metric: Metric) -> Sized | None:
    rows = ledger.outcomes(split="validation", metric=metric.name, job=key, step=0)
    scored = [row.stats for row in rows if row.stats is not None and not row.phrasing]
    if not scored:
        return None
    return Sized(records, *figure_of(np.array(scored), metric), len(scored))


def _crossing(learned: FamilyCurve, prompting: FamilyCurve, up: bool) -> Crossing:
    lead = _leads(learned, prompting, up)
    sizes = sorted(lead)
    ahead = [size for size in sizes if lead[size] > 0]
    last_behind = max((size for size in sizes if lead[size] <= 0), default=None)
    if last_behind is None:
        return Crossing(learned.family, prompting.family, None, always=bool(sizes))
    after = [size for size in ahead if size > last_behind]
    if not after:
        return Crossing(learned.family, prompting.family, None)
    return Crossing(learned.family, prompting.family, _between(last_behind, after[0], lead))


def _leads(learned: FamilyCurve, prompting: FamilyCurve, up: bool) -> dict[int, float]:
    other = {point.records: point.mean for point in prompting.points}
    sign = 1 if up else -1
    return {p.records: sign * (p.mean - other[p.records]) for p in learned.points if p.records in other}


def _between(low: int, high: int, lead: Mapping[int, float]) -> int:
    """The size at which a straight line over log(size) crosses 0."""
    share = -lead[low] / (lead[high] - lead[low])
    return round(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))

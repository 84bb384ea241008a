"""One arm's row of the standings, from what the ledger says about it.

    lora: accuracy 81.2 % (77.2 to 85.2), 150 records, 3 seeds, 922 k trained numbers, first token after 181 ms

R records, S seeds, K statistics of a record.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from statistics import fmean

import numpy as np

from tuneoff.core.cost import Cost
from tuneoff.evaluation.metric import Metric
from tuneoff.stats.comparison import Comparison
from tuneoff.stats.interval import mean_interval
from tuneoff.study.store import Ledger
from tuneoff.study.traits import Traits
from tuneoff.study.verdict.judgement import Standing
from tuneoff.study.verdict.measured import Measured, Untested, test_rows
from tuneoff.study.verdict.scores import Scores
from tuneoff.study.verdict.unfinished import training

__all__ = ["axes_by_arm", "blank", "further", "handed_over", "mean_of_known", "ruled_out", "seed_spread", "standing"]


def standing(arm: Measured, traits: Traits, found: Comparison, scores: Scores) -> Standing:
    """A tested arm. found: the comparison of all of them."""
    mean, low, high = scores.figure(found.arms[arm.arm])
    column = handed_over(arm, scores.metric.up)
    own = scores.figure(mean_interval(scores.x[arm.arm][:, column], scores.bounds))
    return Standing(
        **asdict(traits),
        arm=arm.arm,
        metric=scores.metric.name,
        mean=mean,
        low=low,
        high=high,
        n_test=len(arm.rows_RSK),
        seeds=len(arm.jobs),
        why=arm.why,
        seed_spread=seed_spread(arm, found),
        validation=fmean(arm.validation.values()) if arm.validation else None,
        artifact_mean=own.mean,
        artifact_low=own.low,
        artifact_high=own.high,
        artifact=arm.jobs[column].folder,
        unreadable=arm.unreadable,
        trials=arm.trials,
        cost=_mean_cost([job.cost for job in arm.jobs]),
        **training(arm.jobs),
    )


def blank(arm: Untested, traits: Traits, metric: str) -> Standing:
    """An arm without a test figure."""
    return Standing(
        **asdict(traits),
        arm=arm.arm,
        metric=metric,
        mean=None,
        low=None,
        high=None,
        n_test=0,
        seeds=0,
        status=arm.status,
        why=arm.why,
        validation=arm.validation,
        trials=arm.trials,
        **training(arm.ended),
    )


def ruled_out(row: Standing, why: str) -> Standing:
    """The same arm out of the comparison: its test figures go, what it costs and its validation figure stay."""
    gone = dict.fromkeys(("mean", "low", "high", "artifact_mean", "artifact_low", "artifact_high", "score"))
    none = {"n_test": 0, "seeds": 0, "seed_spread": "", "unreadable": 0.0, "others": {}}
    return replace(row, status="ruled out", why=why, **gone, **none)


def seed_spread(arm: Measured, found: Comparison) -> str:
    """Whether its interval covers what another seed would give."""
    if not arm.random:
        return "none"
    if arm.arm in found.unknown:
        return "unknown"
    return "included" if len(arm.jobs) > 1 else "borrowed"


def further(ledger: Ledger, metric: Metric, measured: Iterable[Measured], records: list[str]) -> dict:
    """A further metric's mean over seeds, by arm, on the records compared; None where it scored none of them."""
    rows = test_rows(ledger, metric.name)

    def value(job: str) -> float | None:
        found = [rows[job][record].stats for record in records if record in rows.get(job, {})]
        scored = [stats for stats in found if stats is not None]
        return metric.pool(scored) if scored else None

    return {arm.arm: mean_of_known([value(job.key) for job in arm.jobs]) for arm in measured}


def axes_by_arm(ledger: Ledger, measured: Iterable[Measured]) -> dict[str, dict[str, float | None]]:
    """Figures beside quality, by arm and name, means over the tested jobs that have them."""
    by_job: dict[str, dict[str, float | None]] = {}
    for row in ledger.axes():
        by_job.setdefault(row.job, {})[row.name] = row.value
    return {arm.arm: _joined([by_job.get(job.key, {}) for job in arm.jobs]) for arm in measured}


def mean_of_known(values: Iterable[float | None]) -> float | None:
    """Nothing known stays unknown."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _joined(tables: list[Mapping[str, float | None]]) -> dict[str, float | None]:
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: mean_of_known(table.get(name) for table in tables) for name in names}


def handed_over(arm: Measured, up: bool) -> int:
    """The column of the seed that is best on validation; the first one where validation says nothing."""
    worst = -np.inf if up else np.inf
    values = [arm.validation.get(job.key, worst) for job in arm.jobs]
    return int(np.argmax(values) if up else np.argmin(values))


def _mean_cost(costs: list[Cost]) -> dict[str, float | None]:
    """Column means over seeds."""
    return {name: mean_of_known(cost.as_dict()[name] for cost in costs) for name in costs[0].as_dict()}

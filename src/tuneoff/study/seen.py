"""What the race sees of a study: its arms as entries, and the ledger's jobs with what their records scored.

A score lies in [0, 1], more is better: at the early rungs the probability of the right label (token F1 for free
text), which tells more from few records; at the last rung the deciding metric, where it is such a score itself.
"""

import math
from collections import defaultdict
from collections.abc import Mapping

from tuneoff.core.rungs import LAST
from tuneoff.evaluation.metric import Metric
from tuneoff.evaluation.run import metric_named
from tuneoff.study.outcome import JobRow, Outcome
from tuneoff.study.plan import Plan
from tuneoff.study.race import Entry, Scores, Seen
from tuneoff.study.store import Ledger

__all__ = ["entries_of", "figure_of", "seen_of"]

FINAL = 0  # the step of outcomes of a job that is done


def entries_of(plan: Plan) -> list[Entry]:
    """The plan's arms as the race sees them. Baselines are tried once."""
    return [
        Entry(
            arm.name,
            arm.family,
            trials=len(plan.settings[arm.name]),
            seeds=plan.seeds(arm),
            share=plan.spec.trials,
            follows=arm.calibrated,
            paused=bool(arm.stages),
        )
        for arm in plan.racing
    ]


def seen_of(ledger: Ledger, plan: Plan) -> list[Seen]:
    """The ledger's jobs as the race sees them."""
    metric = metric_named(plan.task.metrics[0])
    dense = metric_named("nll" if plan.task.kind == "choice" else "token_f1")
    last = metric if metric.mean and metric.up else dense
    early, final = _scores(ledger, dense), _scores(ledger, last)
    return [
        Seen(
            row,
            _by_rung(early.get(row.key, {}), final.get(row.key, {})),
            _value(ledger, row, metric),
            {} if last is dense else early.get(row.key, {}).get(FINAL, {}),
        )
        for row in ledger.jobs()
    ]


def figure_of(ledger: Ledger, key: str, metric: Metric, rung: int = LAST) -> float | None:
    """A job's figure on validation at a rung; at the last one, once it is done."""
    step = FINAL if rung == LAST else rung
    rows = [o.stats for o in ledger.outcomes(split="validation", metric=metric.name, job=key, step=step)]
    scored = [stats for stats in rows if stats is not None]
    return metric.pool(scored) if scored else None


def _by_rung(early: Mapping[int, Scores], last: Mapping[int, Scores]) -> dict[int, Scores]:
    """The dense signal at the early rungs, the other one at the end."""
    rungs = {rung: scores for rung, scores in early.items() if rung != FINAL}
    return rungs | ({LAST: last[FINAL]} if FINAL in last else {})


def _scores(ledger: Ledger, judge: Metric) -> dict[str, dict[int, Scores]]:
    """By job and step."""
    table: dict[str, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for outcome in ledger.outcomes(split="validation", metric=judge.name):
        if outcome.stats is not None and not outcome.phrasing:
            table[outcome.job][outcome.step][outcome.record] = _score(outcome, judge)
    return table


def _score(outcome: Outcome, metric: Metric) -> float:
    return outcome.stats[0] if metric.up else math.exp(-outcome.stats[0])


def _value(ledger: Ledger, row: JobRow, metric: Metric) -> tuple[float, float] | None:
    """The figure that chooses between trials; of equal ones, the smaller loss."""
    figure = figure_of(ledger, row.key, metric) if row.status == "done" else None
    if figure is None:
        return None
    loss = figure_of(ledger, row.key, metric_named("nll"))
    return (figure if metric.up else -figure), 0.0 if loss is None else -loss

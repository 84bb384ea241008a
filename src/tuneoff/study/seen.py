"""What the race sees of a study: its arms as entries, and the ledger's jobs with what their records scored.

A score lies in [0, 1], more is better: at the early rungs the probability of the right label (token F1 for free
text), which tells more from few records; at the last rung the deciding metric, where it is such a score itself.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeVar

from tuneoff.core.rungs import LAST
from tuneoff.evaluation.metric import Metric
from tuneoff.evaluation.run import metric_named
from tuneoff.study.continuation import ancestors
from tuneoff.study.outcome import JobRow, Outcome
from tuneoff.study.plan import Plan
from tuneoff.study.race import Entry, Scores, Seen
from tuneoff.study.store import Ledger

__all__ = ["entries_of", "figure_of", "seen_of"]

FINAL = 0  # the step of outcomes of what a job that is done keeps
Some = TypeVar("Some")


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
    early, final, rows = _scores(ledger, dense), _scores(ledger, last), ledger.all_jobs()
    return [
        Seen(
            row,
            _early(early, ancestors(row.key, rows)) | _at_the_end(final.get(row.key, {})),
            _value(ledger, row, metric),
            {} if last is dense else _at_the_end(early.get(row.key, {})).get(LAST, {}),
        )
        for row in ledger.jobs()
    ]


def figure_of(ledger: Ledger, key: str, metric: Metric, rung: int = LAST) -> float | None:
    """A job's figure on validation at a rung; at the last one, once it is done."""
    rows = ledger.outcomes(split="validation", metric=metric.name, job=key)
    by_step: dict[int, list] = defaultdict(list)
    for row in rows:
        if row.stats is not None:
            by_step[row.step].append(row.stats)
    scored = _at_the_end(by_step).get(LAST) if rung == LAST else by_step.get(rung)
    return metric.pool(scored) if scored else None


def _early(scores: Mapping[str, Mapping[int, Scores]], chain: Sequence[str]) -> dict[int, Scores]:
    """By early rung; a job that goes on with another one has what that got there."""
    found: dict[int, Scores] = {}
    for key in reversed(chain):
        found |= {rung: own for rung, own in scores.get(key, {}).items() if rung not in (FINAL, LAST)}
    return found


def _at_the_end(by_step: Mapping[int, Some]) -> dict[int, Some]:
    """The check at the last rung, also where the values of an earlier check are kept; empty before it."""
    step = LAST if LAST in by_step else FINAL
    return {LAST: by_step[step]} if step in by_step else {}


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

"""A metric's rows as scores of which more is better, one for each record and seed, whatever the metric.

    accuracy    0 or 1 as it is            macro F1    pseudo values, whose mean is the figure (stats/jackknife.py)
    loss        nats below 0               figure()    back to the metric's own direction

A score's mean lies in [0, 1]; a loss has no ceiling, and the largest one seen stands for it.

R records, S seeds, K statistics of a record.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tuneoff.evaluation.metric import Metric
from tuneoff.stats.interval import Bounds, Interval, mean_interval
from tuneoff.stats.jackknife import pseudo_values

__all__ = ["Scores", "figure_of", "scores_of"]


class Scores(NamedTuple):
    """x: by arm, [R, S]. bounds: of a mean."""

    metric: Metric
    x: dict[str, np.ndarray]
    bounds: Bounds

    def figure(self, over: Interval) -> Interval:
        """An interval of scores as one of the metric's figures."""
        return over if self.metric.up else Interval(-over.mean + 0.0, -over.high + 0.0, -over.low + 0.0)


def scores_of(metric: Metric, rows: Mapping[str, np.ndarray]) -> Scores:
    """rows: by arm, [R, S, K] of the same records."""
    sign = 1.0 if metric.up else -1.0
    x = {
        name: sign * (rows_RSK[:, :, 0] if metric.mean else pseudo_values(rows_RSK, metric.pool))
        for name, rows_RSK in rows.items()
    }
    worst = max((float(rows_RSK[:, :, 0].max()) for rows_RSK in rows.values()), default=1.0)
    return Scores(metric, x, (0.0, 1.0) if metric.up else (-worst, 0.0))


def figure_of(rows_RK: np.ndarray, metric: Metric) -> Interval:
    """One run's figure with its interval over records."""
    scores = scores_of(metric, {"": np.asarray(rows_RK, dtype=float)[:, None]})
    return scores.figure(mean_interval(scores.x[""][:, 0], scores.bounds))

"""One arm's figures side by side: asked in other words, and on the records that it was trained on.

    asked as it was 81.2 %, in two other wordings 74.0 %: 7.2 points lost (3.1 to 11.3), on the same records
    training records 98.4 %, validation records 79.7 %: 18.7 points apart (8.9 to 29.6), on different ones

Intervals are over records; the wordings are those that were asked, not a sample of all wordings.

R records, K statistics of a record.
"""

from collections.abc import Sequence

import numpy as np

from tuneoff.evaluation.metric import Metric
from tuneoff.stats.comparison import compare
from tuneoff.stats.interval import Interval, mean_interval
from tuneoff.stats.unpaired import difference
from tuneoff.study.verdict.scores import figure_of, scores_of

__all__ = ["apart", "reworded"]


def reworded(asked_RK: np.ndarray, wordings: Sequence[np.ndarray], metric: Metric) -> tuple[Interval, Interval]:
    """(mean over the other wordings, as asked minus that mean), each wording on the same records."""
    rows = {"asked": np.asarray(asked_RK)[:, None], "others": np.stack(wordings, axis=1)}
    scores = scores_of(metric, rows)
    x = {name: x_RS.mean(axis=1) for name, x_RS in scores.x.items()}
    gap = compare(x, bounds=scores.bounds, deterministic=x).contrasts[0]
    lost = gap if (gap.a == "asked") == metric.up else gap._replace(diff=-gap.diff, low=-gap.high, high=-gap.low)
    others = scores.figure(mean_interval(x["others"], scores.bounds))
    return others, Interval(lost.diff, lost.low, lost.high)


def apart(a_RK: np.ndarray, b_RK: np.ndarray, metric: Metric) -> Interval:
    """a minus b on different records."""
    return difference(figure_of(a_RK, metric), figure_of(b_RK, metric))

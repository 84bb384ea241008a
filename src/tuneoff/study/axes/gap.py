"""One arm's figures side by side: asked in other words, and on the records that it was trained on.

    asked as it was 81.2 %, in two other wordings 74.0 %: 7.2 points lost (3.1 to 11.3), on the same records
    training records 98.4 %, validation records 79.7 %: 18.7 points apart (8.9 to 29.6), on different ones

Intervals are over records; the wordings are those that were asked, not a sample of all wordings.

R records, K statistics of a record.
"""

from collections.abc import Sequence

import numpy as np

from tuneoff.evaluation.metric import Metric
from tuneoff.stats.bootstrap import Pooled
from tuneoff.stats.interval import Interval
from tuneoff.stats.unpaired import difference
from tuneoff.study.verdict.figure import Sample, compared, figure, scale_of

__all__ = ["apart", "reworded"]


def reworded(asked_RK: np.ndarray, wordings: Sequence[np.ndarray], metric: Metric) -> tuple[Interval, Interval]:
    """(mean over the other wordings, as asked minus that mean), each wording on the same records."""
    others_RSK, asked_RSK = np.stack(wordings, axis=1), np.asarray(asked_RK)[:, None]
    scale = scale_of(metric, [asked_RSK, others_RSK])
    others = _averaged(scale.sample(others_RSK))
    gap = compared(scale.sample(asked_RSK), others, [0], [0], scale)
    return figure(others, scale), Interval(gap.diff, gap.low, gap.high)


def apart(a_RK: np.ndarray, b_RK: np.ndarray, metric: Metric) -> Interval:
    """a minus b on different records."""
    return difference(*(_figure(np.asarray(rows_RK)[:, None], metric) for rows_RK in (a_RK, b_RK)))


def _figure(rows_RSK: np.ndarray, metric: Metric) -> Interval:
    scale = scale_of(metric, [rows_RSK])
    return figure(scale.sample(rows_RSK), scale)


def _averaged(sample: Sample) -> Sample:
    """The mean over columns as one column."""
    if isinstance(sample, Pooled):
        return Pooled(np.array([sample.mean]), sample.f_BS.mean(axis=1, keepdims=True), sample.records)
    return sample.mean(axis=1, keepdims=True)

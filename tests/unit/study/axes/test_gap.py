"""Figures side by side: other wordings on the same records, training records against others."""

import numpy as np
import pytest

from tuneoff.core.plugins import load
from tuneoff.stats.comparison import compare
from tuneoff.stats.interval import mean_interval
from tuneoff.study.axes.gap import apart, reworded

ACCURACY, F1, NLL = (load("metrics", name)() for name in ("accuracy", "macro_f1", "nll"))


def hits(*shares: float, records: int = 60) -> list[np.ndarray]:
    """0/1 rows [R, 1] for each share of hits."""
    rng = np.random.default_rng(1)
    return [(rng.random((records, 1)) < share).astype(float) for share in shares]


def test_the_gap_is_paired_by_record():
    asked, first, second = hits(0.9, 0.6, 0.5)
    mean, gap = reworded(asked, [first, second], ACCURACY)
    others = (first + second) / 2
    assert mean.mean == pytest.approx(others.mean())
    known = compare({"asked": asked, "others": others}, deterministic=("asked", "others")).contrasts[0]
    assert gap == pytest.approx((known.diff, known.low, known.high))
    assert gap.mean == pytest.approx(asked.mean() - others.mean())


def test_wordings_that_change_nothing_leave_no_gap():
    (asked,) = hits(0.7)
    mean, gap = reworded(asked, [asked, asked], ACCURACY)
    assert mean.mean == asked.mean()
    assert gap.mean == 0.0
    assert gap.low < 0 < gap.high, "sixty records that agree still leave some doubt"


def test_a_metric_that_is_no_mean_goes_through_its_pseudo_values():
    rng = np.random.default_rng(2)
    asked, other = (np.column_stack([rng.integers(0, 2, 50), rng.integers(0, 2, 50)]).astype(float) for _ in range(2))
    mean, gap = reworded(asked, [other, asked], F1)
    assert mean.mean == pytest.approx((F1.pool(other) + F1.pool(asked)) / 2)
    assert gap.mean == pytest.approx(F1.pool(asked) - mean.mean)
    assert gap.low < gap.mean < gap.high


def test_training_and_other_records_are_not_paired():
    training, others = hits(1.0, 0.5)
    found = apart(training, others[:40], ACCURACY)
    assert found.mean == pytest.approx(1 - others[:40].mean())
    alone = mean_interval(others[:40, 0])
    assert found.high == pytest.approx(1 - alone.low, abs=1e-6), "training adds no doubt upwards: it is at its ceiling"
    assert 0 < found.low < found.mean


def test_a_loss_may_be_any_size():
    rng = np.random.default_rng(3)
    found = apart(rng.exponential(0.1, (40, 1)), rng.exponential(3.0, (40, 1)), NLL)
    assert found.high < 0

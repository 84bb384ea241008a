"""A ratio of sums: by hand, and how often its interval holds the truth."""

import numpy as np
import pytest
from scipy import stats

from tuneoff.stats.ratio import Ratio, minus, ratio


def test_by_hand():
    made = ratio([2.0, 6.0, 4.0], [1.0, 2.0, 3.0])
    residuals = np.array([2.0, 6.0, 4.0]) - 2.0 * np.array([1.0, 2.0, 3.0])
    assert made.value == 2.0
    assert made.error == pytest.approx(np.sqrt(3 / 2 * (residuals**2).sum()) / 6)
    half = stats.t.ppf(0.975, 2) * made.error
    assert made.interval == pytest.approx((2.0, 2.0 - half, 2.0 + half))


def test_equal_sizes_give_the_interval_of_a_mean():
    y = np.array([1.0, 4.0, 2.0, 7.0])
    made = ratio(y, np.full(4, 2.0))
    assert made.value == pytest.approx(y.mean() / 2)
    assert made.error == pytest.approx(stats.sem(y) / 2)


def test_long_records_count_for_more():
    assert ratio([10.0, 1.0], [10.0, 0.5]).value == pytest.approx(11 / 10.5)


def test_one_record_has_no_interval():
    alone = ratio([3.0], [2.0])
    assert alone == Ratio(1.5, None, 1)
    assert alone.interval is None
    assert minus(alone, ratio([1.0, 2.0], [1.0, 1.0])) is None


def test_the_difference_is_welchs():
    a, b = np.array([1.0, 3.0, 2.0, 5.0]), np.array([2.0, 2.5, 4.0])
    made = minus(ratio(a, np.ones(4)), ratio(b, np.ones(3)))
    told = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert made == pytest.approx((a.mean() - b.mean(), told.low, told.high))


def test_nothing_varies():
    same = ratio([2.0, 4.0], [1.0, 2.0])
    assert minus(same, same) == (0.0, 0.0, 0.0)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(600):
        sizes = rng.lognormal(4.0, 0.6, 64)
        made = ratio(sizes * (1.5 + rng.normal(0, 0.4, 64)), sizes).interval
        held += made.low <= 1.5 <= made.high
    assert 0.91 <= held / 600 <= 0.98

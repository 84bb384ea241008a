"""Two groups of different records: against scikit-learn and statsmodels, and by simulation."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import confint_proportions_2indep

from tuneoff.stats.interval import Interval, mean_interval
from tuneoff.stats.unpaired import auc, difference


@pytest.mark.parametrize("rounded", [False, True], ids=["no ties", "ties"])
def test_auc_is_scikit_learns(rounded):
    rng = np.random.default_rng(3)
    low, high = rng.normal(size=40), rng.normal(0.7, size=30)
    low, high = (np.round(x) if rounded else x for x in (low, high))
    known = roc_auc_score([0] * 40 + [1] * 30, np.concatenate([low, high]))
    assert auc(low, high).mean == pytest.approx(known, abs=1e-12)
    assert auc(high, low).mean == pytest.approx(1 - known, abs=1e-12)


def test_groups_wholly_apart_leave_doubt_that_shrinks_with_records():
    few, many = (auc(np.arange(n), np.arange(n) + n) for n in (8, 64))
    assert few.mean == many.mean == few.high == 1.0
    assert 0.5 < few.low < many.low < 1.0
    same = auc(np.zeros(9), np.zeros(9))
    assert same.mean == 0.5
    assert same.low < 0.5 < same.high


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_auc_intervals_cover(shift):
    rng = np.random.default_rng(5)
    from scipy.stats import norm

    truth = norm.cdf(shift / np.sqrt(2))
    found = [auc(rng.normal(size=64), rng.normal(shift, size=64)) for _ in range(600)]
    share = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.92 <= share <= 0.98  # 95 % less DeLong's own 1 %, and two standard errors of 600 trials


def test_difference_of_two_shares_is_newcombes():
    a, b = mean_interval(np.r_[np.ones(30), np.zeros(10)]), mean_interval(np.r_[np.ones(20), np.zeros(40)])
    low, high = confint_proportions_2indep(30, 40, 20, 60, method="newcomb", compare="diff")
    assert difference(a, b)[1:] == pytest.approx((low, high), abs=1e-5)


def test_difference_is_not_symmetric_where_the_intervals_are_not():
    made = difference(Interval(0.9, 0.8, 0.92), Interval(0.5, 0.4, 0.6))
    assert made.mean == pytest.approx(0.4)
    assert made.mean - made.low > made.high - made.mean > 0.1

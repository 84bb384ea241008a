"""Intervals where something varies, where nothing does, and with one record."""

import numpy as np
import pytest

from tuneoff.stats.interval import exact, hidden_share, mean_interval, score_interval, wilson


def test_all_right_is_not_certain():
    mean, low, high = mean_interval(np.ones(100))
    assert (mean, high) == (1.0, 1.0)
    assert 0.95 < low < 0.97


def test_the_hidden_share_is_about_three_point_seven_in_n():
    assert hidden_share(1000) == pytest.approx(3.69 / 1000, rel=0.01)


def test_exact_keeps_to_the_bounds():
    assert exact(0.0, 50, (-1, 1)) == (0.0, pytest.approx(-hidden_share(50)), pytest.approx(hidden_share(50)))
    assert exact(1.0, 50, (-1, 1)).high == 1.0


def test_an_interval_is_cut_at_the_bounds():
    x = np.array([1.0] * 30 + [0.9])
    assert mean_interval(x, (0.2, 1.0)).high == 1.0


def test_one_record_says_almost_nothing():
    assert mean_interval(np.array([1.0])).low < 0.3
    assert mean_interval(np.array([0.4])).high > 0.95


def test_a_loss_has_its_own_bounds():
    mean, low, high = mean_interval(np.array([0.0, 1.0, 1.0, 4.0]), bounds=(0.0, 4.0))
    assert mean == 1.5
    assert low == 0.0
    assert 3.5 < high <= 4.0


def test_wilson_of_a_share():
    mean, low, high = wilson(75, 100)
    assert (mean, round(low, 3), round(high, 3)) == (0.75, 0.657, 0.825)


def test_the_interval_of_a_score_is_in_wilsons_form():
    ours = score_interval(0.95, 1.959964 * np.sqrt(0.95 * 0.05 / 200))
    assert ours == pytest.approx(wilson(190, 200), abs=1e-6)
    assert ours.mean - ours.low > 1.3 * (ours.high - ours.mean)


def test_scores_near_the_end_keep_inside():
    x_R = np.ones(50)
    x_R[0] = 0.4
    mean, low, high = mean_interval(x_R)
    assert low < mean < high < 1.0

"""What a third more steps would bring: the estimate, its bounds, and how often they hold."""

import math

import numpy as np
import pytest

from tuneoff.stats.trend import FEWEST, Trend, trend

STEPS = [20, 40, 60, 80, 100, 120]
LATE = len([step for step in STEPS if step >= 72])


def made(gain: float, noise: float = 0.0, seed: int = 0, steps=STEPS) -> np.ndarray:
    """Mean scores that rise by `gain` for a third more steps."""
    rng = np.random.default_rng(seed)
    return 0.4 + gain * np.log(steps) / math.log(4 / 3) + noise * rng.standard_normal(len(steps))


def test_a_straight_line_is_found_as_it_is():
    steps = [*STEPS, 130]
    assert trend(steps, made(0.03, steps=steps)) == pytest.approx((0.03, 0.03, 0.03))


def test_too_few_checks_tell_nothing():
    assert LATE < FEWEST
    assert trend(STEPS, made(0.0)) is None
    assert trend([], []) is None


def test_earlier_checks_do_not_count():
    steps = [*STEPS, 130]
    scores = made(0.02, steps=steps)
    steeper = scores.copy()
    steeper[:3] -= 0.5
    assert trend(steps, steeper) == trend(steps, scores)


def test_flat_is_what_can_be_ruled_out_to_gain_more_than_the_margin():
    assert Trend(0.002, -0.004, 0.008).flat(0.01)
    assert not Trend(0.002, -0.010, 0.014).flat(0.01)
    assert Trend(-0.1, -0.2, 0.0).flat(0.01)


@pytest.mark.parametrize("noise", [0.002, 0.03])
def test_the_bounds_hold_in_95_of_100(noise):
    steps = [*STEPS, 130, 140]
    found = [trend(steps, made(0.01, noise, seed, steps)) for seed in range(3000)]
    assert 0.93 <= np.mean([one.upper > 0.01 for one in found]) <= 0.97
    assert 0.93 <= np.mean([one.lower < 0.01 for one in found]) <= 0.97

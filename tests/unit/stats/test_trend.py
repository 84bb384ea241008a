"""What a third more steps would bring: the estimate, its bounds, and how often they hold."""

import math

import numpy as np
import pytest

from tuneoff.stats.trend import FEWEST, Trend, trend

STEPS = [20, 40, 60, 80, 100, 120]
LATE = len([step for step in STEPS if step >= 60])


def made(gain: float, records: int = 80, own: float = 0.0, shared: float = 0.0, seed: int = 0) -> np.ndarray:
    """Scores that rise by `gain` for a third more steps: own varies between records, shared from step to step."""
    rng = np.random.default_rng(seed)
    slope_R = (gain + own * rng.standard_normal(records)) / math.log(4 / 3)
    level_R = rng.uniform(0.2, 0.6, records)
    return level_R + np.log(STEPS)[:, None] * slope_R + shared * rng.standard_normal((len(STEPS), 1))


def test_a_straight_line_is_found_as_it_is():
    assert trend(STEPS, made(0.03)) == pytest.approx((0.03, 0.03, 0.03))


def test_too_few_checks_or_records_tell_nothing():
    assert LATE == FEWEST
    assert trend(STEPS, made(0.0)) is not None
    assert trend(STEPS[:-1], made(0.0)[:-1]) is None
    assert trend(STEPS, made(0.0, records=1)) is None


def test_earlier_checks_do_not_count():
    scores = made(0.02)
    steeper = scores.copy()
    steeper[:2] -= 0.5
    assert trend(STEPS, steeper) == trend(STEPS, scores)


def test_flat_is_what_can_be_ruled_out_to_gain_more_than_the_margin():
    assert Trend(0.002, -0.004, 0.008).flat(0.01)
    assert not Trend(0.002, -0.010, 0.014).flat(0.01)
    assert Trend(-0.1, -0.2, 0.0).flat(0.01)


@pytest.mark.parametrize(("own", "shared"), [(0.1, 0.0), (0.0, 0.01), (0.1, 0.01), (0.3, 0.003)])
def test_the_upper_bound_holds_in_95_of_100(own, shared):
    above = [trend(STEPS, made(0.01, own=own, shared=shared, seed=seed)).upper > 0.01 for seed in range(600)]
    assert 0.93 <= np.mean(above) <= 0.995


def test_records_alone_would_be_too_sure_where_steps_move_all_of_them():
    """The control: without the part that the mean curve shows, the bound would not hold."""
    missed = 0
    for seed in range(300):
        scores = made(0.01, own=0.02, shared=0.02, seed=seed)
        at_K = np.log(STEPS[-LATE:]) - np.log(STEPS[-LATE:]).mean()
        slope_R = at_K @ scores[-LATE:] / (at_K @ at_K)
        upper = math.log(4 / 3) * (slope_R.mean() + 1.66 * slope_R.std(ddof=1) / math.sqrt(len(slope_R)))
        missed += upper < 0.01
    assert missed / 300 > 0.2

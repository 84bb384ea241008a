"""Mean squares by hand, and the error rate and coverage of the interval by simulation."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from tuneoff.stats.crossed import (
    UNKNOWN,
    Components,
    Seeds,
    components,
    half_width,
    p_value,
    pooled_seeds,
    raised,
    spread,
)
from tuneoff.stats.interval import crossed_interval
from tuneoff.stats.many import holm
from tuneoff.stats.paired import paired

SMALL_RS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])


def test_mean_squares_by_hand():
    c = components(SMALL_RS)
    assert (c.records, c.seeds) == (3, 2)
    # row means 1.5, 3.5, 7; column means 3, 5; mean 4; squares: rows 31, columns 6, all 40, so 3 are left for the rest
    assert (c.ms_record, c.ms_seed, c.ms_rest) == pytest.approx((31 / 2, 6, 3 / 2))
    assert spread(c).variance == pytest.approx((c.ms_record + c.ms_seed - c.ms_rest) / 6)


def test_one_seed_is_the_plain_standard_error():
    x = np.array([0.0, 1.0, 1.0, 0.5, 0.2])
    s = spread(components(x))
    assert s.variance == pytest.approx(x.var(ddof=1) / 5)
    assert s.df == pytest.approx(4)


def test_seeds_that_agree_add_nothing():
    x = np.random.default_rng(0).random(40)
    one, three = spread(components(x)), spread(components(np.repeat(x[:, None], 3, axis=1)))
    assert three.variance == pytest.approx(one.variance)
    assert three.df == pytest.approx(one.df)


def test_a_negative_part_never_makes_the_interval_narrower_than_the_records_allow():
    x_RS = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    c = components(x_RS)
    assert c.ms_record == 0
    assert c.ms_rest > 0
    assert spread(c).variance == pytest.approx(c.ms_rest / 8)


def test_the_wider_of_two_half_widths_by_hand():
    c = Components(records=100, seeds=3, ms_record=0.3, ms_seed=2.2, ms_rest=0.2)
    s = spread(c)
    of_records, of_seeds = 0.3 / 300, 2.0 / 300
    assert s.variance == pytest.approx(of_records + of_seeds)
    howe = np.sqrt(of_records * stats.t.ppf(0.975, 99) ** 2 + of_seeds * stats.t.ppf(0.975, 2) ** 2)
    satterthwaite = np.sqrt(s.variance) * stats.t.ppf(0.975, s.df)
    assert half_width(s) == pytest.approx(max(howe, satterthwaite))
    assert howe != pytest.approx(satterthwaite, rel=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_p_is_five_percent_where_the_interval_ends(seed):
    rng = np.random.default_rng(seed)
    x_RS = rng.normal(size=(50, 1)) + 0.2 * seed * rng.normal(size=(1, 3)) + rng.normal(size=(50, 3))
    s = spread(components(x_RS))
    assert p_value(half_width(s), s) == pytest.approx(0.05)
    assert p_value(-1.01 * half_width(s), s) < 0.05 < p_value(0.99 * half_width(s), s)
    assert p_value(0.0, s) == 1.0


def test_seeds_against_a_fixed_arm_by_satterthwaite_alone_would_be_wrong_too_often():
    """Its t on V alone, without the wider half width, is what this rule was before."""
    rng = np.random.default_rng(8)
    shipped, alone = [], []
    for _ in range(1500):
        c = components(
            0.35 * rng.normal(size=(60, 1)) + 0.15 * rng.normal(size=(1, 3)) + 0.1 * rng.normal(size=(60, 3))
        )
        diff, s = _mean_of(c, rng), spread(c)
        shipped.append(p_value(diff, s) < 0.05)
        alone.append(2 * stats.t.sf(abs(diff) / np.sqrt(s.variance), s.df) < 0.05)
    assert np.mean(shipped) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1500)
    assert np.mean(alone) > np.mean(shipped) + 0.015


def _mean_of(c, rng) -> float:
    """A mean drawn beside mean squares: for normal numbers the two are independent."""
    return float(rng.normal() * np.sqrt(0.35**2 / c.records + 0.15**2 / 3 + 0.1**2 / (3 * c.records)))


def test_seeds_of_several_arms_are_pooled_by_their_degrees_of_freedom():
    arms = [Components(100, 3, 0.3, 2.2, 0.2), Components(100, 5, 0.3, 0.2, 0.2), Components(100, 1, 0.3, 0, 0)]
    pool = pooled_seeds(arms)
    assert pool.df == 2 + 4
    assert pool.variance == pytest.approx((2 * 0.02 + 4 * 0.0) / 6)
    assert pooled_seeds(arms[2:]) == UNKNOWN


def test_a_pool_raises_what_is_below_it_and_nothing_else():
    low, high = Components(100, 3, 0.3, 0.2, 0.2), Components(100, 3, 0.3, 9.0, 0.2)
    floor = Seeds(0.02, 8).times(0.5)
    assert raised(high, floor) == high
    assert raised(low, UNKNOWN) == low
    s = spread(raised(low, floor))
    assert s.seed == pytest.approx(0.01)
    assert s.variance == pytest.approx(0.3 / 300 + 0.01)
    assert s.df == pytest.approx(8, rel=0.3)


@pytest.mark.parametrize("pooling", [True, False])
def test_pooling_keeps_a_family_of_pairs_at_its_rate(pooling):
    """Six equal arms whose seeds lie far apart, all 15 pairs under Holm; without the pool it is wrong too often."""
    rng = np.random.default_rng(3)
    alarms = []
    for _ in range(150):
        arms = [0.1 * rng.normal(size=(1, 3)) + 0.3 * rng.normal(size=(60, 3)) for _ in range(6)]
        pool = pooled_seeds(components(x) for x in arms).times(2 / 3) if pooling else UNKNOWN
        p = holm(np.array([paired(a - b, floor=pool).p for a, b in combinations(arms, 2)]))
        alarms.append(p.min() < 0.05)
    assert np.mean(alarms) <= 0.1 if pooling else np.mean(alarms) > 0.15


def test_one_record_has_no_mean_squares():
    with pytest.raises(ValueError, match="at least 2 records"):
        components(np.ones((1, 3)))


def _scores(rng, records, seeds, level, record_sd, seed_sd):
    """0/1 answers of one arm, whose seeds and records both vary; `level` is shared by the arms of a pair."""
    chance = 1 / (1 + np.exp(-(level + record_sd + seed_sd * rng.normal(size=(1, seeds)))))
    return (rng.random((records, seeds)) < chance).astype(float)


def _false_alarms(trials, records, seed_sd, seed):
    rng = np.random.default_rng(seed)
    alarms = []
    for _ in range(trials):
        record_sd = 2 * rng.normal(size=(records, 1))
        a, b = (_scores(rng, records, 3, 1.0, record_sd, seed_sd) for _ in range(2))
        alarms.append(paired(a - b).p < 0.05)
    return float(np.mean(alarms))


@pytest.mark.parametrize("seed_sd", [0.15, 1.0])
def test_two_copies_of_one_arm_are_rarely_declared_different(seed_sd):
    assert _false_alarms(300, 150, seed_sd, seed=1) <= 0.09  # 5 % and three standard errors of 300 trials


def test_records_alone_would_declare_them_different_often():
    rng = np.random.default_rng(2)
    alarms = []
    for _ in range(200):
        record_sd = 2 * rng.normal(size=(150, 1))
        a, b = (_scores(rng, 150, 3, 1.0, record_sd, 1.0) for _ in range(2))
        alarms.append(paired((a - b).mean(axis=1, keepdims=True)).p < 0.05)
    assert np.mean(alarms) > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("records", [60, 150, 400])
@pytest.mark.parametrize("seed_sd", [0.0, 0.15, 0.4, 1.0])
def test_error_rate_over_4000_trials(records, seed_sd):
    assert _false_alarms(4000, records, seed_sd, seed=3) <= 0.07


def test_the_interval_covers_the_true_mean():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(400):
        x_RS = 0.5 + 0.1 * rng.normal(size=(80, 1)) + 0.03 * rng.normal(size=(1, 3)) + 0.1 * rng.normal(size=(80, 3))
        _, low, high = crossed_interval(x_RS)
        hits += low <= 0.5 <= high
    assert 0.91 <= hits / 400 <= 0.99

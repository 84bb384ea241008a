"""Looking after every record: how often that is wrong, how often it finds what is there, and the formula by hand."""

import numpy as np
import pytest

from tuneoff.stats.sequential import confidence_sequence, separated

ALPHA = 0.05
TRIALS = 1500
ENOUGH = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / TRIALS)


def answers(rng, records, disagreement, gain=0.0):
    """0/1 scores subtracted: `disagreement` is the share of records that only one arm has right."""
    up, down = (disagreement + gain) / 2, (disagreement - gain) / 2
    return rng.choice([1.0, -1.0, 0.0], size=records, p=[up, down, 1 - up - down])


def skewed(rng, records, rare):
    """Seldom a large loss, mostly a small gain, 0 on average: what probabilities of the right label look like."""
    return np.where(rng.random(records) < rare, -0.9, 0.9 * rare / (1 - rare))


EQUAL = {
    "they seldom disagree": lambda rng: answers(rng, 128, 0.03),
    "they disagree at times": lambda rng: answers(rng, 128, 0.2),
    "they always disagree": lambda rng: answers(rng, 128, 1.0),
    "many records": lambda rng: answers(rng, 1000, 0.3),
    "rare losses": lambda rng: skewed(rng, 128, 0.05),
    "very rare losses": lambda rng: skewed(rng, 500, 0.01),
    "rare gains": lambda rng: -skewed(rng, 128, 0.05),
}


@pytest.mark.parametrize("draw", EQUAL.values(), ids=EQUAL.keys())
def test_equal_arms_are_seldom_separated_however_often_one_looks(draw):
    rng = np.random.default_rng(1)
    assert np.mean([separated(draw(rng), ALPHA) != 0 for _ in range(TRIALS)]) <= ENOUGH


def test_a_fixed_test_looked_at_after_every_record_is_wrong_often():
    rng = np.random.default_rng(2)
    alarms = [_z_test_at_every_look(answers(rng, 128, 0.3)) for _ in range(400)]
    assert np.mean(alarms) > 3 * ALPHA


def _z_test_at_every_look(d_N) -> bool:
    n = np.arange(1, len(d_N) + 1)
    mean = d_N.cumsum() / n
    error = np.sqrt(np.maximum((d_N**2).cumsum() / n - mean**2, 1e-9) / n)
    return bool((np.abs(mean / error) > 1.96)[9:].any())


@pytest.mark.parametrize(("records", "disagreement", "gain", "found"), [(128, 0.3, 0.2, 0.85), (500, 0.2, 0.1, 0.9)])
def test_planted_differences_are_found(records, disagreement, gain, found):
    rng = np.random.default_rng(3)
    looks = [separated(answers(rng, records, disagreement, gain), ALPHA) for _ in range(300)]
    assert looks.count(1) / len(looks) >= found
    assert looks.count(-1) == 0


def test_a_small_difference_is_not_found_in_few_records():
    rng = np.random.default_rng(4)
    assert np.mean([separated(answers(rng, 60, 0.3, 0.03), ALPHA) for _ in range(300)]) < 0.1


def test_what_was_shown_once_stays_shown():
    d_N = np.concatenate([np.ones(9), -np.ones(9)])
    assert separated(d_N[:7], ALPHA) == 0
    assert separated(d_N[:8], ALPHA) == separated(d_N, ALPHA) == 1
    assert separated(-d_N, ALPHA) == -1


def test_more_doubt_needs_more_records():
    assert separated(np.ones(9), 0.05) == 1
    assert separated(np.ones(9), 0.001) == 0
    assert separated(np.ones(20), 0.001) == 1


def test_no_records_and_no_difference_show_nothing():
    assert separated(np.array([]), ALPHA) == 0
    assert separated(np.zeros(500), ALPHA) == 0
    assert len(confidence_sequence(np.array([]), ALPHA).low_N) == 0


def test_records_that_show_both_show_nothing():
    assert separated(np.concatenate([np.ones(12), -np.ones(60)]), ALPHA) == 0


def test_a_long_run_does_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        assert separated(np.ones(20_000), ALPHA) == 1


@pytest.mark.parametrize("d", [[0.5, 1.2], [0.5, np.nan], [[0.1, 0.2]], [-2.0]])
def test_what_is_no_difference_of_scores_is_refused(d):
    with pytest.raises(ValueError, match=r"in \[-1, 1\]"):
        separated(np.array(d), ALPHA)


def plain_capital(d, mean) -> list[float]:
    """The same formula, one bet and one record at a time."""
    bets = [(2 * g + 1) / 16 for g in range(8)]
    stakes, after = [1.0] * len(bets), []
    for each in d:
        stakes = [stake * (1 + bet * (each - mean) / (1 + mean)) for stake, bet in zip(stakes, bets)]
        after.append(sum(stakes) / len(bets))
    return after


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_the_plain_form(seed):
    rng = np.random.default_rng(seed)
    d_N = answers(rng, 40, 0.5, 0.3) if seed % 2 else rng.uniform(-0.3, 0.6, size=40)
    shown = [int(max(plain_capital(side, 0.0)) >= 2 / ALPHA) for side in (d_N, -d_N)]
    assert separated(d_N, ALPHA) == shown[0] - shown[1]
    made = confidence_sequence(d_N, ALPHA)
    for look in (3, 11, 40):
        below = [m for m in np.arange(-199, 200) / 200 if max(plain_capital(d_N[:look], m)) >= 2 / ALPHA]
        above = [m for m in np.arange(-199, 200) / 200 if max(plain_capital(-d_N[:look], -m)) >= 2 / ALPHA]
        assert made.low_N[look - 1] == pytest.approx(max(below, default=-1))
        assert made.high_N[look - 1] == pytest.approx(min(above, default=1))


def test_the_sequence_and_the_test_agree():
    rng = np.random.default_rng(5)
    for gain in (-0.2, 0.0, 0.1, 0.2):
        d_N = answers(rng, 128, 0.3, gain)
        low_N, high_N = confidence_sequence(d_N, ALPHA)
        assert separated(d_N, ALPHA) == int(low_N[-1] >= 0) - int(high_N[-1] <= 0)


@pytest.mark.parametrize("gain", [0.0, 0.15, 0.5])
def test_all_bounds_hold_at_once(gain):
    rng = np.random.default_rng(6)
    missed = 0
    for _ in range(150):
        low_N, high_N = confidence_sequence(answers(rng, 60, 0.6, gain), ALPHA)
        missed += bool((low_N > gain).any() or (high_N < gain).any())
    assert missed / 150 <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / 150)


def test_bounds_never_widen_and_come_close():
    d_N = answers(np.random.default_rng(7), 600, 0.3, 0.1)
    low_N, high_N = confidence_sequence(d_N, ALPHA)
    assert (np.diff(low_N) >= 0).all()
    assert (np.diff(high_N) <= 0).all()
    assert high_N[-1] - low_N[-1] < 0.2
    assert high_N[9] - low_N[9] > 0.8

"""Differences on the same records."""

import numpy as np
import pytest

from tuneoff.stats.bootstrap import boot_components, pooled, resamples, subtract
from tuneoff.stats.crossed import components
from tuneoff.stats.many import holm
from tuneoff.stats.paired import differences, paired


def test_a_single_column_is_subtracted_from_every_seed():
    a_RS, b_RS = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]), np.array([[0.0], [1.0]])
    assert differences(a_RS, b_RS).tolist() == [[1, 0, 1], [0, 0, 0]]
    assert differences(b_RS, a_RS).tolist() == [[-1, 0, -1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("a", "b", "said"), [((3, 2), (4, 2), "records do not pair: 3 and 4"), ((3, 2), (3, 3), "2 and 3")]
)
def test_what_does_not_pair_is_refused(a, b, said):
    with pytest.raises(ValueError, match=said):
        differences(np.zeros(a), np.zeros(b))


def test_no_disagreement_is_no_proof_of_equality():
    test = paired(np.zeros((50, 3)))
    assert (test.diff, test.p) == (0.0, 1.0)
    assert test.low == pytest.approx(-0.0711, abs=1e-4)
    assert test.high == pytest.approx(0.0711, abs=1e-4)


def test_always_better_by_the_same_is_the_sign_test():
    test = paired(np.ones((6, 1)))
    assert test.p == pytest.approx(2 * 0.5**6)
    assert test.high == 1.0
    assert test.low < 0.2


def test_one_record_decides_nothing():
    test = paired(np.ones((1, 3)))
    assert test.p == 1.0
    assert test.low < 0


def test_holm_of_nothing_is_nothing():
    assert holm(np.array([])).tolist() == []


def test_for_a_mean_the_bootstrap_is_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    x_RS = rng.normal(size=(60, 1)) + 0.3 * rng.normal(size=(1, 3)) + rng.normal(size=(60, 3))
    sample = pooled(x_RS[:, :, None], lambda rows: float(rows[:, 0].mean()), resamples(60, seed=1, draws=8000))
    boot, direct = boot_components(sample), components(x_RS)
    assert boot.ms_seed == pytest.approx(direct.ms_seed)
    assert boot.ms_record == pytest.approx(direct.ms_record, rel=0.05)
    assert boot.ms_rest == pytest.approx(direct.ms_rest, rel=0.05)


def test_the_bootstrap_pairs_records_of_two_arms():
    rng = np.random.default_rng(0)
    a_RSK = rng.random((60, 1, 1))
    draws = resamples(60, seed=1, draws=500)
    pool = lambda rows: float(rows[:, 0].mean())  # noqa: E731
    a, b = pooled(a_RSK, pool, draws), pooled(a_RSK - 0.1, pool, draws)
    d = subtract(a, b)
    assert d.mean == pytest.approx(0.1)
    assert boot_components(d).flat


def test_resamples_follow_their_seed():
    assert (resamples(20, 1) == resamples(20, 1)).all()
    assert (resamples(20, 1) != resamples(20, 2)).any()

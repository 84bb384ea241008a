"""What a test set can show, and what would settle a comparison: by formula, and by drawing what the advice asks for."""

import numpy as np
import pytest
from scipy import stats

from tuneoff.stats.comparison import compare
from tuneoff.stats.field import Parts
from tuneoff.stats.power import More, settle, smallest_difference, visible


def parts(records=300, *, seeds=3, between=0.1, rest=0.05, seed=0.0) -> Parts:
    """Two arms that are alike. seed: variance of one run's true mean, taken as known to a factor of about 2."""
    seed_M = 2 * seed / max(seeds, 1) * np.array([0.5, 1.0, 2.0])
    return Parts(records, seeds, seeds, between, rest, rest, 2.0 * records, seed_M, np.array([0.3, 0.5, 0.2]))


def nothing(records) -> Parts:
    return parts(records, between=0.0, rest=0.0)


def test_smallest_visible_difference():
    assert smallest_difference(150) == pytest.approx(0.0997, abs=1e-3)
    assert smallest_difference(1000) == pytest.approx(0.0394, abs=1e-3)
    assert smallest_difference(1000, tests=10) > smallest_difference(1000)
    assert smallest_difference(5, disagreement=0.1) is None


def test_records_settle_a_tie_that_seeds_do_not_trouble():
    one = parts(200, seeds=0, between=0.02, rest=0.0)
    more = settle(0.02, one, margin=0.01)
    assert more.seeds is None
    assert 2.8 * np.sqrt(0.02 / (200 + more.records)) == pytest.approx(0.02, rel=0.05)


def test_seeds_settle_a_tie_that_records_cannot():
    more = settle(0.03, parts(2000, between=0.01, seed=0.0006), margin=0.01)
    assert more.records is None
    assert 1 <= more.seeds <= 27
    assert not more.together


def test_a_close_tie_may_be_settled_as_equal():
    one = parts(400, seeds=0, between=0.05, rest=0.0)
    more = settle(0.0, one, margin=0.02)
    error = np.sqrt(0.05 / (400 + more.records))
    assert stats.norm.cdf(0.02 / error - 1.645) - stats.norm.cdf(1.645 - 0.02 / error) == pytest.approx(0.8, abs=0.02)


def test_hopeless_is_said():
    assert settle(0.0, parts(50, seed=0.01), margin=0.0) == More(None, None)


def test_where_none_disagree_the_rule_of_three_says_how_many():
    assert settle(0.0, nothing(100), margin=0.01) == More(270, None)  # 368 in all


def test_visible_shrinks_with_records():
    wide, narrow = (visible(parts(n, seeds=0, between=0.2, rest=0.0)) for n in (100, 400))
    assert wide == pytest.approx(2 * narrow, rel=0.01)
    assert visible(nothing(100)) == 0.0
    assert visible(parts(), tests=10) > visible(parts())


def drawn(rng, records, luck_2S):
    """Answers of two arms of 80 % and 75 % on new records. luck_2S: of their seeds; 0.1 moves a run by 1.5 points."""
    hard_R1 = 1.5 * rng.standard_normal((records, 1))
    return {
        name: (
            hard_R1 + stats.norm.ppf(share) * np.hypot(1.5, 1) + luck_S + rng.standard_normal((records, len(luck_S)))
            > 0
        ).astype(float)
        for name, share, luck_S in zip("ab", (0.8, 0.75), luck_2S)
    }


@pytest.mark.parametrize(("what", "moves"), [("records", 0.0), ("seeds", 0.1)])
def test_with_what_it_asks_for_most_comparisons_are_settled(what, moves):
    """Four of five are promised where the gap is as large as was measured; docs/log.md has what is reached."""
    rng, settled = np.random.default_rng(0), []
    while len(settled) < 60:
        luck_2S = moves * rng.standard_normal((2, 40))
        first = compare(drawn(rng, 250, luck_2S[:, :3])).contrasts[0]
        more = settle(0.05, first.parts, margin=0.01) if first.p >= 0.05 else None
        if more and getattr(more, what) and getattr(more, what) < 2000:
            records, seeds = (250 + more.records, 3) if what == "records" else (250, 3 + more.seeds)
            settled.append(compare(drawn(rng, records, luck_2S[:, :seeds])).contrasts[0].p < 0.05)
    assert 0.6 < np.mean(settled) <= 1.0

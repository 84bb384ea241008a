"""Winners, price, and what would settle a tie."""

from itertools import pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneoff.stats.crossed import Components, components
from tuneoff.stats.decide import Bargain, Beats, bargains, cheapest, finalists, front, highest, winners
from tuneoff.stats.power import More, power, settle, smallest_difference, visible


def test_finalists_are_the_eight_best():
    score = {f"arm{n}": n / 10 for n in range(10)}
    assert finalists(score, up=True) == [f"arm{n}" for n in range(9, 1, -1)]
    assert finalists(score, up=False)[0] == "arm0"


def test_who_is_not_beaten_wins():
    assert winners(["a", "b", "c"], [Beats("a", "c")]) == ("a", "b")
    assert winners([], []) == ()


def test_unknown_price_is_dearest():
    price = {"a": (None, 0, 0), "b": (30.0, 500, 9.0), "c": (30.0, 500, 8.0)}
    assert cheapest(["a", "b", "c"], price) == "c"
    assert cheapest(["a"], price) == "a"
    assert cheapest([], price) is None


def test_the_highest_of_what_is_known():
    assert highest(["a", "b", "c"], {"a": 1.0, "b": None, "c": 1.0}) == ["a", "c"]
    assert highest(["a", "b"], {"a": None, "b": None}) == ["a", "b"]


QUALITY = {"zero_shot": 60.0, "few_shot": 74.0, "lora": 81.0}
TOKENS = {"zero_shot": 31.0, "few_shot": 310.0, "lora": 45.0}
numbers = st.integers(0, 6).map(float)
arms = st.dictionaries(st.sampled_from("abcdefg"), st.tuples(numbers, numbers), min_size=1)


def test_front_and_bargains_of_three_arms():
    assert front(QUALITY, TOKENS) == ["zero_shot", "lora"]
    assert bargains(QUALITY, TOKENS) == {"zero_shot": Bargain(1.5, inf), "lora": Bargain(0.0, 1.5)}


def test_a_loss_turned_round_has_the_same_front():
    assert front({"a": -0.4, "b": -0.5, "c": -0.3}, {"a": 1.0, "b": 2.0, "c": 3.0}) == ["a", "c"]


@given(arms)
def test_off_the_front_is_who_is_beaten_in_one_and_not_better_in_the_other(made):
    q, c = ({name: pair[at] for name, pair in made.items()} for at in (0, 1))
    on = front(q, c)
    for name in made:
        beaten = any(q[o] >= q[name] and c[o] <= c[name] and (q[o], c[o]) != (q[name], c[name]) for o in made)
        assert (name in on) != beaten
    assert [c[name] for name in on] == sorted(c[name] for name in on)


@given(arms)
def test_inside_its_range_nobody_is_worth_more_and_outside_somebody_is(made):
    q, c = ({name: pair[at] for name, pair in made.items()} for at in (0, 1))
    found = bargains(q, c)
    assert set(found) <= set(front(q, c))

    def lacks(name, rate):
        return max(q[other] - rate * c[other] for other in made) - (q[name] - rate * c[name])

    for name, (low, high) in found.items():
        assert lacks(name, low + 1 if high == inf else (low + high) / 2) == pytest.approx(0, abs=1e-9)
        assert low == 0 or lacks(name, low - 0.01) > 0
        assert high == inf or lacks(name, high + 0.01) > 0


@given(arms)
def test_the_ranges_cover_every_rate(made):
    q, c = ({name: pair[at] for name, pair in made.items()} for at in (0, 1))
    ranges = sorted(bargains(q, c).values())
    assert ranges[0].low == 0
    assert ranges[-1].high == inf
    assert all(b.low <= a.high for a, b in pairwise(ranges))


def test_smallest_visible_difference():
    assert smallest_difference(150) == pytest.approx(0.0997, abs=1e-3)
    assert smallest_difference(1000) == pytest.approx(0.0394, abs=1e-3)
    assert smallest_difference(1000, tests=10) > smallest_difference(1000)
    assert smallest_difference(5, disagreement=0.1) is None


def test_records_settle_a_tie_that_seeds_do_not_trouble():
    d_R = np.where(np.arange(200) % 10 < 2, 1.0, np.where(np.arange(200) % 10 == 2, -1.0, 0.0))[:, None] * 0.3
    c = components(d_R)
    more = settle(0.02, c, margin=0.01)
    assert more.seeds is None
    wanted = 200 + more.records
    assert 2.8 * np.sqrt(c.ms_record / wanted) == pytest.approx(0.02, rel=0.05)


def test_seeds_settle_a_tie_that_records_cannot():
    noisy = Components(records=2000, seeds=3, ms_record=0.1, ms_seed=2.0, ms_rest=0.05)
    more = settle(0.03, noisy, margin=0.01)
    assert more.records is None
    assert 1 <= more.seeds <= 27
    assert not more.together


def test_a_close_tie_may_be_settled_as_equal():
    sure = Components(records=400, seeds=1, ms_record=0.05, ms_seed=0.0, ms_rest=0.0)
    assert settle(0.0, sure, margin=0.02).records < 400


def test_hopeless_is_said():
    assert settle(0.0, Components(50, 3, 1.0, 90.0, 0.5), margin=0.0) == More(None, None)


def test_where_none_disagree_the_rule_of_three_says_how_many():
    none = Components(100, 3, 0.0, 0.0, 0.0)
    assert settle(0.0, none, margin=0.01) == More(270, None)  # 368 in all


def test_visible_shrinks_with_records():
    assert visible(Components(100, 1, 0.2, 0, 0)) == pytest.approx(2 * visible(Components(400, 1, 0.2, 0, 0)), rel=0.01)


@pytest.mark.parametrize("c", [Components(200, 1, 0.3, 0, 0), Components(200, 3, 0.3, 2.0, 0.2)])
def test_what_is_visible_is_found_in_four_of_five_trials(c):
    assert power(visible(c), c) == pytest.approx(0.8, abs=0.04)
    assert power(visible(c) / 2, c) < 0.5


def test_what_settles_a_tie_would_be_declared_then():
    c = Components(300, 3, 0.3, 0.9, 0.2)
    more = settle(0.03, c, margin=0.01)
    assert more.together
    records, seeds = 300 + more.records, 3 + more.seeds
    grown = Components(records, seeds, 0.2 + seeds * c.record, 0.2 + records * c.seed, 0.2)
    assert power(0.03, grown) >= 0.75 > power(0.03, c)


def test_power_of_one_run_is_that_of_the_t_test():
    from statsmodels.stats.power import TTestPower

    theirs = TTestPower().power(effect_size=0.05 / np.sqrt(0.2), nobs=400, alpha=0.05)
    ours = power(0.05, Components(400, 1, 0.2, 0, 0))
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert ours != pytest.approx(TTestPower().power(effect_size=0.05 / np.sqrt(0.2), nobs=200, alpha=0.05), abs=0.05)


def test_power_grows_with_the_difference_and_shrinks_with_tests():
    c = Components(200, 3, 0.3, 0.5, 0.2)
    assert power(0.0, c) == pytest.approx(0.05, abs=0.01)
    assert power(0.02, c) < power(0.1, c) < power(0.9, c) <= 1
    assert power(0.1, c, tests=10) < power(0.1, c)

"""Which arm is worth its price."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneoff.stats.decide import Bargain, bargains, cheapest, front, highest


def test_unknown_price_is_the_highest():
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

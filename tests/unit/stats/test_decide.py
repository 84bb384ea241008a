"""Winners, price, and what would settle a tie."""

import numpy as np
import pytest

from tuneoff.stats.crossed import Components, components
from tuneoff.stats.decide import Beats, cheapest, finalists, winners
from tuneoff.stats.power import More, settle, smallest_difference, visible


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
    assert visible(Components(100, 1, 0.2, 0, 0)) == pytest.approx(2 * visible(Components(400, 1, 0.2, 0, 0)))

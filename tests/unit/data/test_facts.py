"""Counts and lengths are those of the records, and unknown stays unknown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneoff.data.facts import facts, spread
from tuneoff.data.record import Message, Record


def test_facts_of_a_choice():
    records = [Record(fields={"text": "a b c"}, target="joy", instruction="Which one"),
               Record(fields={"text": "A b  c"}, target="joy", instruction="which one"),
               Record(fields={"text": "a b c"}, target="fear", instruction="Which one"),
               Record(fields={}, turns=(Message("user", "d"),), target="joy", group="g")]  # fmt: skip
    got = facts(records, kind="choice", count_tokens=len)
    assert (got.records, got.groups, got.duplicates, got.contradicting) == (4, 3, 1, 1)
    assert (got.labels, got.majority) == ({"joy": 3, "fear": 1}, 0.75)
    assert (got.input_words.least, got.input_words.most) == (1, 5)
    assert got.input_tokens == got.input_characters
    assert got.answer_characters.mean == pytest.approx(3.25)
    assert got.as_dict()["input_words"]["most"] == 5


def test_facts_without_a_counter_and_of_text():
    got = facts([Record(fields={"text": "a"}, target="b")], kind="text")
    assert got.input_tokens is None
    assert got.answer_tokens is None
    assert got.labels == {}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=300))
def test_spread_is_numpys_nearest_rank(numbers):
    got = spread(numbers)
    assert (got.least, got.most) == (min(numbers), max(numbers))
    assert got.median == np.quantile(numbers, 0.5, method="inverted_cdf")
    assert got.p95 == np.quantile(numbers, 0.95, method="inverted_cdf")

"""Budgets as people write them: read, said back, and refused with what to write instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneoff.core.budget import Budget, parse_budget
from tuneoff.core.errors import ConfigError

times = st.none() | st.integers(1, 10**9).map(lambda thousandths: thousandths / 1000)
tokens = st.none() | st.integers(1, 10**13)


@pytest.mark.parametrize(
    ("text", "seconds", "count"),
    [
        ("20m", 1200, None),
        ("2h", 7200, None),
        ("90s", 90, None),
        ("1h30m", 5400, None),
        ("1h 30m 5s", 5405, None),
        ("0.5h", 1800, None),
        ("1.5 s", 1.5, None),
        ("300k tokens", None, 300_000),
        ("2M tokens", None, 2_000_000),
        ("1.5M tokens", None, 1_500_000),
        ("1 token", None, 1),
        ("20m, 300k tokens", 1200, 300_000),
        (" 300k tokens ,20m ", 1200, 300_000),
        ("", None, None),
    ],
)
def test_what_is_written(text, seconds, count):
    assert parse_budget(text) == Budget(seconds, count)


@given(times, tokens)
def test_said_back_and_read_again(seconds, count):
    budget = Budget(seconds, count)
    assert parse_budget(str(budget)) == budget
    assert bool(budget) == (budget != Budget())


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(5400), "1h30m"),
        (Budget(3600), "1h"),
        (Budget(90), "1m30s"),
        (Budget(0.25), "0.25s"),
        (Budget(tokens=2_000_000), "2M tokens"),
        (Budget(tokens=2_500_000), "2500k tokens"),
        (Budget(1200, 1234), "20m, 1234 tokens"),
    ],
)
def test_said_in_the_largest_units(budget, said):
    assert str(budget) == said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("20", 'give it a unit: "20m" is minutes'),
        ("20 minutes", 'write "20m"'),
        ("2 Hours", 'write "2h"'),
        ("1d", 'write "24h"'),
        ("2days", 'write "48h"'),
        ("300k", 'write "300k tokens"'),
        ("300 thousand tokens", 'write "300k tokens"'),
        ("soon", 'write a time such as "20m"'),
        ("30m1h", "allowed:"),
        ("0s", "a budget of nothing"),
        ("0.2 tokens", "a budget of nothing"),
        ("20m, 1h", "a budget has one limit of seconds"),
        (" , ", "an empty budget"),
        ("-5m", "not a budget: '-5m'"),
        ("nan s", "not a budget"),
        ("20m tokens", "not a budget"),
    ],
)
def test_what_is_no_budget_says_what_to_write(text, says):
    with pytest.raises(ConfigError) as caught:
        parse_budget(text)
    assert says in str(caught.value)
    assert f"budget = {text!r}" in str(caught.value)

"""Batches are fair, alike in length, and the same for the same seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneoff.engine.batches import batches, by_length, epoch_steps

LENGTHS = [(at * 37) % 61 + 5 for at in range(400)]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=90), st.integers(1, 9), st.integers(0, 3), st.integers(0, 3))
def test_every_index_once_in_the_promised_number_of_steps(lengths, size, seed, epoch):
    made = batches(lengths, size, seed, epoch)
    assert sorted(i for batch in made for i in batch) == list(range(len(lengths)))
    assert all(len(batch) <= size for batch in made)
    assert len(made) == epoch_steps(len(lengths), size)


def test_same_seed_same_order_and_each_epoch_another():
    assert batches(LENGTHS, 8, 3, 0) == batches(LENGTHS, 8, 3, 0)
    assert batches(LENGTHS, 8, 3, 0) != batches(LENGTHS, 8, 4, 0)
    assert batches(LENGTHS, 8, 3, 0) != batches(LENGTHS, 8, 3, 1)


def padding(made):
    real = sum(LENGTHS)
    return 1 - real / sum(max(LENGTHS[i] for i in batch) * len(batch) for batch in made)


def test_little_padding_and_no_sorted_order():
    made = batches(LENGTHS, 8, 0, 0)
    assert padding(made) < 0.05
    plain = [list(range(at, at + 8)) for at in range(0, 400, 8)]
    assert padding(plain) > 0.3
    longest = [max(LENGTHS[i] for i in batch) for batch in made]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_scoring_takes_the_longest_first():
    assert by_length([3, 9, 5, 9], 18) == [[1, 3], [2, 0]]
    assert by_length([], 3) == []


def test_scoring_takes_many_short_ones_and_few_long_ones():
    made = by_length(LENGTHS, 200)
    assert sorted(i for batch in made for i in batch) == list(range(400))
    assert max(sum(LENGTHS[i] for i in batch) for batch in made) <= 200
    assert len(made[0]) < len(made[-2])
    assert by_length([500, 1], 200) == [[0], [1]]


@pytest.mark.parametrize(("records", "size", "steps"), [(8, 8, 1), (9, 8, 2), (1, 8, 1), (16, 8, 2)])
def test_steps_of_an_epoch(records, size, steps):
    assert epoch_steps(records, size) == steps

"""Packed rows: what stands where, and back to blocks."""

import torch

from tuneoff.engine.rows import Rows

ROWS = Rows.of([[5, 6, 7], [8], [9, 4]], torch.tensor([7, 5, 6]), "cpu", [[-1, 0, 0], [-1], [1, -1]])


def test_rows_count_on_from_their_first_positions():
    assert ROWS.ids.tolist() == [5, 6, 7, 8, 9, 4]
    assert ROWS.position.tolist() == [7, 8, 9, 5, 6, 7]
    assert ROWS.owner.tolist() == [-1, 0, 0, -1, 1, -1]
    assert ROWS.lengths == (3, 1, 2)
    assert Rows.of([[1, 2], [3]], 4, "cpu").position.tolist() == [4, 5, 4]
    assert Rows.of([[1, 2]], 0, "cpu").owner.tolist() == [-1, -1]


def test_ends_and_index():
    assert ROWS.ends.tolist() == [2, 3, 5]
    assert ROWS.index.tolist() == [[0, 1, 2], [3, -1, -1], [4, 5, -1]]
    assert ROWS.padded(ROWS.ids, 0).tolist() == [[5, 6, 7], [8, 0, 0], [9, 4, 0]]
    assert ROWS.padded(ROWS.owner, -1).tolist() == [[-1, 0, 0], [-1, -1, -1], [1, -1, -1]]


def test_the_same_block_in_every_row():
    rows = Rows.block([50, 51], [0, 0], torch.tensor([3, 9]), [2, 2])
    assert rows.ids.tolist() == [50, 51, 50, 51]
    assert rows.position.tolist() == [3, 3, 9, 9]
    assert rows.owner.tolist() == [2, 2, 2, 2]
    assert rows.lengths == (2, 2)

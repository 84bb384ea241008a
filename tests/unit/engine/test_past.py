"""Pasts are put together and taken apart without loss; masks go by position, reality and window alone."""

import pytest
import torch

from tuneoff.engine.past import Past, attention_masks, stacked

LAYERS, HEADS, WIDTH = 2, 2, 3


def past_of(*positions, first=0):
    """Rows of the given positions (-1: padding); every number is different."""
    position = torch.tensor(positions)
    rows, keys = position.shape
    numbers = torch.arange(first, first + LAYERS * rows * HEADS * keys * WIDTH, dtype=torch.float64)
    block = numbers.view(LAYERS, rows, HEADS, keys, WIDTH)
    return Past(tuple(block), tuple(-block), position.clamp(min=0), position >= 0)


def allowed(masks, row=0):
    return (masks[row, 0] == 0).int().tolist()


def test_next_position_is_behind_the_last_real_key():
    assert past_of([0, 1, 2], [0, -1, -1], [3, 4, -1]).next_position.tolist() == [3, 1, 5]


def test_then_keeps_order_and_select_keeps_rows():
    one, two = past_of([0, 1], [0, -1]), past_of([2], [1], first=500)
    both = one.then(two)
    assert both.position.tolist() == [[0, 1, 2], [0, 0, 1]]
    assert both.real.tolist() == [[True, True, True], [True, False, True]]
    assert torch.equal(both.keys[1][:, :, :2], one.keys[1])
    assert torch.equal(both.values[0][:, :, 2:], two.values[0])
    second = both.select(torch.tensor([1]))
    assert second.rows == 1
    assert torch.equal(second.keys[0][0], both.keys[0][1])


def test_expand_copies_nothing():
    one = past_of([0, 1, 2])
    many = one.expand(5)
    assert many.rows == 5
    assert many.keys[0].data_ptr() == one.keys[0].data_ptr()
    assert torch.equal(many.values[1][4], one.values[1][0])


def test_rows_stacked_again_are_the_rows():
    whole = past_of([0, 1, 2], [0, 1, -1], [0, -1, -1])
    rows = [whole.row(at) for at in range(3)]
    assert [row.position.shape[1] for row in rows] == [3, 2, 1]
    again = stacked(rows)
    assert torch.equal(again.real, whole.real)
    for layer in range(LAYERS):
        seen = whole.real[:, None, :, None]
        assert torch.equal(again.keys[layer] * seen, whole.keys[layer] * seen)
        assert torch.equal(again.values[layer] * seen, whole.values[layer] * seen)


def test_a_kept_row_has_its_own_memory_and_no_graph():
    whole = past_of([0, 1])
    whole.keys[0].requires_grad_()
    row = whole.row(0)
    assert not row.keys[0].requires_grad
    assert row.keys[0].data_ptr() != whole.keys[0].data_ptr()


def test_a_models_cache_grows_a_copy():
    past = past_of([0, 1])
    before = past.keys[0].clone()
    cache = past.as_cache()
    assert cache.get_seq_length() == 2
    keys, _ = cache.update(torch.ones(1, HEADS, 1, WIDTH), torch.ones(1, HEADS, 1, WIDTH), 0)
    assert keys.shape[2] == 3
    assert torch.equal(past.keys[0], before)


def test_causal_mask_of_a_whole_row():
    position = torch.arange(4)[None]
    masks = attention_masks({"": None}, position, torch.ones(1, 4, dtype=torch.bool), None, torch.float32)
    assert masks.shape == (1, 1, 4, 4)
    assert allowed(masks) == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]


def test_padding_is_seen_by_itself_alone_wherever_it_stands():
    real = torch.tensor([[True, False, True]])
    position = torch.tensor([[0, 0, 1]])
    masks = attention_masks({"": None}, position, real, None, torch.float32)
    assert allowed(masks) == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]


def test_a_window_measures_true_distance_across_padding_in_memory():
    past = past_of([0, 1, 2, -1, -1])
    position = torch.tensor([[3, 4]])
    masks = attention_masks({"": 3}, position, torch.ones(1, 2, dtype=torch.bool), past, torch.float32)
    assert allowed(masks) == [[0, 1, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1, 1]]


def test_one_mask_per_layer_type():
    position = torch.arange(3)[None]
    windows = {"full_attention": None, "sliding_attention": 2}
    masks = attention_masks(windows, position, torch.ones(1, 3, dtype=torch.bool), None, torch.float64)
    assert allowed(masks["full_attention"])[2] == [1, 1, 1]
    assert allowed(masks["sliding_attention"])[2] == [0, 1, 1]
    assert masks["sliding_attention"].dtype == torch.float64
    assert masks["sliding_attention"].min() == torch.finfo(torch.float64).min


def test_branches_see_the_past_and_their_own_ancestors():
    past = past_of([0, 1])
    position = torch.tensor([[2, 2, 3]])
    branch = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 0, 1]]).bool()
    masks = attention_masks({"": None}, position, torch.ones(1, 3, dtype=torch.bool), past, torch.float32, branch)
    assert allowed(masks) == [[1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 1, 1, 0, 1]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_masks_stay_finite_in_half_precision(dtype):
    position = torch.arange(2)[None]
    masks = attention_masks({"": None}, position, torch.ones(1, 2, dtype=torch.bool), None, dtype)
    assert torch.isfinite(masks).all()

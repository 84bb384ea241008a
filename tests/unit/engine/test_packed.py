"""Packed rows equal the masked path: hidden states, kept keys and values, and gradients, whatever stands before.

Tolerances as in test_loss.py: 1e-10 in value, 1e-5 of the largest entry in gradient (float64). The masked path is the
same `run` of a base that does not pack. Controls: a past dropped, rows that see each other, one window for another.
"""

import pytest
import torch

from tiny_arms import made_adapters, tiny_base
from tuneoff.engine import attach, attention, folds, packed
from tuneoff.engine.attach import Worn
from tuneoff.engine.capabilities import capabilities
from tuneoff.engine.folds import folds as folded
from tuneoff.engine.past import attention_masks
from tuneoff.engine.rows import Rows
from tuneoff.models.tiny import ARCHITECTURES

VALUE, GRADIENT, WRONG = 1e-10, 1e-5, 1e-3
WINDOWED = [("mistral", 4), ("gemma3", 5), ("qwen3", 4), ("qwen2", 7)]
TEXTS = [[20, 21, 22, 23, 24, 25], [30], [40, 41, 42, 43, 44], [50, 51]]
TREE = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 1]]).bool()


def every_way(base, adapters, is_packed):
    """Hidden states of rows alone, behind a shared start, behind pasts of their own, a tree and a token below these."""
    device = base.device
    with Worn(base, adapters, packed=is_packed) as worn:
        assert worn.packed == is_packed
        first = worn.first_past()
        offset = 0 if first is None else first.position.shape[1]
        before = worn.virtual_ids("before")
        start_rows = Rows.of([[0] * len(before) + [9, 8, 7]], offset, device, [before + [-1] * 3])
        alone, own = worn.run(start_rows, first)
        start = own if first is None else first.then(own)
        rows = Rows.of(TEXTS, int(start.next_position[0]), device)
        behind, texts = worn.run(rows, start)
        past = texts.behind(start)
        tree, _ = worn.run(Rows.block([60, 61, 62, 63], [0, 0, 1, 2], past.next_position, None), past, TREE)
        one, written = worn.run(Rows.block([70], [0], past.next_position, None), past)
        some = torch.tensor([0, 2])
        seen = written.select(some).behind(past.select(some))
        next_one, _ = worn.run(Rows.block([71], [0], seen.next_position, None), seen)
    return {"alone": alone, "behind": behind, "tree": tree, "one": one, "next": next_one}, past


def assert_equal(base, adapters, weights=()):
    learned = [p for adapter in adapters for p in adapter.parameters()] or list(weights)
    (fast, fast_past), (plain, plain_past) = (every_way(base, adapters, way) for way in (True, False))
    for name in plain:
        assert (fast[name] - plain[name]).abs().max() < VALUE, name
    real = plain_past.real
    assert torch.equal(fast_past.real, real)
    assert torch.equal(fast_past.position * real, plain_past.position * real)
    for ours, theirs in zip((*fast_past.keys, *fast_past.values), (*plain_past.keys, *plain_past.values)):
        assert ((ours - theirs) * real[:, None, :, None]).abs().max() < VALUE
    if learned:
        gen = torch.Generator().manual_seed(0)
        sent = {name: torch.randn(x.shape, generator=gen, dtype=x.dtype) for name, x in plain.items()}
        one, other = (
            torch.autograd.grad(sum((x * sent[name]).sum() for name, x in states.items()), learned)
            for states in (fast, plain)
        )
        largest = max(float(g.abs().max()) for g in other)
        assert largest > 1e-2
        assert max(float((a - b).abs().max()) for a, b in zip(one, other)) < GRADIENT * largest


@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix", "prefix + lora"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_packed_equals_masked(architecture, kind):
    base = tiny_base(architecture)
    assert_equal(base, made_adapters(base, kind))


@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix"])
@pytest.mark.parametrize(("architecture", "window"), WINDOWED)
def test_packed_equals_masked_under_windows(architecture, window, kind):
    base = tiny_base(architecture, window=window)
    assert_equal(base, made_adapters(base, kind))


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
def test_packed_equals_masked_when_all_weights_learn(architecture):
    base = tiny_base(architecture)
    body = [p for p in base.trunk.parameters()]
    for p in body:
        p.requires_grad_()
    try:
        assert_equal(base, [], body)
    finally:
        base.net.requires_grad_(False)


@pytest.mark.parametrize(("kept", "near", "length"), [(0, 64, 256), (1 << 16, 0, 256), (1 << 16, 64, 2), (0, 0, 3)])
@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_long_rows_and_long_starts_too(architecture, kept, near, length, monkeypatch):
    """What is kept, joined or cut by size, tried on rows that are short."""
    monkeypatch.setattr(attention, "KEPT_SCORES", kept)
    monkeypatch.setattr(attention, "NEAR_KEYS", near)
    monkeypatch.setattr(folds, "SLICE", length)
    base = tiny_base(architecture, window=4 if architecture == "gemma3" else None)
    assert_equal(base, made_adapters(base, "lora + soft_prompt"))


@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix + lora"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.usefixtures("one_kernel")
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_one_kernel_equals_masked(architecture, kind):
    base = tiny_base(architecture)
    assert_equal(base, made_adapters(base, kind))


@pytest.mark.parametrize(("architecture", "window"), WINDOWED)
@pytest.mark.usefixtures("one_kernel")
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_one_kernel_equals_masked_under_windows(architecture, window):
    base = tiny_base(architecture, window=window)
    assert_equal(base, made_adapters(base, "prefix + lora"))


def test_rows_of_alike_lengths_stand_together():
    lengths = (48, 12, 47, 45, 11)
    rows = Rows.of([[1] * n for n in lengths], 0, "cpu")
    mask = attention_masks({"": None}, torch.arange(48)[None], torch.ones(1, 48).bool(), None, torch.float32)
    made = folded(rows, {"": mask}, 0)
    assert [(fold.rows.tolist(), fold.queries.shape[1]) for fold in made] == [([0, 2, 3], 48), ([1, 4], 12)]
    assert made[1].put.tolist()[1] == [*range(152, 163), 163]  # the padding goes to the place behind all
    assert [fold.whole for fold in made] == [False, False]
    even = folded(Rows.of([[1, 1], [1, 1]], 0, "cpu"), {"": mask}, 0)
    assert [(fold.rows, fold.whole, fold.real) for fold in even] == [(None, True, None)]


def test_a_slice_sees_no_key_behind_its_end(monkeypatch):
    monkeypatch.setattr(folds, "SLICE", 4)
    rows = Rows.of([[1] * 10], 3, "cpu")
    mask = torch.zeros(1, 1, 10, 13)
    assert [(f.queries.shape[1], f.keys.shape[1]) for f in folded(rows, {"": mask}, 3)] == [(4, 4), (4, 8), (2, 10)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_packs(architecture):
    with Worn(tiny_base(architecture)) as worn:
        assert worn.packed


def test_a_model_that_asks_for_more_takes_the_masked_path():
    """Its attention has sinks, which packed rows do not say (and this library's masked attention leaves out)."""
    base = tiny_base("llama", seed=31)
    modules = [module for module in base.net.modules() if type(module).__name__ == "LlamaAttention"]
    for module in modules:
        module.forward = with_sinks(module.forward)
    with Worn(base) as worn:
        assert not worn.packed
        states, past = worn.run(Rows.of(TEXTS, 0, base.device))
    assert states.shape == (14, base.width)
    assert past.position.shape == (4, 6)


def with_sinks(forward):
    def asking(*args, **asked):
        return forward(*args, s_aux=torch.zeros(4), **asked)

    return asking


def test_a_model_whose_packed_states_differ_takes_the_masked_path():
    base = tiny_base("llama", seed=41)
    found = capabilities(base, lambda: lambda path: torch.ones(5, 4) * (1 + (path == "packed")))
    assert not any(found)
    with Worn(base) as worn:
        assert not worn.packed


def test_virtual_positions_at_other_sites_take_the_masked_path(monkeypatch):
    base = tiny_base()
    (adapter,) = made_adapters(base, "soft_prompt")
    monkeypatch.setattr(type(adapter.method), "roles", ("embed", "norm"))
    with Worn(base, [adapter]) as worn:
        assert not worn.packed


def test_the_models_own_attention_comes_back():
    base = tiny_base()
    before = base.config._attn_implementation
    with torch.no_grad(), Worn(base) as worn:
        worn.run(Rows.of(TEXTS, 0, base.device))
        with pytest.raises(IndexError):
            worn.run(Rows.of([[100_000]], 0, base.device))
    assert base.config._attn_implementation == before == "sdpa"


# What must not be equal: each of these is a mistake that packing can make.


def difference(base, change, monkeypatch):
    with torch.no_grad():
        right, _ = every_way(base, [], True)
        change(monkeypatch)
        wrong, _ = every_way(base, [], True)
    return {name: float((right[name] - wrong[name]).abs().max()) for name in right}


def test_control_a_past_dropped(monkeypatch):
    def drop(patch):
        whole = attach.run_packed

        def blind(base, x, rows, past, masks, **more):
            return whole(base, x, rows, None, own(masks, rows), **more)

        patch.setattr(attach, "run_packed", blind)

    def own(masks, rows):
        return {kind: mask[..., mask.shape[-1] - rows.longest :] for kind, mask in masks.items()}

    apart = difference(tiny_base("qwen3"), drop, monkeypatch)
    assert apart["alone"] < VALUE
    assert min(apart[name] for name in ("behind", "tree", "one", "next")) > WRONG


def test_control_one_long_row_that_sees_all():
    base = tiny_base("llama")
    rows = Rows.of(TEXTS, 0, base.device)
    mask = torch.full((14, 14), torch.finfo(torch.float64).min, dtype=torch.float64).triu(1)[None, None]
    with torch.no_grad(), Worn(base) as worn:
        right = worn.run(rows, keep=False)[0]
        together = Rows(rows.ids, rows.position, rows.owner, (14,))
        wrong = packed.run_packed(base, base.net.get_input_embeddings()(rows.ids)[None], together, None, {"": mask})[0]
    assert (right - wrong)[:6].abs().max() < VALUE  # the first row sees nothing before it either way
    assert (right - wrong)[6:].abs().max() > WRONG


def test_control_cousins_that_see_each_other(monkeypatch):
    masks = attach.attention_masks
    apart = difference(
        tiny_base("mistral", window=4),
        lambda patch: patch.setattr(attach, "attention_masks", lambda *args: masks(*args[:5], None)),
        monkeypatch,
    )
    assert apart["behind"] < VALUE
    assert apart["tree"] > WRONG


def test_control_another_window(monkeypatch):
    base = tiny_base("gemma3", window=5)
    apart = difference(base, lambda patch: patch.setitem(base.windows, "sliding_attention", None), monkeypatch)
    assert apart["behind"] > WRONG


@pytest.mark.parametrize("asked", [{}, {"kwargs": {"seen": 3}}, {"cache_kwargs": {"cos": None}}])
def test_the_cache_takes_whatever_a_release_hands_over(asked):
    """transformers 5.0 hands over `cache_kwargs`, 5.23 nothing, 5.24 `kwargs`; by place or by name."""
    keys, values = torch.ones(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)
    made = packed.Pass(None, [], [""], 0)
    assert made.update(keys, values, 0, *asked.values()) == (keys, values)
    assert made.update(keys, values, layer_idx=1, **asked) == (keys, values)
    assert (made.layer, sorted(made.made)) == (1, [0, 1])

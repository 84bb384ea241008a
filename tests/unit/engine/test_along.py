"""A start in the pass of the rows behind it gives the loss and the gradient of the plain path.

Tolerances as in test_loss.py: 1e-10 in value (float64), 1e-5 of the largest entry in gradient. The controls, rows that
do not see their start and a start that hears nothing back, lie far above both.
"""

import pytest
import torch

from tiny_arms import KINDS, CountingCache, contexts_of, made_adapters, short_rows, tiny_base
from tuneoff.engine import attach, attention, folds
from tuneoff.engine.attach import Worn
from tuneoff.engine.loss import plain_loss, step_loss
from tuneoff.models.tiny import ARCHITECTURES

VALUE, GRADIENT, WRONG = 1e-10, 1e-5, 1e-3


def differences(base, adapters, weights=None):
    """By how much value and gradient differ from the plain path: absolute, and of the largest entry."""
    learned = weights or [p for adapter in adapters for p in adapter.parameters()]
    with Worn(base, adapters, text_changed=weights is not None) as worn:
        contexts = contexts_of(worn, short_rows())
        assert contexts.starts_along
        losses = [step_loss(contexts, short_rows()), plain_loss(worn, short_rows())]
    values = [loss.per_record.detach() for loss in losses]
    gradients = [torch.autograd.grad(loss.per_record.sum(), learned) for loss in losses]
    largest = max(float(g.abs().max()) for g in gradients[1])
    assert largest > 1e-2
    apart = max(float((a - b).abs().max()) for a, b in zip(*gradients))
    return float((values[0] - values[1]).abs().max()), apart / largest


def assert_plain(*given):
    value, gradient = differences(*given)
    assert value < VALUE
    assert gradient < GRADIENT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_along_equals_plain(architecture, kind):
    base = tiny_base(architecture)
    assert_plain(base, made_adapters(base, kind))


@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix + lora"])
@pytest.mark.parametrize(("architecture", "window"), [("mistral", 4), ("gemma3", 5), ("qwen3", 4)])
def test_under_windows(architecture, window, kind):
    base = tiny_base(architecture, window=window)
    assert_plain(base, made_adapters(base, kind))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_when_all_weights_learn(architecture):
    base = tiny_base(architecture)
    weights = [p.requires_grad_() for p in base.net.parameters()]
    try:
        assert_plain(base, [], weights)
    finally:
        base.net.requires_grad_(False)


@pytest.mark.parametrize(("kept", "near", "length"), [(0, 64, 256), (1 << 16, 0, 256), (1 << 16, 64, 2), (0, 0, 3)])
def test_long_rows_and_long_starts_too(kept, near, length, monkeypatch):
    """What is kept, joined or cut by size, tried on rows that are short."""
    monkeypatch.setattr(attention, "KEPT_SCORES", kept)
    monkeypatch.setattr(attention, "NEAR_KEYS", near)
    monkeypatch.setattr(folds, "SLICE", length)
    base = tiny_base("gemma3", window=4)
    assert_plain(base, made_adapters(base, "prefix + lora"))


@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix + lora", "lora + soft_prompt_after"])
@pytest.mark.parametrize(("architecture", "window"), [("llama", None), ("gpt2", None), ("gemma3", 5)])
@pytest.mark.usefixtures("one_kernel")
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_in_one_kernel(architecture, window, kind):
    base = tiny_base(architecture, window=window)
    assert_plain(base, made_adapters(base, kind))


def test_the_start_is_run_in_the_same_pass(monkeypatch):
    base, passes = tiny_base(), []
    with Worn(base, made_adapters(base, "lora")) as worn:
        contexts = contexts_of(worn, short_rows())
        run = attach.run_packed
        monkeypatch.setattr(attach, "run_packed", lambda *given, **more: (passes.append(given), run(*given, **more))[1])
        step_loss(contexts, short_rows())
    assert len(passes) == 1


def test_not_where_it_is_kept_or_nothing_can_be_packed():
    base = tiny_base()
    with Worn(base, made_adapters(base, "soft_prompt_after")) as worn:
        assert not contexts_of(worn, short_rows(), CountingCache()).starts_along
        assert contexts_of(worn, short_rows()).starts_along
    with Worn(base, made_adapters(base, "lora"), packed=False) as worn:
        contexts = contexts_of(worn, short_rows())
        assert not contexts.starts_along
        loss = step_loss(contexts, short_rows()).per_record
        assert (loss - plain_loss(worn, short_rows()).per_record).abs().max() < VALUE


# What must not be equal: each of these is a mistake that a start in the same pass can make.


def test_control_rows_that_do_not_see_their_start(monkeypatch):
    cut = folds.folds_behind

    def blind(rows, masks, seen, starts):
        lowest = torch.finfo(next(iter(masks.values())).dtype).min
        hidden = {kind: mask.clone() for kind, mask in masks.items()}
        for mask in hidden.values():
            mask[..., seen : mask.shape[-1] - max(rows.lengths[1:])] = lowest
        return cut(rows, hidden, seen, starts)

    monkeypatch.setattr(attention, "folds_behind", blind)
    base = tiny_base()
    value, _ = differences(base, made_adapters(base, "lora"))
    assert value > WRONG


def test_control_a_start_that_hears_nothing_back(monkeypatch):
    add = attention._add_at

    def deaf(grad, at, x):
        if at.tolist() != [[0, 1, 2]]:
            add(grad, at, x)

    monkeypatch.setattr(attention, "_add_at", deaf)
    monkeypatch.setattr(folds, "ALIKE", 0.0)  # one fold for all that stand behind
    base = tiny_base()
    value, gradient = differences(base, made_adapters(base, "lora"))
    assert value < VALUE
    assert gradient > WRONG


def test_control_keys_of_a_place_behind_the_start(monkeypatch):
    cut = folds.folds_behind

    def shifted(*given):
        made, places = cut(*given)
        return made, places + 1

    monkeypatch.setattr(attention, "folds_behind", shifted)
    base = tiny_base()
    assert differences(base, made_adapters(base, "lora"))[0] > WRONG

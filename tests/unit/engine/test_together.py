"""Arms in one pass equal the same arms one by one, in value and in gradient.

Tolerances as in test_loss.py: 1e-10 in value (float64), 1e-5 of the largest entry in gradient. The controls, an arm
that wears its neighbour's adapters or reads its neighbour's rows, lie far above both.
"""

import pytest
import torch

from tiny_arms import CountingCache, contexts_of, made_adapter, made_adapters, short_rows, tiny_base
from tuneoff.engine.attach import Worn
from tuneoff.engine.loss import answer_loss
from tuneoff.engine.together import Together, losses_together

VALUE, GRADIENT, WRONG = 1e-10, 1e-5, 1e-3
MIXED = ("lora", "soft_prompt", "prefix", "ia3", "lora + soft_prompt", "norm_tuning", "bitfit", "dora")


def learned(adapters):
    return [p for adapter in adapters for p in adapter.parameters()]


def batches(count):
    """Other records for each arm, and more of them."""
    rows = short_rows()
    return [[rows[(arm + at) % 3] for at in range(1 + arm % 3)] for arm in range(count)]


def alone(base, adapters, batch, cache=None):
    with Worn(base, adapters) as worn:
        contexts = contexts_of(worn, short_rows(), cache)
        loss = answer_loss(contexts, contexts.start(), batch).per_record
    return loss.detach(), torch.autograd.grad(loss.sum(), learned(adapters))


def together(base, arms, own, cache=None):
    worn = [Worn(base, adapters) for adapters in arms]
    with Together(worn) as crowd:
        losses = losses_together(crowd, [contexts_of(each, short_rows(), cache) for each in worn], own)
        total = sum(loss.per_record.sum() for loss in losses)
        flat = iter(torch.autograd.grad(total, [p for adapters in arms for p in learned(adapters)]))
    gradients = [[next(flat) for _ in learned(adapters)] for adapters in arms]
    return [loss.per_record.detach() for loss in losses], gradients


def assert_as_alone(base, arms, own, cache=None):
    values, gradients = together(base, arms, own, cache)
    for adapters, batch, value, gradient in zip(arms, own, values, gradients):
        wanted, wanted_gradient = alone(base, adapters, batch, cache)
        assert (value - wanted).abs().max() < VALUE
        largest = max(float(g.abs().max()) for g in wanted_gradient)
        assert largest > 1e-2
        assert max(float((a - b).abs().max()) for a, b in zip(gradient, wanted_gradient)) < GRADIENT * largest


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma3", "gpt2", "gpt_neox", "opt", "phi", "mistral"])
def test_arms_of_all_forms_in_one_pass(architecture):
    base = tiny_base(architecture)
    arms = [made_adapters(base, kind) for kind in MIXED]
    assert_as_alone(base, arms, batches(len(arms)))


@pytest.mark.parametrize(("architecture", "window"), [("mistral", 4), ("gemma3", 5)])
def test_under_windows(architecture, window):
    base = tiny_base(architecture, window=window)
    arms = [made_adapters(base, kind) for kind in ("soft_prompt", "lora", "prefix")]
    assert_as_alone(base, arms, batches(3))


@pytest.mark.parametrize(("architecture", "window"), [("llama", None), ("gemma3", 5)])
@pytest.mark.usefixtures("one_kernel")
@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_in_one_kernel(architecture, window):
    base = tiny_base(architecture, window=window)
    arms = [made_adapters(base, kind) for kind in MIXED]
    assert_as_alone(base, arms, batches(len(arms)))


@pytest.mark.parametrize("name", ["lora", "soft_prompt", "prefix"])
def test_arms_of_one_method_with_other_numbers(name):
    base = tiny_base()
    arms = [[made_adapter(base, name, seed=seed)] for seed in range(4)]
    assert_as_alone(base, arms, batches(4))


def test_soft_prompts_of_unequal_lengths():
    base = tiny_base()
    arms = [[made_adapter(base, "soft_prompt", seed=length, length=length)] for length in (1, 4, 2)]
    assert_as_alone(base, arms, batches(3))


def test_behind_kept_contexts_that_all_arms_share():
    base, cache = tiny_base(), CountingCache()
    arms = [[made_adapter(base, "soft_prompt_after", seed=length, length=length)] for length in (3, 1, 2)]
    assert_as_alone(base, arms, batches(3), cache)
    assert cache.hits > cache.misses


def test_an_arm_does_not_depend_on_its_neighbours():
    base = tiny_base()
    arms = [[made_adapter(base, "lora", seed=seed)] for seed in range(3)]
    own = batches(3)
    first, gradient = together(base, arms, own)
    arms[1] = [made_adapter(base, "soft_prompt", nudge=5.0, seed=9)]
    again, gradient_again = together(base, arms, [own[0], own[0] * 5, own[2]])
    assert (first[0] - again[0]).abs().max() < VALUE
    assert max(float((a - b).abs().max()) for a, b in zip(gradient[2], gradient_again[2])) < 1e-8


def test_controls_lie_far_outside():
    base = tiny_base()
    arms = [[made_adapter(base, "lora", seed=seed)] for seed in range(2)]
    own = batches(2)
    (value, _), _ = together(base, arms, own)
    (swapped, _), _ = together(base, arms[::-1], own)
    assert (value - swapped).abs().max() > WRONG, "the neighbour's adapters"
    (read, _), _ = together(base, arms, [own[1][:1], own[0]])
    assert (value - read).abs().max() > WRONG, "the neighbour's rows"


def test_hooks_are_gone_afterwards():
    base = tiny_base()
    arms = [[made_adapter(base, "lora", seed=seed)] for seed in range(2)]
    with Together([Worn(base, adapters) for adapters in arms]):
        assert any(module._forward_hooks for module in base.net.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in base.net.modules())

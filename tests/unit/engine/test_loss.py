"""The fast loss equals the plain one, in value and in gradient, on every architecture and with every adapter.

Tolerances: values agree to 1e-10 (float64; each position runs through the same float32 roundings inside the norms
on both paths). Gradients agree to 1e-5 of their largest entry: there the two paths add in another order before the
norms round to float32. What a wrong mask or a lost prefix does lies far above both (the controls below).
"""

import pytest
import torch

from tiny_arms import KINDS, CountingCache, contexts_of, encoded, made_adapter, made_adapters, short_rows, tiny_base
from tuneoff.engine import attach
from tuneoff.engine.attach import Worn
from tuneoff.engine.context import Contexts
from tuneoff.engine.loss import answer_loss, plain_loss, wide
from tuneoff.engine.past import Past, attention_masks
from tuneoff.models.tiny import ARCHITECTURES

VALUE, GRADIENT, WRONG = 1e-10, 1e-5, 1e-3
WINDOWED = [("mistral", 4), ("mistral", 8), ("gemma3", 5), ("qwen3", 4), ("qwen2", 7)]


def both(base, adapters, examples, cache=None, weights=None):
    """Values and gradients of the fast path and of the plain one, of the adapters' tensors or of given weights."""
    learned = weights or [p for adapter in adapters for p in adapter.parameters()]
    with Worn(base, adapters, text_changed=weights is not None) as worn:
        contexts = contexts_of(worn, examples, cache)
        fast = answer_loss(contexts, contexts.start(), examples)
        plain = plain_loss(worn, examples)
    return fast, plain, *(torch.autograd.grad(loss.per_record.sum(), learned) for loss in (fast, plain))


def assert_equal(fast, plain, fast_gradient, plain_gradient):
    assert fast.tokens == plain.tokens
    assert (fast.per_record - plain.per_record).abs().max() < VALUE
    largest = max(float(g.abs().max()) for g in plain_gradient)
    assert largest > 1e-2
    assert max(float((a - b).abs().max()) for a, b in zip(fast_gradient, plain_gradient)) < GRADIENT * largest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fast_equals_plain(architecture, kind):
    base = tiny_base(architecture)
    assert_equal(*both(base, made_adapters(base, kind), short_rows()))


@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix", "lora + soft_prompt_after"])
@pytest.mark.parametrize(("architecture", "window"), WINDOWED)
def test_fast_equals_plain_under_windows(architecture, window, kind):
    base = tiny_base(architecture, window=window)
    assert_equal(*both(base, made_adapters(base, kind), short_rows()))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fast_equals_plain_when_all_weights_learn(architecture):
    base = tiny_base(architecture)
    weights = [p.requires_grad_() for p in base.net.parameters()]
    try:
        assert_equal(*both(base, [], short_rows(), weights=weights))
    finally:
        base.net.requires_grad_(False)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fast_equals_plain_behind_kept_contexts(architecture):
    base, cache = tiny_base(architecture), CountingCache()
    adapters = made_adapters(base, "soft_prompt_after")
    first = both(base, adapters, short_rows(), cache)
    assert_equal(*first)
    again = both(base, adapters, short_rows()[::-1], cache)
    assert_equal(*again)
    assert cache.hits >= 3
    assert again[0].computed < both(base, adapters, short_rows())[0].computed


def test_rendered_records_too():
    base = tiny_base("gemma3")
    assert_equal(*both(base, made_adapters(base, "lora + soft_prompt"), encoded(base)))


def test_a_record_has_the_same_loss_in_any_company():
    base, examples = tiny_base("mistral"), short_rows()
    with Worn(base, made_adapters(base, "soft_prompt")) as worn:
        contexts = contexts_of(worn, examples)
        start = contexts.start()
        together = answer_loss(contexts, start, examples).per_record
        alone = torch.cat([answer_loss(contexts, start, [example]).per_record for example in examples])
    assert (together - alone).abs().max() < VALUE


def test_counts_are_of_trained_tokens_and_of_positions_run():
    base, examples = tiny_base(), short_rows()
    with Worn(base, made_adapters(base, "soft_prompt_after")) as worn:
        contexts = contexts_of(worn, examples)
        loss = answer_loss(contexts, contexts.start(), examples)
    assert loss.tokens == sum(len(example.ids.answer) for example in examples) == 9
    own = sum(len(example.ids.prompt) - 3 + len(example.ids.answer) - 1 for example in examples)
    assert loss.computed == own + 3 * 3


def test_half_precision_is_widened_before_the_log():
    assert wide(torch.zeros(2, dtype=torch.bfloat16)).dtype == torch.float32
    assert wide(torch.zeros(2, dtype=torch.float64)).dtype == torch.float64


# What must not be equal: each of these is a mistake that a fast path can make.


def kept_loss(base, adapters, examples, change_past=lambda past: past):
    """The loss behind kept contexts, after something was done to them."""
    with Worn(base, adapters) as worn:
        contexts = contexts_of(worn, examples, CountingCache())
        run = contexts.run
        contexts.run = lambda start, prompts: (change_past(run(start, prompts)[0]), None)
        fast = answer_loss(contexts, contexts.start(), examples).per_record
        return float((fast - plain_loss(worn, examples).per_record).detach().abs().max())


@pytest.mark.parametrize("architecture", ["llama", "mistral", "gemma3"])
def test_control_padding_taken_for_text(architecture, monkeypatch):
    def by_place_in_memory(windows, position, real, past, dtype, branch=None):
        seen = None if past is None else past.position.shape[1]
        if past is not None:
            index = torch.arange(seen).expand_as(past.position)
            past = Past(past.keys, past.values, index, torch.ones_like(past.real))
        index = (seen or 0) + torch.arange(position.shape[1]).expand_as(position)
        return attention_masks(windows, index, torch.ones_like(real), past, dtype, branch)

    base = tiny_base(architecture)
    adapters = made_adapters(base, "soft_prompt_after")
    assert kept_loss(base, adapters, short_rows()) < VALUE
    fast = {}
    for name, masks in (("right", attention_masks), ("wrong", by_place_in_memory)):
        monkeypatch.setattr(attach, "attention_masks", masks)
        with Worn(base, adapters) as worn:
            contexts = contexts_of(worn, short_rows(), CountingCache())
            fast[name] = answer_loss(contexts, contexts.start(), short_rows()).per_record
    apart = (fast["right"] - fast["wrong"]).abs()
    assert apart[1] < VALUE  # the longest row has no padding
    assert apart[0] > WRONG


def test_control_a_window_cropped_in_memory():
    base = tiny_base("mistral", window=4)
    adapters = made_adapters(base, "soft_prompt_after")

    def cropped(past):
        past = past.whole()
        return Past(
            tuple(k[:, :, -4:] for k in past.keys),
            tuple(v[:, :, -4:] for v in past.values),
            past.position[:, -4:],
            past.real[:, -4:],
        )

    assert kept_loss(base, adapters, short_rows()) < VALUE
    assert kept_loss(base, adapters, short_rows()[1:2], cropped) < VALUE  # alone, nothing is padded
    assert kept_loss(base, adapters, short_rows(), cropped) > WRONG


@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix"])
def test_control_the_shared_start_dropped(kind):
    base, examples = tiny_base("qwen3"), short_rows()
    with Worn(base, made_adapters(base, kind)) as worn:
        dropped = answer_loss(contexts_of(worn, examples), None, examples).per_record
        assert (dropped - plain_loss(worn, examples).per_record).abs().max() > WRONG


def test_control_kept_contexts_under_an_adapter_that_acts_on_the_text():
    base, examples, cache = tiny_base(), short_rows(), CountingCache()
    after = made_adapter(base, "soft_prompt_after")
    with Worn(base, [after]) as worn:
        contexts = contexts_of(worn, examples, cache)
        answer_loss(contexts, contexts.start(), examples)
    with Worn(base, [made_adapter(base, "lora"), after]) as worn:
        assert not worn.text_is_frozen
        refused = contexts_of(worn, examples, cache)
        assert refused.cache is None
        forced = contexts_of(worn, examples, cache)
        forced.cache = cache
        plain = plain_loss(worn, examples).per_record
        fast = answer_loss(refused, refused.start(), examples).per_record
        wrong = answer_loss(forced, forced.start(), examples).per_record
    assert (fast - plain).abs().max() < VALUE
    assert (wrong - plain).abs().max() > WRONG


def test_weights_that_learn_keep_no_context():
    with Worn(tiny_base(), [], text_changed=True) as worn:
        assert Contexts(worn, (1,), CountingCache()).cache is None
    with Worn(tiny_base()) as worn:
        assert Contexts(worn, (1,), CountingCache()).cache is not None

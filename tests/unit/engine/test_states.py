"""Upper layers alone, on states that were kept, equal the whole model: loss, gradient, scores.

Tolerances as in test_loss.py: 1e-10 in value (float64), 1e-5 of the largest entry in gradient. Controls: a lower layer
that learns keeps nothing; states of another layer, and of a base that has changed since, are far off.
"""

import pytest
import torch

from tiny_arms import CountingCache, contexts_of, made_adapters, short_rows
from tuneoff.engine import attach
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.context import Contexts
from tuneoff.engine.generate import generate
from tuneoff.engine.loss import answer_loss, plain_loss
from tuneoff.engine.packed import run_below
from tuneoff.engine.score import score_choices
from tuneoff.methods.full import Full
from tuneoff.models.base import Base
from tuneoff.models.tiny import ARCHITECTURES, tiny_model

VALUE, GRADIENT, WRONG = 1e-10, 1e-5, 1e-3
PROMPTS = [example.ids.prompt for example in short_rows()]
ANSWERS = [(50, 4), (50, 51, 4), (60, 4), (61, 62, 4)]


@pytest.fixture
def base(request):
    """Three layers, of which the upper ones are free to learn; the windowed ones have a window of 4."""
    architecture = getattr(request, "param", "llama")
    windowed = {"window": 4} if architecture in ("gemma3", "mistral") else {}
    net, tokenizer = tiny_model(architecture, layers=3, dtype=torch.float64, **windowed)
    return Base(net, tokenizer, fingerprint=architecture)


def upper(base, layers=1):
    """Weights of the upper layers, free to learn."""
    names = Full(top_layers=layers).trainable(base.net)
    weights = {name: p for name, p in base.net.named_parameters() if name in names}
    for p in weights.values():
        p.requires_grad_()
    return weights


def worn_with(base, weights, **options):
    return Worn(base, text_changed=True, from_layer=base.lowest_layer(weights), **options)


def loss_and_gradient(worn, weights, cache, examples=None, fixed=False):
    examples = examples or short_rows()
    with worn:
        contexts = Contexts(worn, examples[0].ids.prompt[:3], cache, fixed=fixed)
        loss = answer_loss(contexts, contexts.start(), examples).per_record
        return loss.detach(), torch.autograd.grad(loss.sum(), list(weights.values()), allow_unused=True)


def assert_equal(ours, theirs):
    assert (ours[0] - theirs[0]).abs().max() < VALUE
    pairs = [(a, b) for a, b in zip(ours[1], theirs[1]) if b is not None]
    largest = max(float(b.abs().max()) for _, b in pairs)
    assert largest > 1e-2
    assert max(float((a - b).abs().max()) for a, b in pairs) < GRADIENT * largest


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("base", ARCHITECTURES, indirect=True)
def test_kept_states_equal_the_whole_model(base, layers):
    weights, cache = upper(base, layers), CountingCache()
    worn = worn_with(base, weights)
    assert worn.lowest_layer == 3 - layers
    with worn:
        loss = plain_loss(worn, short_rows()).per_record
        plain = loss.detach(), torch.autograd.grad(loss.sum(), list(weights.values()), allow_unused=True)
    for fixed in (False, True):
        first = loss_and_gradient(worn_with(base, weights), weights, cache, fixed=fixed)
        assert_equal(first, plain)
        misses = cache.misses
        again = loss_and_gradient(worn_with(base, weights), weights, cache, fixed=fixed)
        assert cache.misses == misses, "all was kept"
        assert_equal(again, plain)
    assert cache.hits > 0


@pytest.mark.parametrize("base", ["llama", "gemma3", "gpt2", "gpt_neox", "mistral"], indirect=True)
def test_scores_from_kept_states(base):
    weights, cache = upper(base), CountingCache()
    with worn_with(base, weights) as worn:
        plain = score_choices(worn, PROMPTS, ANSWERS)
        kept = [score_choices(worn, PROMPTS, ANSWERS, cache=cache, batch_tokens=20) for _ in range(2)]
    assert cache.hits == cache.misses > 0
    assert (kept[0] - plain).abs().max() < VALUE
    assert torch.equal(*kept)


def test_what_is_kept_outlives_a_step(base):
    """The upper layers move, the states that enter them stay."""
    weights, cache = upper(base), CountingCache()
    loss_and_gradient(worn_with(base, weights), weights, cache)
    with torch.no_grad():
        for p in weights.values():
            p += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(0), dtype=p.dtype)
    misses = cache.misses
    moved = loss_and_gradient(worn_with(base, weights), weights, cache)
    assert cache.misses == misses
    assert_equal(moved, loss_and_gradient(worn_with(base, weights), weights, None))


def test_states_on_disk(base, tmp_path):
    weights = upper(base)
    whole = loss_and_gradient(worn_with(base, weights), weights, None)
    for _ in range(2):
        cache = ContextCache(0, folder=tmp_path, disk_bytes=1 << 30)
        assert_equal(loss_and_gradient(worn_with(base, weights), weights, cache), whole)
    assert list(tmp_path.glob("*.safetensors"))


def test_generation_runs_all_layers(base):
    weights, cache = upper(base), CountingCache()
    with worn_with(base, weights) as worn:
        bare = generate(worn, PROMPTS, max_tokens=5, stops=())
        assert generate(worn, PROMPTS, max_tokens=5, stops=(), cache=cache) == bare
    assert cache.hits == cache.misses == 0


# What must not be kept, and what must not be equal.


def test_control_a_lower_layer_that_learns_keeps_nothing(base):
    every = {name: p.requires_grad_() for name, p in base.net.named_parameters()}
    cache = CountingCache()
    whole = loss_and_gradient(worn_with(base, every), every, cache)
    assert cache.hits == cache.misses == 0
    assert_equal(whole, loss_and_gradient(worn_with(base, every), every, None))


@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix"])
def test_control_an_adapter_below_keeps_nothing(base, kind):
    with Worn(base, made_adapters(base, kind), text_changed=True, from_layer=2) as worn:
        assert worn.lowest_layer == 0
        assert contexts_of(worn, short_rows(), CountingCache()).states is None


def test_control_states_of_a_base_that_has_changed(base):
    """Weights below the layer move, and nobody says so."""
    weights, cache = upper(base), CountingCache()
    loss_and_gradient(worn_with(base, weights), weights, cache)
    with torch.no_grad():
        base.stack[0].mlp.down_proj.weight.mul_(1.5)
    stale = loss_and_gradient(worn_with(base, weights), weights, cache)
    fresh = loss_and_gradient(worn_with(base, weights), weights, None)
    assert (stale[0] - fresh[0]).abs().max() > WRONG


def test_control_states_of_another_layer(base, monkeypatch):
    weights, cache = upper(base), CountingCache()
    right = loss_and_gradient(worn_with(base, weights), weights, None)
    monkeypatch.setattr(attach, "run_below", lambda *given: run_below(*given[:-1], given[-1] - 1))
    wrong = loss_and_gradient(worn_with(base, weights), weights, cache)
    assert (wrong[0] - right[0]).abs().max() > WRONG

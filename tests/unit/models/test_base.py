"""A base knows its sizes and windows, and gives an adapter what it may start from."""

import warnings

import pytest
import torch
from transformers import DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.utils.deprecation import deprecate_kwarg

from tiny_arms import filled_cache, tiny_base
from tuneoff.models.base import Base
from tuneoff.models.tiny import ARCHITECTURES, tiny_model

TEXT = "Feel?"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sizes(architecture):
    base = tiny_base(architecture)
    assert (base.layers, base.width, base.context) == (2, 32, 512)
    past = filled_cache(base, [1, 20, 21])
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in past.layers)
    assert base.bytes_per_token * 3 == held


@pytest.mark.parametrize(
    ("architecture", "window", "windows"),
    [
        ("llama", None, {"": None}),
        ("gpt2", None, {"": None}),
        ("qwen3", None, {"": None}),
        ("mistral", 5, {"": 5}),
        ("gemma3", 4, {"full_attention": None, "sliding_attention": 4}),
        ("qwen2", 7, {"full_attention": None, "sliding_attention": 7}),
    ],
)
def test_windows(architecture, window, windows):
    assert tiny_base(architecture, window=window).windows == windows


def test_frozen_and_in_eval_mode_whatever_it_was_before():
    net, tokenizer = tiny_model("llama")
    net.train().requires_grad_(True)
    base = Base(net, tokenizer, fingerprint="x")
    assert not base.net.training
    assert not any(p.requires_grad for p in base.net.parameters())


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2", "opt"])
def test_embeddings_are_what_the_embedding_module_gives(architecture):
    """Gemma scales its table: a start taken from the bare table would be six times too small."""
    base = tiny_base(architecture)
    ids = base.tokenizer(TEXT, add_special_tokens=False).input_ids
    given = base.net.get_input_embeddings()(torch.tensor(ids))
    assert torch.equal(base.embed(TEXT), given)
    assert torch.allclose(base.vocabulary()[ids], given, rtol=1e-6)
    assert base.embedding_rms == pytest.approx(float(base.vocabulary().pow(2).mean().sqrt()), rel=1e-6)


def test_scaled_embeddings_are_scaled():
    base = tiny_base("gemma3")
    bare = float(base.net.get_input_embeddings().weight.pow(2).mean().sqrt())
    assert base.embedding_rms == pytest.approx(bare * 32**0.5, rel=1e-2)


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt_neox"])
def test_key_values_are_what_attention_receives(architecture):
    base = tiny_base(architecture)
    ids = base.tokenizer(TEXT).input_ids[:3]
    past = filled_cache(base, ids)
    for site, layer in zip(base.sites(("cache",)), past.layers):
        own = base.key_values(site, TEXT, 3)
        assert torch.allclose(own.keys, layer.keys[0].transpose(0, 1))
        assert torch.allclose(own.values, layer.values[0].transpose(0, 1))


@pytest.mark.parametrize("architecture", ["mistral", "gemma3"])
def test_key_values_of_a_text_longer_than_a_window(architecture):
    base = tiny_base(architecture)
    for site in base.sites(("cache",)):
        assert base.key_values(site, TEXT, 10).keys.shape == (10, site.heads, site.head_dim)


def test_a_text_shorter_than_asked_for_is_repeated():
    base = tiny_base("gpt2")
    site = base.sites(("cache",))[0]
    assert base.key_values(site, "ab", 7).values.shape[0] == 7
    ids = base.tokenizer("ab").input_ids
    past = filled_cache(base, (ids * 3)[:7])
    assert torch.allclose(base.key_values(site, "ab", 7).values, past.layers[0].values[0].transpose(0, 1))


def test_key_values_handed_out_are_copies():
    base = tiny_base()
    site = base.sites(("cache",))[0]
    one = base.key_values(site, TEXT, 3)
    one.keys.zero_()
    assert base.key_values(site, TEXT, 3).keys.abs().sum() > 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_head_is_the_models_own(architecture):
    base = tiny_base(architecture)
    ids = torch.tensor([[1, 20, 21, 22]])
    assert torch.allclose(base.head(base.trunk(input_ids=ids).last_hidden_state[0]), base.net(ids).logits[0])


def test_the_head_keeps_a_soft_cap():
    net, tokenizer = tiny_model("gemma3")
    net.config.final_logit_softcapping = 2.0
    base = Base(net, tokenizer, fingerprint="capped")
    ids = torch.tensor([[1, 20, 21, 22]])
    logits = base.head(base.trunk(input_ids=ids).last_hidden_state[0])
    assert torch.allclose(logits, net(ids).logits[0], atol=1e-6)
    assert logits.abs().max() <= 2.0


class OlderTrunk(torch.nn.Module):
    """A trunk of transformers before 5.24, or of a model's own code."""

    def forward(self, input_ids=None, past_key_values=None, use_cache=None):
        keys = torch.ones(1, 2, input_ids.shape[1], 4)
        past_key_values.update(keys, -keys, 0)
        return BaseModelOutputWithPast(last_hidden_state=torch.zeros(*input_ids.shape, 8))


class NewerTrunk(OlderTrunk):
    """One of transformers from 5.40 on, which knows the new name alone."""

    def forward(self, input_ids=None, cache=None, use_cache=None):
        return super().forward(input_ids, cache, use_cache)


@pytest.mark.parametrize("trunk", [OlderTrunk, NewerTrunk])
def test_the_cache_goes_by_the_name_that_the_trunk_knows(trunk, monkeypatch):
    base = Base(tiny_model()[0], tiny_base().tokenizer, fingerprint="named")
    monkeypatch.setattr(base, "trunk", trunk())
    cache = DynamicCache()
    assert base.run_trunk({"input_ids": torch.tensor([[1, 2, 3]])}, cache).shape == (1, 3, 8)
    assert cache.layers[0].keys.shape == (1, 2, 3, 4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_deprecated_name_is_used(architecture):
    base = tiny_base(architecture)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert filled_cache(base, [1, 20, 21]).layers[-1].keys.shape[2] == 3


class Renamed(torch.nn.Module):
    @deprecate_kwarg("past_key_values", "99.0.0", new_name="cache")
    def forward(self, cache=None):
        return cache


def test_a_deprecated_name_is_an_error_in_every_test():
    assert Renamed()(cache=1) == 1
    with pytest.raises(FutureWarning, match="`past_key_values` is deprecated"):
        Renamed()(past_key_values=1)

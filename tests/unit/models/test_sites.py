"""Places to adapt are found under whatever name an architecture gives them, fused ones column by column."""

import re

import pytest
import torch

from tiny_arms import filled_cache, tiny_base
from tuneoff.core.errors import ModelError
from tuneoff.models.sites import ATTENTION, LINEAR, find_sites, key_shape, layer_modules
from tuneoff.models.tiny import ARCHITECTURES

GATED = {"llama", "qwen2", "qwen3", "gemma3", "mistral"}
FUSED = {"gpt2", "gpt_neox"}


def roles_of(architecture, roles=LINEAR):
    return [site.role for site in find_sites(tiny_base(architecture).net, roles)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_projection_of_every_layer_has_one_role(architecture):
    found = roles_of(architecture)
    wanted = set(LINEAR) if architecture in GATED else set(LINEAR) - {"mlp.gate"}
    assert {role: found.count(role) for role in found} == dict.fromkeys(wanted, 2)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_linear_layer_inside_the_blocks_is_forgotten(architecture):
    base = tiny_base(architecture)
    covered = {id(site.module) for site in find_sites(base.net, LINEAR)}
    for layer, module in layer_modules(base.net):
        for name, part in module.named_modules():
            if getattr(part, "weight", None) is not None and part.weight.dim() == 2:
                assert id(part) in covered, f"{layer}.{name}"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sizes_are_those_of_the_weight_and_the_bias(architecture):
    for site in find_sites(tiny_base(architecture).net, LINEAR):
        assert site.weight().shape == (site.out_dim, site.in_dim)
        assert site.bias() is None or site.bias().shape == (site.out_dim,)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_site_computes_its_own_columns_of_the_module(architecture):
    gen = torch.Generator().manual_seed(0)
    for site in find_sites(tiny_base(architecture).net, LINEAR):
        x = torch.randn(1, 3, site.in_dim, generator=gen, dtype=torch.float64)
        y = site.module(x)
        own = y if site.columns is None else y[..., site.columns]
        bias = 0 if site.bias() is None else site.bias()
        assert torch.allclose(own, x @ site.weight().T + bias)


@pytest.mark.parametrize("architecture", sorted(FUSED))
def test_a_fused_projection_is_cut_without_gap_or_overlap(architecture):
    base = tiny_base(architecture)
    sites = [site for site in find_sites(base.net, ATTENTION[:3]) if ".0." in site.name]
    columns = [torch.arange(3 * base.width)[site.columns] for site in sites]
    assert sorted(torch.cat(columns).tolist()) == list(range(3 * base.width))
    assert len({site.name for site in sites}) == 1


def test_fused_keys_are_the_ones_that_attention_caches():
    """GPT-2 has no rotation: what is cached as keys is the key columns' output, head by head."""
    base = tiny_base("gpt2")
    (site,) = [s for s in find_sites(base.net, ("attn.k",)) if ".0." in s.name]
    seen = {}
    handle = site.module.register_forward_hook(lambda module, args, y: seen.setdefault("y", y))
    cache = filled_cache(base, [1, 20, 21])
    handle.remove()
    assert torch.allclose(cache.layers[0].keys[0].transpose(0, 1).flatten(1), seen["y"][0][:, site.columns])


def test_fused_values_of_neox_are_the_ones_that_attention_caches():
    base = tiny_base("gpt_neox")
    (site,) = [s for s in find_sites(base.net, ("attn.v",)) if ".0." in s.name]
    seen = {}
    handle = site.module.register_forward_hook(lambda module, args, y: seen.setdefault("y", y))
    cache = filled_cache(base, [1, 20, 21])
    handle.remove()
    assert torch.allclose(cache.layers[0].values[0].transpose(0, 1).flatten(1), seen["y"][0][:, site.columns])


@pytest.mark.parametrize(
    ("architecture", "count"),
    [("llama", 5), ("qwen3", 5), ("gemma3", 9), ("gpt2", 5), ("gpt_neox", 5), ("opt", 5), ("phi", 3), ("mistral", 5)],
)
def test_norms_of_layers_and_the_last_one_but_none_inside_heads(architecture, count):
    sites = find_sites(tiny_base(architecture).net, ("norm",))
    assert len(sites) == count
    assert len({site.name for site in sites}) == count
    assert not any("q_norm" in site.name or "k_norm" in site.name for site in sites)
    assert sum(not re.search(r"\.\d+\.", site.name) for site in sites) == 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_embedding_and_one_cache_per_layer(architecture):
    base = tiny_base(architecture)
    (embed,) = find_sites(base.net, ("embed",))
    assert embed.module is base.net.get_input_embeddings()
    assert (embed.in_dim, embed.out_dim) == (261, 32)
    caches = find_sites(base.net, ("cache",))
    past = filled_cache(base, [1, 20])
    shapes = [tuple(layer.keys.shape[1::2]) for layer in past.layers]
    assert [(site.heads, site.head_dim) for site in caches] == shapes == [key_shape(base.net)] * 2


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_names_lead_to_their_modules(architecture):
    base = tiny_base(architecture)
    for site in find_sites(base.net, (*LINEAR, "norm", "embed", "cache")):
        assert base.net.get_submodule(site.name) is site.module


def test_roles_that_a_model_lacks_are_an_error_with_the_roles():
    with pytest.raises(ModelError, match=r"this model has no site of the asked roles \(mlp.gate\)") as caught:
        find_sites(tiny_base("gpt2").net, ("mlp.gate",))
    assert "GPT2LMHeadModel" in str(caught.value)
    assert "choose another method, or other targets" in str(caught.value)


def test_a_network_without_layers_is_an_error():
    with pytest.raises(ModelError, match="the layers of this model were not found"):
        layer_modules(torch.nn.Linear(2, 2))

"""Each adapter against its formula, written out by hand at one site."""

import pytest
import torch

from tiny_arms import TASK, made_method, tiny_base
from tuneoff.models.adapt import Bias, KeyValues, LowRank, Scale

GEN = torch.Generator().manual_seed(0)


def site_of(architecture, role):
    return next(site for site in tiny_base(architecture).sites((role,)))


def values(site):
    """x, the frozen module's y, virtual positions (none)."""
    x = torch.randn(2, 3, site.in_dim, generator=GEN, dtype=torch.float64)
    y = site.module(x)
    return x, y if site.columns is None else y[..., site.columns], torch.zeros(2, 3, dtype=torch.bool)


def drawn(*shape):
    return torch.randn(shape, generator=GEN, dtype=torch.float64)


@pytest.mark.parametrize(("architecture", "role"), [("llama", "attn.q"), ("gpt2", "attn.v"), ("gpt_neox", "attn.k")])
def test_lora(architecture, role):
    method, site = made_method("lora", rank=4, alpha=2.0), site_of(architecture, role)
    x, y, virtual = values(site)
    p = {"A": drawn(4, site.in_dim), "B": drawn(site.out_dim, 4)}
    bias = 0 if site.bias() is None else site.bias()
    wanted = x @ (site.weight() + 0.5 * p["B"] @ p["A"]).T + bias
    assert torch.allclose(method.leave(site, x, y, p, virtual), wanted)
    assert torch.allclose(method.merge(site, p), site.weight() + 0.5 * p["B"] @ p["A"])
    assert isinstance(method.form(site, p), LowRank)


def test_low_rank_starts_with_b_at_zero_and_a_of_lineal_size():
    site = site_of("llama", "attn.q")
    for name in ("lora", "dora"):
        p = made_method(name, rank=4).init(site, TASK, None, torch.Generator().manual_seed(1))
        assert p["B"].abs().max() == 0
        assert 0 < p["A"].abs().max() <= site.in_dim**-0.5  # what a linear layer's own start is bounded by
        assert p["A"].dtype == torch.float32


@pytest.mark.parametrize(("architecture", "role"), [("llama", "mlp.up"), ("qwen2", "attn.q"), ("gpt2", "attn.q")])
def test_dora(architecture, role):
    method, site = made_method("dora", rank=4, alpha=2.0), site_of(architecture, role)
    x, y, virtual = values(site)
    p = {"A": drawn(4, site.in_dim), "B": drawn(site.out_dim, 4), "m": drawn(site.out_dim).abs()}
    direction = site.weight() + 0.5 * p["B"] @ p["A"]
    V = p["m"][:, None] * direction / direction.pow(2).sum(dim=1, keepdim=True).sqrt()
    bias = 0 if site.bias() is None else site.bias()
    assert torch.allclose(method.leave(site, x, y, p, virtual), x @ V.T + bias)
    assert torch.allclose(method.merge(site, p), V)
    assert method.form(site, p) is None


def test_dora_takes_the_length_as_a_constant_in_the_backward_pass():
    method, site = made_method("dora", rank=2, alpha=2.0), site_of("llama", "attn.q")
    x, y, virtual = values(site)
    p = {"A": drawn(2, 32).requires_grad_(), "B": drawn(32, 2).requires_grad_(), "m": drawn(32).abs().requires_grad_()}
    (gradient,) = torch.autograd.grad(method.leave(site, x, y, p, virtual).sum(), p["B"], retain_graph=True)
    length = (site.weight() + p["B"] @ p["A"]).norm(dim=1).detach()
    by_hand = ((x @ (site.weight() + p["B"] @ p["A"]).T) * p["m"] / length).sum()
    assert torch.allclose(gradient, torch.autograd.grad(by_hand, p["B"])[0])


@pytest.mark.parametrize(("role", "inside"), [("attn.k", False), ("attn.v", False), ("mlp.down", True)])
def test_ia3(role, inside):
    method, site = made_method("ia3"), site_of("llama", role)
    x, _, virtual = values(site)
    s = drawn(site.in_dim if inside else site.out_dim)
    inner = method.enter(site, x, {"s": s}, virtual)
    done = method.leave(site, inner, site.module(inner), {"s": s}, virtual)
    wanted = site.module(x * s) if inside else site.module(x) * s
    assert torch.allclose(done, wanted)
    assert method.form(site, {"s": s}) == Scale(s, "enter" if inside else "leave")
    assert torch.allclose(x @ method.merge(site, {"s": s}).T, wanted)


def test_a_scale_of_an_output_with_a_bias_is_not_merged_into_the_weight_alone():
    site = site_of("gpt2", "attn.k")
    assert made_method("ia3").merge(site, {"s": drawn(site.out_dim)}) is None


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_bitfit(architecture):
    method, site = made_method("bitfit"), site_of(architecture, "attn.q")
    x, y, virtual = values(site)
    b = drawn(site.out_dim)
    assert torch.allclose(method.leave(site, x, y, {"b": b}, virtual), y + b)
    assert method.form(site, {"b": b}) == Bias(b)
    assert method.merge(site, {"b": b}) is None


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
def test_norm_tuning_multiplies_the_scale_and_not_the_bias(architecture):
    method, site = made_method("norm_tuning"), site_of(architecture, "norm")
    x, y, virtual = values(site)
    s = drawn(site.out_dim)
    bias = 0 if site.bias() is None else site.bias()
    done = method.leave(site, x, y, {"s": s}, virtual)
    assert torch.allclose(done, (y - bias) * s + bias)
    before = site.module.weight.clone()
    with torch.no_grad():
        site.module.weight.copy_(method.merge(site, {"s": s}))
        merged = site.module(x)
        site.module.weight.copy_(before)
    assert torch.allclose(merged, done, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_prefix_starts_from_a_text_and_keeps_its_layout(architecture):
    base = tiny_base(architecture)
    method = made_method("prefix", length=5)
    gen = torch.Generator().manual_seed(0)
    for site in base.sites(("cache",)):
        p = method.init(site, TASK, base, gen)
        text = base.key_values(site, TASK.instruction, 5)
        assert torch.equal(p["k"], text.keys.float())
        assert torch.equal(p["v"], text.values.float())
        assert isinstance(method.form(site, p), KeyValues)
        noise = made_method("prefix", length=5, start="random").init(site, TASK, base, gen)
        assert noise["k"].shape == noise["v"].shape == p["k"].shape == (5, site.heads, site.head_dim)
        assert not torch.equal(noise["k"], noise["v"])


@pytest.mark.parametrize("architecture", ["mistral", "gemma3"])
def test_a_prefix_longer_than_a_window(architecture):
    base = tiny_base(architecture)
    for site in base.sites(("cache",)):
        p = made_method("prefix", length=10).init(site, TASK, base, torch.Generator())
        assert p["k"].shape[0] == p["v"].shape[0] == 10


def test_targets_choose_the_sites():
    for name in ("lora", "dora", "bitfit"):
        assert made_method(name, targets=["attn.v"]).roles == ("attn.v",)
    assert set(made_method("ia3").roles) == {"attn.k", "attn.v", "mlp.down"}

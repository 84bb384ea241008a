"""Matmuls in 8 bits: held to the same arithmetic written out plainly, and to the full ones that they stand for."""

import copy

import pytest
import torch

from tiny_arms import contexts_of, made_adapters, short_rows, tiny_base
from tuneoff.core.errors import ConfigError
from tuneoff.engine.attach import Worn
from tuneoff.engine.loss import plain_loss, step_loss
from tuneoff.models import int8
from tuneoff.models.int8 import PEAK, Int8Linear, check_int8, int8_speed
from tuneoff.models.sites import LINEAR
from tuneoff.models.tiny import ARCHITECTURES

torch.set_num_threads(1)

FAR = torch.tensor([3, 17])


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def small():
    """24 outputs of 400 inputs: of fewer than 144 none can be PEAK times their root mean square."""
    return Int8Linear(numbers(24, 400), numbers(24, seed=1), FAR)


def steps(row):
    """A row in whole steps of a 127th of its largest number, times that step."""
    step = row.abs().max() / 127
    return (row / step).round() * step


def near_and_far(tensor):
    far = torch.zeros(tensor.shape[1], dtype=torch.bool)
    far[FAR] = True
    return tensor.masked_fill(far, 0), tensor.masked_fill(~far, 0)


def written_out(x, weight, bias):
    """The same row by row and weight by weight, in floating point alone."""
    near, far = near_and_far(x)
    weight_near, weight_far = near_and_far(weight)
    rounded = torch.stack([steps(row) for row in weight_near])
    rows = []
    for row, own in zip(near, far):
        peaked = row.abs().max() > PEAK * row.square().mean().sqrt()
        rows.append(weight_near @ row if peaked else rounded @ steps(row))
        rows[-1] = rows[-1] + weight_far @ own + bias
    return torch.stack(rows)


def test_it_is_what_its_formula_says(small):
    x = numbers(7, 400, seed=2)
    x[4, 8] = 1e4  # a peak
    assert torch.allclose(small(x), written_out(x, small.weight, small.bias), rtol=1e-12, atol=1e-10)
    assert not torch.allclose(small(x), x @ small.weight.T + small.bias, rtol=1e-4, atol=1e-4)


def test_its_gradient_goes_back_in_8_bits_through_the_same_weight(small):
    x, g = numbers(5, 400, seed=2).requires_grad_(), numbers(5, 24, seed=3)
    (sent,) = torch.autograd.grad(small(x), x, g)
    weight_near, weight_far = near_and_far(small.weight)
    step = weight_near.abs().amax(1) / 127
    whole = torch.stack([steps(row) for row in g * step]) @ (weight_near / step[:, None]).round() + g @ weight_far
    assert torch.allclose(sent, whole, rtol=1e-12, atol=1e-10)


def test_it_is_near_the_full_one(small):
    x, g = numbers(200, 400, seed=2).requires_grad_(), numbers(200, 24, seed=3)
    full = x @ small.weight.T + small.bias
    assert apart(small(x), full) < 0.02
    (sent,), (whole,) = torch.autograd.grad(small(x), x, g), torch.autograd.grad(full, x, g)
    assert apart(sent, whole) < 0.02


def apart(a, b):
    return float((a - b).detach().norm() / b.detach().norm())


def test_far_columns_and_peaked_rows_are_why(monkeypatch, small):
    x = numbers(200, 400, seed=2)
    x[:, FAR] *= 200
    x[:20, 9] = 1e4
    full = x @ small.weight.T
    told = apart(without(small(x), x, small), without(full + small.bias, x, small))
    monkeypatch.setattr(int8, "PEAK", 1e9)
    blunt = Int8Linear(small.weight, small.bias, torch.tensor([0]))
    assert told < 0.02
    assert apart(without(blunt(x), x, small), without(full + small.bias, x, small)) > 0.2


def without(y, x, held):
    """Less what the large numbers bring: they would hide how the rest is told apart."""
    large = torch.zeros_like(x)
    large[:, FAR] = x[:, FAR]
    large[:20, 9] = x[:20, 9]
    return y - large @ held.weight.T - held.bias


def test_a_row_depends_on_no_other(small):
    x = numbers(6, 400, seed=2)
    x[3] *= 1e3
    whole = small(x)
    alone = torch.cat([small(row[None]) for row in x])
    assert torch.allclose(whole, alone, rtol=1e-13, atol=1e-13)


def test_rows_of_nothing_and_of_one_number(small):
    x = torch.zeros(3, 400, dtype=torch.float64)
    x[1, 5] = 2.0
    assert torch.allclose(small(x)[0], small.bias)
    assert torch.allclose(small(x)[1], 2.0 * small.weight[:, 5] + small.bias, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_base_in_8_bits(architecture):
    base = tiny_base(architecture, dtype=torch.float32)
    before = {name: (p, p.clone()) for name, p in base.net.named_parameters()}
    short = base.int8
    assert all(p is before[name][0] for name, p in short.net.named_parameters()), "one set of weights"
    assert all(torch.equal(p, kept) for p, kept in before.values())
    for site in base.sites(LINEAR):
        assert isinstance(short.net.get_submodule(site.name).forward, Int8Linear)
        assert not isinstance(site.module.forward, Int8Linear)
    ids = torch.arange(5, 25)[None]
    full, own = (each.trunk(ids).last_hidden_state for each in (base, short))
    assert 1e-5 < apart(own, full) < 0.1
    assert (short.fingerprint, short.exact, base.exact) == (f"{base.fingerprint}-int8", base, base)


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "soft_prompt_after", "prefix"])
def test_packed_rows_say_the_same_but_for_steps(architecture, kind):
    """What lies an ulp beside the middle of two steps may go either way, so equality is to a step or two."""
    base = tiny_base(architecture, dtype=torch.float64).int8
    adapters = made_adapters(base, kind)
    with Worn(base, adapters) as worn:
        assert worn.packed
        packed = step_loss(contexts_of(worn, short_rows()), short_rows()).per_record
        plain = plain_loss(worn, short_rows()).per_record
    with Worn(base.exact, made_adapters(base.exact, kind)) as worn:
        full = plain_loss(worn, short_rows()).per_record
    assert torch.allclose(packed, plain, rtol=1e-3)
    assert not torch.allclose(packed, full, rtol=1e-6)


def test_how_it_can_be_run_is_not_told_by_its_rounding():
    base = tiny_base("llama", dtype=torch.float32)
    assert Worn(base.int8).capabilities() is Worn(base).capabilities()


def test_a_processor_without_gain_is_told(monkeypatch):
    base = tiny_base("llama", dtype=torch.float32)
    monkeypatch.setattr(int8, "int8_speed", lambda: 2.5)
    check_int8(base)
    monkeypatch.setattr(int8, "int8_speed", lambda: 0.04)
    with pytest.raises(ConfigError) as caught:
        check_int8(base)
    assert "0.04 times as fast as one in float32" in str(caught.value)
    assert "remove int8 = true" in str(caught.value)


def test_another_number_format_is_refused():
    base = copy.copy(tiny_base("llama", dtype=torch.float64))
    with pytest.raises(ConfigError, match="float32") as caught:
        check_int8(base)
    assert "float64" in str(caught.value)


def test_the_speed_is_a_measured_number():
    assert 0 < int8_speed() < 100

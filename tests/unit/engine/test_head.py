"""The chunked head with its written-out gradient equals the plain head with cross entropy (float64, to 1e-10)."""

import pytest
import torch
from torch.nn import functional

from tiny_arms import tiny_base
from tuneoff.engine import head
from tuneoff.engine.head import answer_nll, bare, log_probabilities
from tuneoff.models.tiny import ARCHITECTURES

CLOSE = 1e-10
TARGET = torch.tensor([5, 260, 5, 17, 0, 44, 9])


def states(base):
    made = torch.randn(len(TARGET), base.width, generator=torch.Generator().manual_seed(1), dtype=base.net.dtype)
    return made.requires_grad_()


def value_and_gradient(nll, hidden):
    weights = torch.linspace(0.5, 2.0, len(TARGET), dtype=nll.dtype)  # each token's own share, as clipping may give it
    return nll.detach(), torch.autograd.grad((nll * weights).sum(), hidden)[0]


def assert_equal(base, close=CLOSE):
    hidden = states(base)
    plain = value_and_gradient(functional.cross_entropy(base.head(hidden), TARGET, reduction="none"), hidden)
    fast = value_and_gradient(answer_nll(base, hidden, TARGET), hidden)
    assert plain[1].abs().max() > 1e-2
    assert all((a - b).abs().max() < close for a, b in zip(fast, plain))


@pytest.mark.parametrize("size", [1, 3000, 1 << 26])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_equals_cross_entropy(architecture, size, monkeypatch):
    monkeypatch.setattr(head, "LOGIT_BYTES", size)
    assert_equal(tiny_base(architecture))


@pytest.mark.parametrize(("name", "value"), [("final_logit_softcapping", 3.0), ("logits_scaling", 4.0)])
def test_soft_cap_and_scaling_act(name, value, monkeypatch):
    base = tiny_base("gemma3")
    before = answer_nll(base, states(base), TARGET)
    monkeypatch.setattr(base.config, name, value, raising=False)
    assert_equal(base)
    assert (answer_nll(base, states(base), TARGET) - before).abs().max() > 1e-3


def test_a_head_that_learns_takes_the_plain_way_and_gets_its_gradient():
    base = tiny_base("qwen2")
    weight = base.net.get_output_embeddings().weight
    weight.requires_grad_()
    try:
        assert not bare(base.net.get_output_embeddings())
        assert_equal(base)
        (gradient,) = torch.autograd.grad(answer_nll(base, states(base), TARGET).sum(), weight)
        assert gradient.abs().max() > 1e-2
    finally:
        weight.requires_grad_(False)


def test_a_head_that_wears_something_takes_the_plain_way():
    base = tiny_base("qwen2")
    layer = base.net.get_output_embeddings()
    handle = layer.register_forward_hook(lambda module, args, y: y * 1.5)
    try:
        assert not bare(layer)
        assert_equal(base)
    finally:
        handle.remove()
    assert bare(layer)


@pytest.mark.parametrize("size", [1, 1 << 26])
def test_log_probabilities_of_positions_named_many_times(size, monkeypatch):
    monkeypatch.setattr(head, "LOGIT_BYTES", size)
    base = tiny_base()
    hidden = states(base).detach()
    at, token = torch.tensor([0, 0, 2, 5, 5, 5]), torch.tensor([3, 9, 9, 1, 2, 260])
    plain = base.head(hidden).log_softmax(dim=-1)[at, token]
    assert (log_probabilities(base, hidden, at, token) - plain).abs().max() < CLOSE
    assert (log_probabilities(base, hidden, at, token.roll(1)) - plain).abs().max() > 1e-2


def test_control_a_gradient_without_the_target():
    base = tiny_base()
    hidden = states(base)
    right = value_and_gradient(answer_nll(base, hidden, TARGET), hidden)[1]
    wrong = value_and_gradient(base.head(hidden).logsumexp(dim=-1), hidden)[1]
    assert (right - wrong).abs().max() > 1e-2

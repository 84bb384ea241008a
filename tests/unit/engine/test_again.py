"""Layers that run once more in the backward change no figure, and keep far less for it.

Tolerances as in test_loss.py. The control, a pass that is not taken up as it was, breaks off or lies far above them.
"""

import gc
import weakref

import pytest
import torch

from tiny_arms import contexts_of, made_adapters, short_rows, tiny_base
from tuneoff.engine import packed
from tuneoff.engine.again import again
from tuneoff.engine.attach import Worn
from tuneoff.engine.last_layer import Attended
from tuneoff.engine.loss import step_loss
from tuneoff.engine.memory import PeakMemory
from tuneoff.engine.together import Together, losses_together
from tuneoff.models.base import Base
from tuneoff.models.tiny import ARCHITECTURES, tiny_model

VALUE, GRADIENT, WRONG = 1e-10, 1e-5, 1e-3
KINDS = ("lora", "soft_prompt", "prefix + lora", "lora + soft_prompt_after", "norm_tuning")


def learned(adapters):
    return [p for adapter in adapters for p in adapter.parameters()]


def loss_and_gradient(base, adapters):
    with Worn(base, adapters) as worn:
        loss = step_loss(contexts_of(worn, short_rows()), short_rows()).per_record
        return loss.detach(), torch.autograd.grad(loss.sum(), learned(adapters))


def assert_equal(one, other):
    (value, gradient), (same, again_gradient) = one, other
    assert (value - same).abs().max() < VALUE
    largest = max(float(g.abs().max()) for g in again_gradient)
    assert largest > 1e-2
    assert max(float((a - b).abs().max()) for a, b in zip(gradient, again_gradient)) < GRADIENT * largest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layers_run_again_give_the_same(architecture, kind):
    base = tiny_base(architecture)
    adapters = made_adapters(base, kind)
    whole = loss_and_gradient(base, adapters)
    with again():
        assert_equal(loss_and_gradient(base, adapters), whole)


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
def test_so_do_arms_in_one_pass(architecture):
    base = tiny_base(architecture)
    arms = [made_adapters(base, kind) for kind in ("lora", "soft_prompt", "ia3")]

    def together():
        worn = [Worn(base, adapters) for adapters in arms]
        with Together(worn) as crowd:
            losses = losses_together(crowd, [contexts_of(own, short_rows()) for own in worn], [short_rows()] * 3)
            values = torch.cat([loss.per_record for loss in losses])
            return values.detach(), torch.autograd.grad(values.sum(), [p for own in arms for p in learned(own)])

    whole = together()
    with again():
        assert_equal(together(), whole)


def test_little_is_kept():
    net, tokenizer = tiny_model("llama", layers=16, width=256)
    base = Base(net, tokenizer, fingerprint="deep")
    adapters = made_adapters(base, "lora")
    rows = [example for example in short_rows() for _ in range(60)]

    def peak():
        with Worn(base, adapters) as worn, PeakMemory(base.device) as memory:
            step_loss(contexts_of(worn, rows), rows).per_record.sum().backward()
        return memory.bytes

    peak()
    whole = peak()
    with again():
        sparing = peak()
    assert sparing < whole * 2 / 3  # about 0.45 of it, as the system counts pages


def test_a_pass_that_broke_off_is_let_go(monkeypatch):
    """What is to run again holds its pass; were it held by the pass, neither would ever go."""
    base, passes = tiny_base(), []
    begin = packed.Pass.__init__
    monkeypatch.setattr(
        packed.Pass, "__init__", lambda self, *given: (begin(self, *given), passes.append(weakref.ref(self)))[0]
    )
    with again(), Worn(base, made_adapters(base, "lora")) as worn:
        loss = step_loss(contexts_of(worn, short_rows()), short_rows())
        held = passes[-1]
        assert held() is not None
        del loss
    gc.collect()
    assert held() is None


def test_control_positions_of_the_last_layer(monkeypatch):
    """What runs again looks at the read positions alone, as the last layer did."""
    base = tiny_base("qwen3")
    adapters = made_adapters(base, "lora")
    whole = loss_and_gradient(base, adapters)
    under = packed._under
    monkeypatch.setattr(packed, "_resumed", lambda base, made, look: under(base, made))
    with again(), pytest.raises((RuntimeError, AssertionError, Attended)):
        assert_equal(loss_and_gradient(base, adapters), whole)

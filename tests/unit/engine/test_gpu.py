"""On an NVIDIA GPU: the quick ways give what the plain one gives there too.

float32, to 1e-3 of the largest entry: matmuls sum in another order, and the compiled kernel computes softmax in parts.
"""

import pytest
import torch

from tiny_arms import contexts_of, made_adapters, short_rows
from tuneoff.engine.attach import Worn
from tuneoff.engine.capability_probe import CapabilityProbe
from tuneoff.engine.flex import flex_plan
from tuneoff.engine.loss import plain_loss, step_loss
from tuneoff.models.base import Base
from tuneoff.models.tiny import ARCHITECTURES, tiny_model

pytestmark = pytest.mark.gpu
CLOSE = 1e-3


@pytest.fixture(params=ARCHITECTURES)
def base(request) -> Base:
    net, tokenizer = tiny_model(request.param, width=128)  # heads of 32: fewer than 16 the kernel does not take
    return Base(net.to("cuda"), tokenizer, fingerprint=f"gpu-{request.param}")


def assert_close(made, wanted):
    assert (made - wanted).abs().max() <= CLOSE * wanted.abs().max()


def test_the_compiled_kernel_in_value_and_gradient(base):
    bare = Worn(base, packed=False)
    probe = CapabilityProbe(base, bare.run, bare.masks)
    assert_close(probe("flex"), probe("folds"))
    assert probe.seconds("flex") > 0


def test_no_path_is_broken(base):
    """What cannot be taken here says so; anything else is a fault."""
    assert not list(Worn(base).capabilities().faults)


@pytest.mark.parametrize("kernel", [False, True])
@pytest.mark.parametrize("kind", ["lora", "soft_prompt", "prefix + lora", "lora + soft_prompt_after"])
def test_a_step_equals_the_plain_one(base, kind, kernel, monkeypatch):
    if kernel:
        monkeypatch.setattr(Worn, "make_plan", property(lambda self: flex_plan))
    adapters = made_adapters(base, kind)
    learned = [p for adapter in adapters for p in adapter.parameters()]
    with Worn(base, adapters) as worn:
        losses = [step_loss(contexts_of(worn, short_rows()), short_rows()), plain_loss(worn, short_rows())]
    made, wanted = (torch.autograd.grad(loss.per_record.sum(), learned) for loss in losses)
    assert_close(losses[0].per_record.detach(), losses[1].per_record.detach())
    assert_close(torch.cat([g.flatten() for g in made]), torch.cat([g.flatten() for g in wanted]))

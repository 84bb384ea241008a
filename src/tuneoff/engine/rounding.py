"""What 8-bit matmuls change and gain, on a few of the person's own records: no rounding goes unmeasured.

measure_rounding(base, examples)
Rounding(records=16, nats=0.07, gradient=0.19, speed=1.6)
"""

import time
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from tuneoff.data.task import Task
from tuneoff.engine.attach import Worn, new_adapter
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import Example, shared_start
from tuneoff.engine.loss import step_loss
from tuneoff.models.base import Base
from tuneoff.models.soft import SoftPromptMethod

__all__ = ["VIRTUAL", "Rounding", "measure_rounding"]

TIMES = 3
VIRTUAL = 20  # words of the soft prompt
TASK = Task(name="rounding", kind="text")


class Rounding(NamedTuple):
    """nats: mean distance of a right answer's log-probability, behind a soft prompt of VIRTUAL words. gradient: how far
    that prompt's gradient is off, as a share of its length. speed: of a step forward and backward, 1 in full."""

    records: int
    nats: float
    gradient: float
    speed: float


def measure_rounding(base: Base, examples: Sequence[Example]) -> Rounding:
    """Hold `base.int8` against the base, in turns."""
    full, short = [], []
    for _ in range(TIMES):
        full.append(_step(base, examples))
        short.append(_step(base.int8, examples))
    (nats, gradient, _), (own_nats, own_gradient, _) = full[0], short[0]
    return Rounding(
        records=len(examples),
        nats=float((own_nats - nats).abs().mean()),
        gradient=float((own_gradient - gradient).norm() / gradient.norm()),
        speed=median(f.seconds for f in full) / median(s.seconds for s in short),
    )


class _Step(NamedTuple):
    """nats: [R]. gradient: [VIRTUAL, width]."""

    nats: Tensor
    gradient: Tensor
    seconds: float


def _step(base: Base, examples: Sequence[Example]) -> _Step:
    adapter = new_adapter(base, SoftPromptMethod(length=VIRTUAL, start="vocabulary"), TASK, seed=0)
    shared = examples[0].ids.prompt[: shared_start([example.ids.prompt for example in examples])]
    with Worn(base, [adapter]) as worn:
        began = time.perf_counter()
        loss = step_loss(Contexts(worn, shared, None), examples)
        (gradient,) = torch.autograd.grad(loss.per_record.sum() / loss.tokens, list(adapter.parameters()))
        seconds = time.perf_counter() - began
    return _Step(loss.per_record.detach(), gradient, seconds)

"""Two short rows behind a start, run each way that a model may take: what engine/ways.py tells the ways by."""

import time
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from tuneoff.engine.along import MakeMasks
from tuneoff.engine.attention import fold_plan
from tuneoff.engine.flex import flex_plan
from tuneoff.engine.packed import MakePlan, Pass, new_past, run_below, run_packed
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows
from tuneoff.models.base import Base

__all__ = ["Trial", "Way"]

Way = Literal["masked", "packed", "read", "above", "folds", "flex"]
PLANS: dict[Way, MakePlan] = {"folds": fold_plan, "flex": flex_plan}
TIMED_LENGTHS = range(32, 160, 8)
TIMES = 3


class Trial:
    """run, make_masks: of a base that wears nothing and takes the plain path."""

    def __init__(self, base: Base, run: Callable[..., tuple[Tensor, Past]], make_masks: MakeMasks):
        self.base, self.run, self.make_masks = base, run, make_masks
        device = base.device
        self.start = Rows.of([[1, 2]], 0, device)
        self.rows = Rows.of([[3, 4, 5], [6, 7]], 2, device)

    def __call__(self, way: Way) -> Tensor:
        """States [5, width] of the rows; read: [2, width], of the second one alone; above: run in two parts; folds and
        flex: [10, width], with the gradient of what was embedded below them."""
        if way == "masked":
            _, start = self.run(self.start)
            return self.run(self.rows, start)[0]
        if way == "above":
            return self._in_two_parts()
        _, made = self._run(self.start, None)
        past = new_past(made, self.start)
        if way in PLANS:
            return torch.cat(self._with_gradient(self.rows, past, PLANS[way]))
        read = torch.tensor([3, 4], device=self.base.device) if way == "read" else None
        return self._run(self.rows, past, read=read)[0]

    def seconds(self, way: Way) -> float:
        """Of forward and backward of rows as they come in training; the fastest of some, after one."""
        rows = Rows.of([[1] * length for length in TIMED_LENGTHS], 0, self.base.device)
        self._with_gradient(rows, None, PLANS[way])
        return min(_seconds(lambda: self._with_gradient(rows, None, PLANS[way])) for _ in range(TIMES))

    def _run(self, rows: Rows, past: Past | None, *, read: Tensor | None = None) -> tuple[Tensor, Pass]:
        return run_packed(self.base, self._embedded(rows), rows, past, self.make_masks(rows, past), read=read)

    def _above(self, states: Tensor, rows: Rows, past: Past | None) -> tuple[Tensor, Pass]:
        return run_packed(self.base, states[None], rows, past, self.make_masks(rows, past), first=1)

    def _embedded(self, rows: Rows) -> Tensor:
        return self.base.net.get_input_embeddings()(rows.ids)[None]

    def _in_two_parts(self) -> Tensor:
        """The lowest layer, then those above it behind a past of theirs."""
        entering, made = self._below(self.start, None)
        _, above = self._above(entering, self.start, None)
        states, _ = self._below(self.rows, new_past(made, self.start))
        return self._above(states, self.rows, new_past(above, self.start))[0]

    def _below(self, rows: Rows, past: Past | None) -> tuple[Tensor, Pass]:
        return run_below(self.base, self._embedded(rows), rows, past, self.make_masks(rows, past), 1)

    @torch.enable_grad()
    def _with_gradient(self, rows: Rows, past: Past | None, make_plan: MakePlan) -> tuple[Tensor, Tensor]:
        embedded = self._embedded(rows).detach().requires_grad_()
        masks = self.make_masks(rows, past)
        states, _ = run_packed(self.base, embedded, rows, past, masks, make_plan=make_plan)
        (sent,) = torch.autograd.grad(states[:, ::2].square().sum(), embedded)  # all of a normed state would not move
        return states.detach(), sent[0]


def _seconds(work: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began

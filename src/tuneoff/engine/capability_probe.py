"""Two short rows behind a start, run on each path that a model may take: what engine/capabilities.py compares."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tuneoff.engine.along import MakeMasks
from tuneoff.engine.attention import fold_plan
from tuneoff.engine.flex import flex_plan
from tuneoff.engine.packed import MakePlan, Pass, new_past, run_below, run_packed
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows
from tuneoff.engine.unsupported import Unsupported
from tuneoff.models.base import Base

__all__ = ["CapabilityProbe", "Path"]

Path = Literal["masked", "packed", "sparse", "partial", "folds", "flex"]
PLANS: dict[Path, MakePlan] = {"folds": fold_plan, "flex": flex_plan}
TIMED_LENGTHS = range(32, 160, 8)
TIMES = 3


class CapabilityProbe:
    """run, make_masks: of a base that wears nothing and takes the plain path."""

    def __init__(self, base: Base, run: Callable[..., tuple[Tensor, Past]], make_masks: MakeMasks):
        self.base, self.run, self.make_masks = base, run, make_masks
        a, b, *rest = _ordinary(base)
        self.start = Rows.of([[a, b]], 0, base.device)
        self.rows = Rows.of([rest[:3], rest[3:]], 2, base.device)

    def __call__(self, path: Path) -> Tensor:
        """States [5, width] of the rows; sparse: [2, width], of the second one alone; partial: run in two parts; folds
        and flex: [10, width], with the gradient of what was embedded below them."""
        if path == "masked":
            _, start = self.run(self.start)
            return self.run(self.rows, start)[0]
        if path == "partial":
            return self._in_two_parts()
        _, made = self._run(self.start, None)
        if not made.asked:
            raise Unsupported("it does not look its attention up by name")
        past = new_past(made, self.start)
        if path in PLANS:
            return torch.cat(self._with_gradient(self.rows, past, PLANS[path]))
        if path == "sparse":
            return self._sparse(past)
        self._learned_embeddings()
        return self._run(self.rows, past)[0]

    def seconds(self, path: Path) -> float:
        """Of forward and backward of rows as they come in training; the fastest of some, after one."""
        rows = Rows.of([[1] * length for length in TIMED_LENGTHS], 0, self.base.device)
        self._with_gradient(rows, None, PLANS[path])
        return min(_seconds(lambda: self._with_gradient(rows, None, PLANS[path])) for _ in range(TIMES))

    def _run(self, rows: Rows, past: Past | None, *, read: Tensor | None = None) -> tuple[Tensor, Pass]:
        return run_packed(self.base, self._embedded(rows), rows, past, self.make_masks(rows, past), read=read)

    def _above(self, states: Tensor, rows: Rows, past: Past | None) -> tuple[Tensor, Pass]:
        return run_packed(self.base, states[None], rows, past, self.make_masks(rows, past), first=1)

    def _embedded(self, rows: Rows) -> Tensor:
        return self.base.net.get_input_embeddings()(rows.ids)[None]

    def _learned_embeddings(self) -> None:
        """Whether the trunk runs what is no token's embedding, as a soft prompt is."""
        entered: list[bool] = []
        moved, masks = 1.01 * self._embedded(self.start), self.make_masks(self.start, None)
        with _hooked(self.base.stack[0].register_forward_pre_hook(lambda *_: entered.append(True))):
            try:
                run_packed(self.base, moved, self.start, None, masks)
            except (RuntimeError, ValueError) as error:
                if entered:
                    raise
                raise Unsupported("its trunk refuses embeddings that are no token's") from error

    def _sparse(self, past: Past) -> Tensor:
        """The last layer at two positions. A trunk that refuses what that layer gave wants the states of all."""
        given: list[bool] = []
        with _hooked(self.base.stack[-1].register_forward_hook(lambda *_: given.append(True))):
            try:
                return self._run(self.rows, past, read=torch.tensor([3, 4], device=self.base.device))[0]
            except RuntimeError as error:  # torch's word for a shape that does not fit
                if given and not isinstance(error, torch.OutOfMemoryError):
                    raise Unsupported("its trunk wants as many states as it was given") from error
                raise

    def _in_two_parts(self) -> Tensor:
        """The lowest layer, then those above it behind a past of theirs."""
        with _hooked(self.base.stack[0].register_forward_hook(_states_alone)):
            self._run(self.start, None)
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


def _ordinary(base: Base) -> list[int]:
    """Seven tokens from all over the vocabulary. The first ones are often special, hardly trained, and magnify what
    rounding does (SmolLM2 in bfloat16: sixfold)."""
    words = base.net.get_input_embeddings().weight.shape[0]
    return [words * at // 9 for at in range(1, 8)]


@contextmanager
def _hooked(handle: RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


def _states_alone(layer: nn.Module, given: object, output: object) -> None:
    if not isinstance(output, Tensor):
        raise Unsupported("its layers give more than their states")


def _seconds(work: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began

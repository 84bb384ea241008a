"""The ceiling of a piece of work: its matmuls alone, on the model's own weights, and nothing else.

A frozen layer costs two matmuls per linear map, forward x W^T and input gradient g W; a trained one a third,
g^T x; scoring only the first. Rows are those that the task needs, each once: no padding, no repeated start, the
head at trained tokens alone. Attention itself, norms and low-rank updates are left out, so the ceiling is a little
higher than any exact engine can come. Weights differ from layer to layer, so the processor's caches are used as in
the work itself.
"""

from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tuneoff.models.base import Base
from tuneoff.models.sites import LINEAR

__all__ = ["Ceiling", "Rows"]

Passes = Literal["forward", "frozen", "trained"]


class Rows(NamedTuple):
    """Of one step: rows through the layers, and through the head."""

    layers: int
    head: int


class Ceiling:
    """passes: forward alone, with input gradients (frozen weights), or with weight gradients as well (trained)."""

    def __init__(self, base: Base, passes: Passes):
        modules = {id(site.module): site for site in base.sites(LINEAR)}
        self.layers = [_as_rows(site.module.weight, site.transposed) for site in modules.values()]
        self.head = base.net.get_output_embeddings().weight.detach()
        self.passes = passes
        self._buffer = cache(self._new_buffer)

    def run(self, rows: Rows) -> None:
        """The matmuls of one step."""
        work = [*((weight, rows.layers) for weight in self.layers), (self.head, rows.head)]
        for weight, count in work:
            torch.mm(self._of("x", count, weight.shape[1]), weight.T, out=self._of("y", count, weight.shape[0]))
        if self.passes == "forward":
            return
        for weight, count in reversed(work):
            g, x = self._of("g", count, weight.shape[0]), self._of("x", count, weight.shape[1])
            torch.mm(g, weight, out=self._of("gx", count, weight.shape[1]))
            if self.passes == "trained":
                torch.mm(g.T, x, out=self._buffer("gw", *weight.shape))

    def _of(self, name: str, count: int, width: int) -> Tensor:
        """The first rows of a buffer that grows by doubling."""
        return self._buffer(name, 1 << max(0, count - 1).bit_length(), width)[:count]

    def _new_buffer(self, name: str, rows: int, width: int) -> Tensor:
        filled: Callable[..., Tensor] = torch.randn if name in ("x", "g") else torch.empty
        return filled(rows, width, dtype=self.head.dtype, device=self.head.device)


def _as_rows(weight: Tensor, transposed: bool) -> Tensor:
    weight = weight.detach()
    return weight.T if transposed else weight

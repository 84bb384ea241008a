"""The last layer where it is read: keys and values at all positions, everything behind attention at some.

    layer(x_N), ended once attention has its outcome -> keys, values [N], out [N]
    layer(x_M), given out[read] for its attention    -> states [M]

Nothing above the last layer mixes positions, so that a position nobody reads needs no output projection, no
feed-forward part and no final norm there. The layer itself says how these go together: it is called twice, and no
architecture is spelled out. Its queries, keys and values at the M positions are made a second time for that, which is
a tenth of what is saved where one position in ten is read.

Letters: N positions, M of them that are read, E width.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

__all__ = ["Attended", "Halfway", "read_only", "said_by"]


class Attended(Exception):
    """Raised by attention, with its outcome [1, N, ...], where the rest of the layer is for some positions only."""

    def __init__(self, out: Tensor):
        super().__init__()
        self.out = out


class Halfway(Protocol):
    """A run of the trunk. stops: whether attention ends the layer. attended: what attention gives without looking."""

    stops: bool
    attended: Tensor | None


@contextmanager
def read_only(layer: nn.Module, run: Halfway, read_M: Tensor, look: Callable[[Tensor], None]) -> Iterator[None]:
    """Inside the block `layer` gives the states of the positions `read` alone. look: told them before the second call,
    by which time whoever acts inside the layer has to expect M positions."""
    whole = layer.forward

    def forward(x_1NE, *args, **asked):
        def at_read(value):
            return _picked(value, x_1NE.shape[:2], read_M)

        run.stops = True
        try:
            return whole(x_1NE, *args, **asked)[:, read_M]
        except Attended as over:
            run.attended = over.out[:, read_M]
        look(read_M)
        return whole(at_read(x_1NE), *map(at_read, args), **{name: at_read(value) for name, value in asked.items()})

    with said_by(layer, forward):
        yield


@contextmanager
def said_by(layer: nn.Module, forward: Callable[..., Tensor]) -> Iterator[None]:
    """Inside the block a layer says something else; hooks on it and in it stay."""
    own = layer.__dict__.get("forward")
    layer.forward = forward
    try:
        yield
    finally:
        del layer.forward
        if own is not None:
            layer.forward = own


def _picked(value, positions: torch.Size, read_M: Tensor):
    """What a layer is given, at the positions that are read: states, positions, rotations."""
    if isinstance(value, tuple):
        return tuple(_picked(each, positions, read_M) for each in value)
    if isinstance(value, Tensor) and value.shape[:2] == positions:
        return value[:, read_M]
    return value

"""The layers below all that learns, left out: the states that enter the lowest learning layer never change.

    below:  ids    -> layers 0 .. k-1 -> states [N, E]      once, and kept
    above:  states -> layers k .. L-1 -> hidden [N, E]      at every step

The trunk itself runs either part, so positions, rotations and masks are its own: from below it is left at layer k, from
above the layers under k say nothing but the states.

Letters: N positions, E width, L layers, k the lowest one at which anything acts that is not the base's own.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from tuneoff.engine.last_layer import said_by

__all__ = ["Reached", "begins_above", "ends_before"]


class Reached(Exception):
    """Raised where a layer would begin, with the states [1, N, E] that enter it."""

    def __init__(self, states: Tensor):
        super().__init__()
        self.states = states


@contextmanager
def ends_before(layer: nn.Module) -> Iterator[None]:
    """Inside the block the trunk ends in Reached."""

    def forward(x_1NE, *_, **__):
        raise Reached(x_1NE)

    with said_by(layer, forward):
        yield


@contextmanager
def begins_above(layers: Sequence[nn.Module], states_1NE: Tensor) -> Iterator[None]:
    """Inside the block `layers`, the lowest ones, are left out: what comes out of them is known."""
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(said_by(layer, lambda *_, **__: states_1NE))
        yield

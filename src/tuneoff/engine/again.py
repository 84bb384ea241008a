"""Layers that are run once more in the backward: of all that one computes, only what enters it is kept till then.

    with again():                      kept: of each layer but the last [N, E]; time: a forward more
        loss(batch).backward()         inside, so that what is worn is still worn

What a layer asks of the pass under way (its plan, its past, which positions are virtual) has to be as it was when it
ran first, so the pass takes itself up again before each (Chen et al. 2016, arXiv 1604.06174, for one layer a segment).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar

from torch import nn
from torch.utils.checkpoint import checkpoint

from tuneoff.engine.last_layer import said_by

__all__ = ["again", "run_again"]

_asked: ContextVar[bool] = ContextVar("layers run again in the backward", default=False)


@contextmanager
def again() -> Iterator[None]:
    """Inside the block packed passes keep as little as they can for their backward."""
    token = _asked.set(True)
    try:
        yield
    finally:
        _asked.reset(token)


@contextmanager
def run_again(layers: Sequence[nn.Module], resume: Callable[[], AbstractContextManager]) -> Iterator[None]:
    """Inside the block these layers keep what enters them, if that is asked for. resume: takes up the pass again."""
    with ExitStack() as stack:
        for layer in layers if _asked.get() else ():
            stack.enter_context(said_by(layer, _kept_out(layer.forward, resume)))
        yield


def _kept_out(whole: Callable, resume: Callable[[], AbstractContextManager]) -> Callable:
    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), resume()  # of the first run, and of the one in the backward

    def forward(*args, **asked):
        return checkpoint(whole, *args, use_reentrant=False, preserve_rng_state=False, context_fn=contexts, **asked)

    return forward

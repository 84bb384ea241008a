"""Work within the memory that is free: a batch goes through whole, or in as few parts as it takes.

    mean = sum(fit.run(batch, learn, undo=optimiser.zero_grad))     learn(part): forward and backward of a part

A part's loss is summed over its trained tokens and divided by those of the whole batch, so that the gradients of the
parts add up to the batch's: halving a batch changes memory and nothing else. A try that runs out of memory is taken
back and begun again with half the rows; the size that went through is kept for the batches after it.

On a GPU the allocator says when memory is used up. A system with processors alone kills instead of saying, so what is
free is looked at while the forward pass keeps what its backward will need, and the try ends before it is too late.

The last resort, where one row is too much: layers are run once more in the backward (engine/again.py), and what a GPU
keeps for it waits in the processor's memory.
"""

import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import psutil
import torch
from torch import Tensor
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks

from tuneoff.core.errors import ResourceError
from tuneoff.core.machine import free_memory
from tuneoff.engine.again import again

__all__ = ["Fit", "out_of_memory"]

LOOK_BYTES = 32 << 20  # kept between two looks at what is free: a look takes 50 microseconds
RESERVE = 0.03  # of all memory: the backward's own needs, and what others take meanwhile

Row = TypeVar("Row")
Result = TypeVar("Result")


class Fit:
    """rows: how many go through at once; None: all that are asked for. It only ever shrinks.

    sparing: whether a row keeps as little as it can for its backward.
    """

    def __init__(self, device: torch.device, rows: int | None = None):
        self.device, self.rows, self.sparing = device, rows, False

    def run(
        self, batch: Sequence[Row], once: Callable[[Sequence[Row]], Result], undo: Callable[[], object] = lambda: None
    ) -> list[Result]:
        """What `once` gives for each part, in order. undo: takes back what the parts of a broken try left behind.

        Raises ResourceError where a single row is too much.
        """
        while True:
            size = max(1, min(self.rows or len(batch), len(batch)))
            try:
                with self._room():
                    return [once(batch[at : at + size]) for at in range(0, len(batch), size)]
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                if size == 1 and self.sparing:
                    raise _too_little(self.device) from error
            undo()
            self.rows, self.sparing = -(-size // 2), size == 1
            warnings.warn(_shrunk(size, self.rows), RuntimeWarning, stacklevel=2)
            _release(self.device)  # outside the handler: the error's traceback holds the broken try's tensors

    @contextmanager
    def _room(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(watched_memory(self.device))
            if self.sparing:
                stack.enter_context(again())
                if self.device.type != "cpu":
                    stack.enter_context(save_on_cpu())
            yield


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up; PyTorch's processor allocator tells it in words alone."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in told or "MPS backend out of memory" in told)


@contextmanager
def watched_memory(device: torch.device) -> Iterator[None]:
    """Raises MemoryError inside the block when a processor's memory is nearly used up. Elsewhere it does nothing."""
    if device.type != "cpu":
        yield
        return
    reserve = int(psutil.virtual_memory().total * RESERVE)
    since = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal since
        since += tensor.nbytes
        if since > LOOK_BYTES:
            since = 0
            if free_memory() < reserve:
                raise MemoryError(f"less than {reserve >> 20} MB of memory are free")
        return tensor.detach()  # a step's outcome kept as it is would hold the step that holds it, for ever

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        yield


def _release(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _shrunk(size: int, rows: int) -> str:
    if size == 1:
        return "one row at once ran out of memory: layers run once more in the backward from here on, which is slower"
    return f"{size} rows at once ran out of memory: {rows} go through from here on, with the same result"


def _too_little(device: torch.device) -> ResourceError:
    return ResourceError(
        "one record alone does not fit into memory",
        where=str(device),
        fix="write max_length under [train] or a smaller model under [model], or free some memory; "
        "the same command goes on from the last checkpoint",
    )

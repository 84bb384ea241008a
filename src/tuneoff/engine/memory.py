"""How much memory a piece of work takes above what was there before it."""

import ctypes
import gc
import threading
from contextlib import nullcontext
from types import SimpleNamespace

import psutil
import torch

__all__ = ["PeakMemory"]

INTERVAL_S = 0.005


class PeakMemory:
    """bytes: the peak inside the block, less what was held at its start.

    On a GPU the allocator's own peak; elsewhere the process's resident memory, looked at every 5 ms (memory that
    an earlier job freed is given back to the system first, so that it does not hide this one's).
    """

    def __init__(self):
        self.bytes = 0
        self._over = threading.Event()

    @staticmethod
    def off():
        """The same shape, measuring nothing."""
        return nullcontext(SimpleNamespace(bytes=None))

    def __enter__(self) -> "PeakMemory":
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
            return self
        _give_back()
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_) -> None:
        if torch.cuda.is_available():
            self.bytes = torch.cuda.max_memory_allocated() - self._before
            return
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            self.bytes = max(self.bytes, self._process.memory_info().rss - self._before)
            self._over.wait(INTERVAL_S)


def _give_back() -> None:
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):  # not glibc: the figure is then a lower bound
        return

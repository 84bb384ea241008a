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

    On an NVIDIA GPU the allocator's own peak; on a processor the process's resident memory, looked at every 5 ms
    (memory that an earlier job freed is given back to the system first, so that it does not hide this one's).
    """

    def __init__(self, device: torch.device):
        self.bytes: int | None = None if device.type == "mps" else 0
        self.device = device
        self._over = threading.Event()

    @staticmethod
    def off():
        """The same shape, measuring nothing."""
        return nullcontext(SimpleNamespace(bytes=None))

    def __enter__(self) -> "PeakMemory":
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        if self.device.type != "cpu":
            return self
        _give_back()
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_) -> None:
        if self.device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self.device) - self._before
        if self.device.type == "cpu":
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

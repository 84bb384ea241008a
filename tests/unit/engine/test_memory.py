"""Peak memory is what the block took, not what was there before."""

import os
import sys

import pytest
import torch

from tuneoff.engine.memory import PeakMemory

BLOCK = 64 << 20
CPU = torch.device("cpu")


def touched(size):
    return bytearray(os.urandom(1 << 20) * (size >> 20))


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is given back at once on Linux only")
def test_the_peak_is_seen_though_it_is_gone_at_the_end():
    held = touched(BLOCK)
    with PeakMemory(CPU) as memory:
        block = touched(2 * BLOCK)
        memory._over.wait(0.05)
        del block
    assert 1.5 * BLOCK < memory.bytes < 4 * BLOCK
    assert len(held) == BLOCK


def test_nothing_taken_is_little():
    with PeakMemory(CPU) as memory:
        sum(range(1000))
    assert 0 <= memory.bytes < BLOCK


def test_off_measures_nothing():
    with PeakMemory.off() as memory:
        pass
    assert memory.bytes is None


def test_an_exception_goes_through_and_the_watcher_ends():
    memory = PeakMemory(CPU)
    with pytest.raises(ValueError, match="on purpose"), memory:
        raise ValueError("on purpose")
    assert not memory._watcher.is_alive()


def test_where_nothing_can_tell_it_is_unknown_and_not_zero():
    with PeakMemory(torch.device("mps")) as memory:
        pass
    assert memory.bytes is None

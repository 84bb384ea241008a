"""Fair batches of alike lengths: shuffle, sort inside windows, shuffle the batches."""

from collections.abc import Sequence

import numpy as np

from tuneoff.core.seeds import stream

__all__ = ["batches", "by_length", "epoch_steps"]

WINDOW = 50  # batches sorted together: long enough for 5 % padding, short enough that the order stays random


def batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of one epoch, as indices; every index once, the same for the same seed and epoch."""
    rng = np.random.default_rng(stream(seed, "order", epoch))
    order = rng.permutation(len(lengths))
    made = []
    for at in range(0, len(order), WINDOW * size):
        window = sorted(order[at : at + WINDOW * size], key=lambda index: lengths[index])
        made += [[int(i) for i in window[start : start + size]] for start in range(0, len(window), size)]
    return [made[i] for i in rng.permutation(len(made))]


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Batches for scoring, longest first (what does not fit in memory fails at once)."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    return [order[at : at + size] for at in range(0, len(order), size)]


def epoch_steps(records: int, size: int) -> int:
    """Optimiser steps in one epoch."""
    return -(-records // size)

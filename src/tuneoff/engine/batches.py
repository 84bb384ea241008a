"""Batches of alike lengths. Fair ones for training: shuffle, sort inside windows, shuffle the batches. For scoring and
writing: as many records as fit into a budget of tokens, so that short ones go many at a time and long ones few.
"""

from collections.abc import Sequence

import numpy as np
import torch

from tuneoff.core.seeds import stream

__all__ = ["batches", "by_length", "epoch_steps", "scored_tokens", "written_tokens"]

CPU_TOKENS, GPU_TOKENS = 1024, 8192
WRITTEN_TOKENS = 8192  # 64 rows or so: a step reads all weights once, for one row as for many
WRITTEN_BYTES = 512 << 20  # of keys and values that a batch may hold while it is written
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


def by_length(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Batches for scoring, longest first (what does not fit in memory fails at once).

    tokens: the most positions of a batch; a record longer than that is a batch of its own.
    """
    made: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if not made or room < lengths[index]:
            made.append([])
            room = tokens
        made[-1].append(index)
        room -= lengths[index]
    return made


def scored_tokens(device: torch.device) -> int:
    """Positions of a scoring batch: where more of them no longer make a position cheaper."""
    return CPU_TOKENS if device.type == "cpu" else GPU_TOKENS


def written_tokens(bytes_per_token: int) -> int:
    """Positions of a batch that is written, prompts and half of the room for answers. It follows from the model alone,
    not from what memory is free, because the last bits of an answer depend on its company."""
    return max(CPU_TOKENS, min(WRITTEN_TOKENS, WRITTEN_BYTES // bytes_per_token))


def epoch_steps(records: int, size: int) -> int:
    """Optimiser steps in one epoch."""
    return -(-records // size)

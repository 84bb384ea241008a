"""What a request costs once an arm is in use, measured: the wait for its first token, speed after it, memory.

    first_token_ms   the prompt run whole (soft prompt and demonstrations with it) and the first token chosen
    tokens_per_s     of the tokens after it, of all requests of the batch together
    cache_bytes      keys and values that the batch holds when its first tokens come

Medians over repeats on real prompts. A server that keeps the keys and values of a shared beginning waits less; that
is not assumed here. At batch 16, sixteen requests come at once and the first token is the last one's.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from statistics import fmean, median
from typing import NamedTuple

import torch
from torch import Tensor

from tuneoff.engine.attach import Worn
from tuneoff.engine.past import Past
from tuneoff.evaluation.request import Told, ahead, run_whole

__all__ = ["Served", "serve", "warm_up"]

NEW_TOKENS = 8
SECONDS = 1.0  # per batch size; one repeat is made whatever it takes
MOST_REPEATS = 5


class Served(NamedTuple):
    """requests: how many were measured, repeats times batch."""

    first_token_ms: float
    tokens_per_s: float
    cache_bytes: float
    requests: int


class Repeat(NamedTuple):
    first_s: float
    later_s: float
    cache_bytes_per_position: float


@torch.no_grad()
def warm_up(worn: Worn, prompts: Sequence[Sequence[int]]) -> None:
    """A request whose times do not count: the first one pays for kernels and memory that all later ones share."""
    _repeat(worn, prompts[:1])


@torch.no_grad()
def serve(worn: Worn, prompts: Sequence[Sequence[int]], batch: int, *, seconds: float = SECONDS) -> Served:
    """Measure requests of one batch size, for about so many seconds. prompts: real ones, taken in turn."""
    turns, began, repeats = cycle(prompts), time.perf_counter(), []
    while not repeats or (len(repeats) < MOST_REPEATS and time.perf_counter() - began < seconds):
        repeats.append(_repeat(worn, list(islice(turns, batch))))
    positions = worn.taken + fmean(len(prompt) for prompt in prompts)
    return Served(
        first_token_ms=1e3 * median(each.first_s for each in repeats),
        tokens_per_s=batch * NEW_TOKENS / median(each.later_s for each in repeats),
        cache_bytes=repeats[0].cache_bytes_per_position * positions * batch,
        requests=batch * len(repeats),
    )


def _repeat(worn: Worn, prompts: Sequence[Sequence[int]]) -> Repeat:
    began = time.perf_counter()
    told = run_whole(worn, prompts)
    token = _likeliest(worn, told)
    first = time.perf_counter()
    for _ in range(NEW_TOKENS):
        told = ahead(worn, told, token)
        token = _likeliest(worn, told)
    return Repeat(first - began, time.perf_counter() - first, _bytes_per_position(told.prompt))


def _likeliest(worn: Worn, told: Told) -> Tensor:
    """[R] next tokens, read as a server must to send them: on a GPU this waits until they are there."""
    token = worn.base.head(told.last).argmax(dim=-1)
    token.tolist()
    return token


def _bytes_per_position(past: Past) -> float:
    """Of the keys and values of all layers."""
    block = past.blocks[-1]
    held = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(block))
    return held / block.position.numel()


def _tensors(block: Past) -> Iterator[Tensor]:
    yield from block.keys
    yield from block.values

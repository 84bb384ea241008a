"""Hidden states of a frozen model, one forward pass a record, pooled over its tokens: what a probe reads.

    pooled_states(worn, prompts, (5, 10, 15, 20, 25, 30), Own(34, 5)) -> [160, 6, 2, 576]

State k of a token is what layer k says of it, counted from 1; the last layer's stands behind the model's final norm, so
these are `hidden_states[k]` of transformers. The start that all prompts share runs once.

Letters: R records, N tokens of a batch, L layers that are read, P = 2 poolings (models/adapt.py), E width.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import by_length, scored_tokens
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import shared_start
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows
from tuneoff.models.adapt import POOLINGS

__all__ = ["Own", "own_tokens", "pooled_states"]


class Own(NamedTuple):
    """Which tokens of a prompt are a record's own: all but so many first and last ones, which every prompt has."""

    before: int = 0
    behind: int = 0


def own_tokens(prompts: Sequence[Sequence[int]]) -> Own:
    """What these prompts start and end with alike is not a record's own."""
    before = shared_start(prompts)
    return Own(before, shared_start([prompt[:before:-1] for prompt in prompts]))


@torch.no_grad()
def pooled_states(
    worn: Worn, prompts: Sequence[Sequence[int]], layers: Sequence[int], own: Own, cache: ContextCache | None = None
) -> Tensor:
    """[R, L, P, E] in float32 on the processor. layers: from 1 to the number of layers, in rising order.

    The last bits depend on the company that a record is read in: ask for the same records together.
    """
    shared = min(shared_start(prompts), own.before)
    contexts = Contexts(worn, prompts[0][:shared], cache, fixed=True)
    start = contexts.start()
    pooled = torch.empty(len(prompts), len(layers), len(POOLINGS), worn.base.width, device="cpu")
    for batch in by_length([len(prompt) - shared for prompt in prompts], scored_tokens(worn.base.device)):
        texts = [prompts[at][shared:] for at in batch]
        rows = Rows.of(texts, contexts.offset(start), worn.base.device)
        pooled[batch] = _pooled(rows, _states(worn, rows, start, layers), own._replace(before=own.before - shared))
    return pooled


def _states(worn: Worn, rows: Rows, start: Past | None, layers: Sequence[int]) -> Tensor:
    """[L, N, E]: what each of these layers says of each token."""
    with _said(worn, layers) as said:
        last, _ = worn.run(rows, start, keep=False)
    inner = [states[0] if worn.packed else states[rows.index >= 0] for states in said]
    return torch.stack([*inner, last] if worn.base.layers in layers else inner)


@contextmanager
def _said(worn: Worn, layers: Sequence[int]) -> Iterator[list[Tensor]]:
    """What the layers below the last one say inside the block, in their order."""
    said: list[Tensor] = []

    def keep(_, __, output):
        said.append(output if isinstance(output, Tensor) else output[0])

    hooks = [worn.base.stack[layer - 1].register_forward_hook(keep) for layer in layers if layer < worn.base.layers]
    try:
        yield said
    finally:
        for hook in hooks:
            hook.remove()


def _pooled(rows: Rows, states_LNE: Tensor, own: Own) -> Tensor:
    """[R, L, P, E]; a record of which nothing is its own has its last token as its mean."""
    pooled, first = [], 0
    for length in rows.lengths:
        states = states_LNE[:, first : first + length].float()
        begin = min(own.before, length - 1)
        text = states[:, begin : max(length - own.behind, begin + 1)]
        pooled.append(torch.stack([states[:, -1], text.mean(1)], dim=1))
        first += length
    return torch.stack(pooled).cpu()

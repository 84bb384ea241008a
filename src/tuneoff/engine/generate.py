"""Greedy decoding in batches: the shared start once, finished rows leave the batch."""

from collections.abc import Collection, Sequence
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
from tuneoff.engine.score import after_prompt

__all__ = ["Written", "generate"]


class Written(NamedTuple):
    """ids: without the token that ended it. ended: whether the model ended it itself."""

    ids: list[int]
    ended: bool


@torch.no_grad()
def generate(
    worn: Worn,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    stops: Collection[int],
    cache: ContextCache | None = None,
    batch_tokens: int | None = None,
) -> list[Written]:
    """The most likely continuation of each prompt, token by token.

    batch_tokens: positions of the prompts that go together; None: by device.
    """
    contexts = Contexts(worn, prompts[0][: shared_start(prompts)], cache, fixed=True, onward=True)
    start = contexts.start()
    written: list[Written] = [Written([], False)] * len(prompts)
    lengths = [len(prompt) - len(contexts.shared) for prompt in prompts]
    for rows in by_length(lengths, batch_tokens or scored_tokens(worn.base.device)):
        past, last = contexts.run(start, [prompts[i] for i in rows])
        past, last = after_prompt(worn, past, last)
        for at, row in zip(rows, _continue(worn, past, last, max_tokens, stops)):
            written[at] = row
    return written


def _continue(worn: Worn, past: Past, last: Tensor, max_tokens: int, stops: Collection[int]) -> list[Written]:
    texts: list[list[int]] = [[] for _ in range(len(last))]
    ended = [False] * len(last)
    live = list(range(len(last)))
    written: Past | None = None  # grows apart from the prompts, which are never copied again
    for _ in range(max_tokens):
        token = worn.base.head(last).argmax(dim=-1)
        for row, word in zip(live, token.tolist()):
            if word in stops:
                ended[row] = True
            else:
                texts[row].append(word)
        going = [at for at, row in enumerate(live) if not ended[row]]
        if not going:
            break
        if len(going) < len(live):
            kept = torch.tensor(going, device=last.device)
            past, token, live = past.select(kept), token[kept], [live[at] for at in going]
            written = None if written is None else written.select(kept)
        seen = past if written is None else written.behind(past)
        rows = Rows(token, seen.next_position, torch.full_like(token, -1), (1,) * len(live))
        last, own = worn.run(rows, seen)
        written = own if written is None else written.then(own)
    return [Written(text, end) for text, end in zip(texts, ended)]

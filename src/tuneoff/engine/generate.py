"""Greedy decoding in batches: the shared start once, many rows at a time, finished rows leave the batch.

A step reads every weight of the model once, for one row as for sixty: on one core, SmolLM2-135M takes 17 ms a token
with one row and 3 ms with sixty. What the right answer would have cost is read behind the same prompts.

Letters: R rows, E width.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import by_length, written_tokens
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import shared_start
from tuneoff.engine.head import answer_nll
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows
from tuneoff.engine.score import after_prompt

__all__ = ["Written", "generate", "go_on", "prompts_read", "writing_batches"]

LEAVING = 8  # one row in so many has ended: they leave together, because what is kept of the others is copied then
BLOCK = 32  # tokens that are written into one block of the past; a longer one would be copied at every step


@dataclass(frozen=True, slots=True)
class Written:
    """ids: without the token that ended it. ended: whether the model ended it itself. nll: nats of the right answer,
    where it was given."""

    ids: list[int]
    ended: bool
    nll: float | None = None


@torch.no_grad()
def generate(
    worn: Worn,
    prompts: Sequence[Sequence[int]],
    *,
    max_tokens: int,
    stops: Collection[int],
    answers: Sequence[Sequence[int]] | None = None,
    cache: ContextCache | None = None,
    batch_tokens: int | None = None,
) -> list[Written]:
    """The most likely continuation of each prompt, token by token, as far as the model's context goes.

    answers: the right ones (ids with end-of-turn), whose loss is taken as well. batch_tokens: positions that go
    together; None: by the model.
    """
    written: list[Written] = [Written([], False)] * len(prompts)
    for rows, past, last in prompts_read(worn, prompts, max_tokens, cache, batch_tokens):
        texts = go_on(worn, past, last, max_tokens, stops)
        if answers is not None:
            losses = _losses(worn, past, last, [answers[i] for i in rows])
            texts = [replace(text, nll=nll) for text, nll in zip(texts, losses)]
        for at, text in zip(rows, texts):
            written[at] = text
    return written


def prompts_read(
    worn: Worn,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    cache: ContextCache | None = None,
    batch_tokens: int | None = None,
) -> Iterator[tuple[list[int], Past, Tensor]]:
    """Batch by batch: which prompts are in it, their past with all virtual positions, and the last states [R, E]."""
    contexts = Contexts(worn, prompts[0][: shared_start(prompts)], cache, fixed=True, onward=True)
    start = contexts.start()
    lengths = [len(prompt) - len(contexts.shared) for prompt in prompts]
    for rows in writing_batches(lengths, max_tokens, batch_tokens or written_tokens(worn.base.bytes_per_token)):
        past, last = contexts.run(start, [prompts[i] for i in rows])
        yield rows, *after_prompt(worn, past, last)


def writing_batches(lengths: Sequence[int], max_tokens: int, tokens: int) -> list[list[int]]:
    """Which prompts are written together. lengths: their own positions. Most answers end before their room does."""
    return by_length([length + max_tokens // 2 for length in lengths], tokens)


@torch.no_grad()
def go_on(worn: Worn, past: Past, last: Tensor, max_tokens: int, stops: Collection[int]) -> list[Written]:
    """Write behind prompts that were read."""
    texts: list[list[int]] = [[] for _ in range(len(last))]
    ended = [False] * len(last)
    live = list(range(len(last)))
    room = [worn.base.context - position for position in past.next_position.expand(len(last)).tolist()]
    written: Past | None = None  # grows apart from the prompts, which are copied where rows leave alone
    for step in range(max_tokens):
        token = worn.base.head(last).argmax(dim=-1)
        for row, word in zip(live, token.tolist()):
            if word in stops:
                ended[row] = True
            elif not ended[row]:
                texts[row].append(word)
        going = [at for at, row in enumerate(live) if not ended[row] and step < room[row]]
        if not going:
            break
        full = any(step >= room[row] for row in live)
        if full or LEAVING * (len(live) - len(going)) >= len(live):
            kept = torch.tensor(going, device=last.device)
            past, token, live = past.select(kept), token[kept], [live[at] for at in going]
            written = None if written is None else written.select(kept)
        if written is not None and written.position.shape[1] == BLOCK:
            past, written = written.behind(past), None
        seen = past if written is None else written.behind(past)
        rows = Rows(token, seen.next_position, torch.full_like(token, -1), (1,) * len(live))
        last, own = worn.run(rows, seen)
        written = own if written is None else written.then(own)
    return [Written(text, end) for text, end in zip(texts, ended)]


def _losses(worn: Worn, past: Past, last_RE: Tensor, answers: Sequence[Sequence[int]]) -> list[float]:
    """Nats of each row's answer behind its prompt. The last token is run as well, so that no row is empty."""
    device = last_RE.device
    rows = Rows.of([list(answer) for answer in answers], past.next_position, device)
    hidden, _ = worn.run(rows, past, keep=False)
    behind = [at for row, end in enumerate(rows.ends.tolist()) for at in _told(row, end, len(answers), rows.lengths)]
    states = torch.cat([last_RE, hidden])[torch.tensor(behind, device=device)]
    nll = answer_nll(worn.base, states, rows.ids)
    row = torch.arange(len(answers), device=device).repeat_interleave(torch.tensor(rows.lengths, device=device))
    return nll.new_zeros(len(answers)).index_add(0, row, nll).tolist()


def _told(row: int, end: int, rows: int, lengths: Sequence[int]) -> list[int]:
    """Where the states stand that tell a row's tokens: the prompt's last one, then those of its tokens but the last."""
    return [row, *range(rows + end + 1 - lengths[row], rows + end)]

"""Minus log-likelihood of answers, with the head applied at trained positions only.

    loss = sum over trained tokens of -log p(token | all before it)

Returned as a sum with its count, so that batching and accumulation never change what is minimised: the caller
divides by the trained tokens of the whole optimiser step.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tuneoff.engine.attach import Worn
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import Example
from tuneoff.engine.head import answer_nll, wide
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows
from tuneoff.models.base import Base

__all__ = ["Loss", "answer_loss", "answer_rows", "losses_at", "plain_loss", "step_loss", "trained_places"]


class Loss(NamedTuple):
    """per_record: [R] summed nats. tokens: trained tokens in all. computed: real positions run behind the start."""

    per_record: Tensor
    tokens: int
    computed: int


def answer_loss(contexts: Contexts, start: Past | None, batch: Sequence[Example]) -> Loss:
    """The fast path: behind a start that was run once, and behind kept contexts where nothing acts on the text."""
    past = start
    if contexts.behind_prompts:
        past, _ = contexts.run(start, [example.ids.prompt for example in batch])
    first = 0 if past is None else past.next_position.expand(len(batch))
    rows = answer_rows(contexts, batch, first)
    states = None if contexts.states is None else contexts.states.of(rows)
    hidden, _ = contexts.worn.run(rows, past, keep=False, read=trained_places(rows, batch), states=states)
    return losses_at(contexts.worn.base, hidden, batch, len(rows.ids))


def step_loss(contexts: Contexts, batch: Sequence[Example]) -> Loss:
    """The same with a start of its own: in the rows' own pass where it has to run at every step and can."""
    if not contexts.starts_along:
        return answer_loss(contexts, contexts.start(), batch)
    first = contexts.worn.first_past()
    start = contexts.start_row(contexts.offset(first))
    rows = answer_rows(contexts, batch, contexts.offset(first) + len(start.ids))
    hidden = contexts.worn.run_along(start, rows, first, read=trained_places(rows, batch))
    return losses_at(contexts.worn.base, hidden, batch, len(rows.ids))


def answer_rows(contexts: Contexts, batch: Sequence[Example], first: Tensor | int) -> Rows:
    """What is still to run of each record: its own text where that is not kept, virtual positions, the answer.

    first: the position of each row's first token.
    """
    after = contexts.worn.virtual_ids("after")
    shared = len(contexts.shared)
    texts = [[] if contexts.behind_prompts else list(example.ids.prompt[shared:]) for example in batch]
    answers = [list(example.ids.answer[:-1]) for example in batch]
    ids = [text + [0] * len(after) + answer for text, answer in zip(texts, answers)]
    owners = [[-1] * len(text) + after + [-1] * len(answer) for text, answer in zip(texts, answers)]
    return Rows.of(ids, first, contexts.worn.base.device, owners)


def plain_loss(worn: Worn, batch: Sequence[Example]) -> Loss:
    """The definition of correct: each record alone, whole, all logits, nothing shared and nothing kept."""
    sums = []
    for example in batch:
        before, after = worn.virtual_ids("before"), worn.virtual_ids("after")
        prompt, answer = list(example.ids.prompt), list(example.ids.answer)
        ids = [0] * len(before) + prompt + [0] * len(after) + answer
        owner = before + [-1] * len(prompt) + after + [-1] * len(answer)
        device = worn.base.device
        first = worn.first_past()
        offset = 0 if first is None else first.position.shape[1]
        ids_1T = torch.tensor([ids], device=device)
        position = offset + torch.arange(len(ids), device=device)[None]
        real = torch.ones_like(ids_1T, dtype=torch.bool)
        hidden, _ = worn.advance(ids_1T, position, real, first, torch.tensor([owner], device=device))
        logits_TV = worn.base.head(hidden[0])
        n = len(answer)
        sums.append(
            functional.cross_entropy(wide(logits_TV[-n - 1 : -1]), torch.tensor(answer, device=device), reduction="sum")
        )
    return Loss(torch.stack(sums), sum(len(example.ids.answer) for example in batch), 0)


def trained_places(rows: Rows, batch: Sequence[Example]) -> Tensor:
    """[trained tokens]: the places whose next token is trained, the last ones of each row."""
    lengths = [len(example.ids.answer) for example in batch]
    back = torch.tensor([length - 1 - i for length in lengths for i in range(length)], device=rows.ids.device)
    return rows.ends.repeat_interleave(torch.tensor(lengths, device=rows.ids.device)) - back


def losses_at(base: Base, hidden: Tensor, batch: Sequence[Example], computed: int) -> Loss:
    """The loss of each record from the hidden states [trained tokens, width] at its trained places."""
    answers = [example.ids.answer for example in batch]
    device = hidden.device
    length = torch.tensor([len(answer) for answer in answers], device=device)
    row = torch.arange(len(answers), device=device).repeat_interleave(length)
    target = torch.tensor([token for answer in answers for token in answer], device=device)
    nll = answer_nll(base, hidden, target)
    per_record = nll.new_zeros(len(batch)).index_add(0, row, nll)
    return Loss(per_record, len(nll), computed)

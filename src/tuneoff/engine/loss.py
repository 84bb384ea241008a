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
from tuneoff.engine.context import Contexts, padded
from tuneoff.engine.examples import Example
from tuneoff.engine.past import Past

__all__ = ["Loss", "answer_loss", "plain_loss"]


class Loss(NamedTuple):
    """per_record: [R] summed nats. tokens: trained tokens in all. computed: real positions run for it."""

    per_record: Tensor
    tokens: int
    computed: int


def answer_loss(contexts: Contexts, start: Past | None, batch: Sequence[Example]) -> Loss:
    """The fast path: behind a start that was run once, and behind kept contexts where nothing acts on the text."""
    worn = contexts.worn
    after = worn.virtual_ids("after")
    answers = [list(example.ids.answer) for example in batch]
    if contexts.cache is not None and after:
        past, _ = contexts.run(start, [example.ids.prompt for example in batch])
        heads: list[list[int]] = [[] for _ in batch]
    else:
        past = None if start is None else start.expand(len(batch))
        heads = [list(example.ids.prompt[len(contexts.shared) :]) for example in batch]
    rows = [head + [0] * len(after) + answer[:-1] for head, answer in zip(heads, answers)]
    owners = [[-1] * len(head) + after + [-1] * (len(answer) - 1) for head, answer in zip(heads, answers)]
    ids, real = padded(rows, worn.base.device)
    owner, _ = padded(owners, worn.base.device, fill=-1)
    first = 0 if past is None else past.next_position[:, None]
    position = first + torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    hidden, _ = worn.advance(ids, position, real, past, owner)
    nll, row = _nll_at_answers(worn, hidden, [len(r) for r in rows], answers)
    per_record = nll.new_zeros(len(batch)).index_add(0, row, nll)
    return Loss(per_record, len(nll), sum(map(len, rows)))


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


def wide(logits: Tensor) -> Tensor:
    """Half precision is widened before the log-sum-exp; float32 and float64 stay as they are."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def _nll_at_answers(worn: Worn, hidden: Tensor, lengths: list[int], answers: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Minus log-probability of every trained token [N], and the row each belongs to [N]."""
    row = torch.tensor([r for r, answer in enumerate(answers) for _ in answer], device=hidden.device)
    at = torch.tensor(
        [lengths[r] - len(answer) + i for r, answer in enumerate(answers) for i in range(len(answer))],
        device=hidden.device,
    )
    target = torch.tensor([token for answer in answers for token in answer], device=hidden.device)
    logits_NV = worn.base.head(hidden[row, at])
    return functional.cross_entropy(wide(logits_NV), target, reduction="none"), row

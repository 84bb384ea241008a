"""Drift: how far an adapted model has moved from its base on texts that the base itself writes. Needs no data.

    drift = mean over positions of KL(p_base || p_adapted) = sum over words of p_base (log p_base - log p_adapted)

in nats per token, over texts sampled from the bare base at temperature 1. 0: it would still write what it wrote. The
distance from the base model is what forgetting follows (Shenfeld, Pari & Agrawal 2025, "RL's Razor", arXiv 2509.04259,
measure it on the new task's inputs). Half of the texts start from nothing, half as the answer to an empty turn, where
the model has turns. A soft prompt stands where it stands when the arm is asked.

Letters: M positions, V vocabulary.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from tuneoff.data.record import Message
from tuneoff.engine.attach import Worn
from tuneoff.engine.head import wide
from tuneoff.evaluation.request import Told, ahead, run_whole, states_before
from tuneoff.models.base import Base

__all__ = ["OwnTexts", "drift", "own_texts"]

TEXTS, TOKENS = 8, 48
LOGIT_BYTES = 128 << 20  # of one chunk's logits, two of which exist at a time


@dataclass(frozen=True, slots=True, eq=False)
class OwnTexts:
    """What the bare base wrote, all of one length. states: per text, the hidden states that told it [tokens, width]."""

    starts: list[tuple[int, ...]]
    texts: list[list[int]]
    states: list[Tensor]


@torch.no_grad()
def own_texts(base: Base, seed: int, *, texts: int = TEXTS, tokens: int = TOKENS) -> OwnTexts:
    """Sample from the bare base; equal arguments give equal texts."""
    starts = _starts(base)
    starts = [starts[at % len(starts)] for at in range(texts)]
    with Worn(base) as worn:
        written = _sample(worn, starts, tokens, torch.Generator().manual_seed(seed))
        states = states_before(worn, starts, written).split(tokens)
    return OwnTexts(starts, written, list(states))


@torch.no_grad()
def drift(base: Base, own: OwnTexts, wear: Callable[[], AbstractContextManager[Worn]]) -> list[float]:
    """Nats per token, text by text. wear: puts the adaptation on, and takes it off at the end of its block.

    The base's own words are read from its kept states while nothing is worn, because what is worn may change the head.
    """
    tokens = len(own.texts[0])
    size = max(1, LOGIT_BYTES // (4 * tokens * base.net.get_output_embeddings().weight.shape[0]))
    found: list[float] = []
    for first in range(0, len(own.texts), size):
        chunk = slice(first, first + size)
        log_p = _log_probabilities(base, torch.cat(own.states[chunk]))
        with wear() as worn:
            log_q = _log_probabilities(base, states_before(worn, own.starts[chunk], own.texts[chunk]))
        found += _divergence(log_p, log_q).unflatten(0, (-1, tokens)).mean(dim=1).tolist()
    return found


def _log_probabilities(base: Base, states: Tensor) -> Tensor:
    return wide(base.head(states)).log_softmax(dim=-1)


def _divergence(log_p_MV: Tensor, log_q_MV: Tensor) -> Tensor:
    """[M] KL(p || q), written over log q."""
    gap = log_q_MV.neg_().add_(log_p_MV)
    return gap.mul_(log_p_MV.exp_()).sum(dim=-1)


def _starts(base: Base) -> list[tuple[int, ...]]:
    tokenizer = base.tokenizer
    opening = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    starts = [] if opening is None else [(opening,)]
    return starts + ([base.chat.prompt_ids((Message("user", ""),))] if base.chat.templated else [])


def _sample(worn: Worn, starts: Sequence[Sequence[int]], tokens: int, gen: torch.Generator) -> list[list[int]]:
    """Texts that do not end: what a model writes after its own end is nothing it was made for."""
    stops = list(worn.base.chat.stops)
    told: Told = run_whole(worn, starts)
    written = []
    while True:
        logits = wide(worn.base.head(told.last)).cpu()
        logits[:, stops] = -torch.inf
        token = torch.multinomial(logits.softmax(dim=-1), 1, generator=gen)[:, 0]
        written.append(token)
        if len(written) == tokens:
            return torch.stack(written, dim=1).tolist()
        told = ahead(worn, told, token.to(worn.base.device))

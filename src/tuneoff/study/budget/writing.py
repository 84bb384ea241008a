"""How long an arm takes to write free text, measured on a few steps with as many rows at once as in the run.

    a step  =  step_s + rows x token_s           step_s: every weight is read; token_s: every row is computed
    all     =  batches x longest x step_s  +  answers x tokens x token_s

    step_s 0.018, token_s 0.0026, 60 answers of 28 tokens, the longest 60, in one batch   ->   1.1 s + 4.4 s

An arm that was trained on answers writes answers of their lengths. What an untrained one writes is looked at on a few
records: of answers that were broken off, each next token ends as many as ended at each token so far.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import written_tokens
from tuneoff.engine.examples import shared_start
from tuneoff.engine.generate import Written, go_on, prompts_read, writing_batches
from tuneoff.engine.past import Past

__all__ = ["Lengths", "Writing", "lengths_of", "lengths_seen", "measure_writing", "rows_at_once"]

FEW = 4  # rows of the smaller of the two batches that are timed
STEPS = 2  # that are timed
FEWEST_TOKENS = 8  # that an answer is followed for


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """tokens: of an answer with its end, on average. longest: of the longest one."""

    tokens: float
    longest: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """rows: at once. step_s: of a step, whatever its rows; token_s: more, for each row of it."""

    tokens: float
    longest: int
    rows: int
    step_s: float
    token_s: float

    def seconds(self, answers: int) -> float:
        """To write so many answers behind prompts that were read."""
        return math.ceil(answers / self.rows) * self.longest * self.step_s + answers * self.tokens * self.token_s


def lengths_of(answers: Sequence[Sequence[int]]) -> Lengths:
    """Of answers that are known, ids with end-of-turn."""
    lengths = [len(answer) for answer in answers]
    return Lengths(tokens=sum(lengths) / len(lengths), longest=max(lengths))


def lengths_seen(texts: Sequence[Written], room: int) -> Lengths:
    """Of answers as they were written, some of which may have been broken off. room: the most tokens of an answer."""
    lengths = [min(len(text.ids) + text.ended, room) for text in texts]
    ended, ending = sum(text.ended for text in texts), 0.0
    if ended < len(texts):
        ending = ended / sum(lengths)  # of the tokens, that is
    left = [0.0 if text.ended else _more(room - length, ending) for text, length in zip(texts, lengths)]
    longest = max(lengths) if ended == len(texts) else room
    return Lengths(tokens=(sum(lengths) + sum(left)) / len(texts), longest=longest)


def _more(room: int, ending: float) -> float:
    """Tokens to come, where each is the last one with this probability."""
    return (1 - (1 - ending) ** room) / ending if ending else float(room)


def rows_at_once(worn: Worn, prompts: Sequence[Sequence[int]], room: int, count: int) -> int:
    """How many of `count` prompts like these are written together."""
    own = sum(map(len, prompts)) / len(prompts) - shared_start(prompts)
    return len(writing_batches([round(own)] * count, room, written_tokens(worn.base.bytes_per_token))[0])


@torch.no_grad()
def measure_writing(
    worn: Worn,
    prompts: Sequence[Sequence[int]],
    *,
    room: int,
    rows: int,
    timed: int,
    lengths: Lengths | None,
    tokens: int,
) -> Writing:
    """rows: of a batch in the run. timed: of the batch that is timed. lengths: of the answers, where they are known;
    else the prompts are answered, in about so many tokens."""
    _, past, last = next(prompts_read(worn, prompts, room))
    few, many = min(FEW, max(1, timed // 2)), max(timed, 2)
    few_s, many_s = (_step_s(worn, past, last, count) for count in (few, many))
    token_s = max(0.0, (many_s - few_s) / (many - few))
    if lengths is None:
        look = min(room, max(FEWEST_TOKENS, tokens // len(last)))
        lengths = lengths_seen(go_on(worn, past, last, look, worn.base.chat.stops), room)
    return Writing(
        tokens=lengths.tokens,
        longest=lengths.longest,
        rows=rows,
        step_s=max(0.0, few_s - few * token_s),
        token_s=token_s,
    )


def _step_s(worn: Worn, past: Past, last: Tensor, rows: int) -> float:
    """A step of so many rows, which are those of the past in turn."""
    turns = torch.arange(rows, device=last.device) % len(last)
    past, last = past.select(turns), last[turns]
    go_on(worn, past, last, 1, ())
    began = time.perf_counter()
    go_on(worn, past, last, STEPS, ())
    return (time.perf_counter() - began) / STEPS

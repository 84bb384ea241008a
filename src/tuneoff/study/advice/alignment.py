"""Data alignment: bits per byte of the person's inputs and answers under the bare model, next to general text.

    bits per byte = -sum log2 p(token | all before it) / bytes      summed over all texts, so that long ones count more

The unit does not depend on the tokenizer (as in Gao et al. 2020, "The Pile", arXiv 2101.00027, section 3.1). An input
is read as a text of its own, behind the token that opens a text; an answer behind its record as the plain prompt asks.
General text is cut into pieces just as long, since a short text is hard for want of context alone.

    alignment(worker, general_text())     inputs 1.31 (general 1.12), answers 0.64 (general 1.08)
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tuneoff.data.general import cut
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.engine.attach import Worn
from tuneoff.engine.examples import Example, shared_start
from tuneoff.evaluation.run import right_answer_losses
from tuneoff.models.base import Base
from tuneoff.models.chat import Encoded
from tuneoff.stats.interval import Interval
from tuneoff.stats.ratio import Ratio, minus, ratio
from tuneoff.study.advice.factors import Alignment, Compared, Estimate
from tuneoff.study.work import Worker

__all__ = ["Piece", "affordable", "alignment", "bits"]

RECORDS = 64
TOKENS = 2000  # read for one figure at most: some 5 s on two cores for a model of 135M parameters
FEWEST = 4
INPUT_BYTES, ANSWER_BYTES = 600, 400  # of one text; the passages of general text are no longer


class Piece(NamedTuple):
    """A text behind ids: what stands before it, its own ids, its length in bytes."""

    before: tuple[int, ...]
    ids: tuple[int, ...]
    size: int


def alignment(worker: Worker, general: Sequence[str], effort: float = 1.0) -> Alignment:
    """Measure a sample of the training records. general: passages of plain text. effort: how much of what is usually
    read."""
    base, records = worker.base, worker.plan.data.train[:RECORDS]
    prompt = Prompt(instruction=worker.task.instruction, template=worker.plan.spec.prompt.template)
    examples = worker.encode(prompt, records)
    inputs = [text(base, _begin(record.text, INPUT_BYTES)) for record in records if record.text.strip()]
    answers = [_answer(base, example) for example in examples]
    sizes = [(min(len(r.text.encode()), INPUT_BYTES), piece.size) for r, piece in zip(records, answers)]
    pieces = cut(general, sizes)
    plain = [text(base, first) for first, _ in pieces]
    behind = [text(base, rest, first) for first, rest in pieces]
    most = int(effort * TOKENS)
    return Alignment(inputs=_compared(base, inputs, plain, most), answers=_compared(base, answers, behind, most))


def text(base: Base, own: str, before: str = "") -> Piece:
    """A text by itself, or going on from another, as the model reads a document."""
    lead = [_opening(base), *base.chat.text_ids(before)[-(base.context // 2) :]]
    ids = base.chat.text_ids(own)
    while len(lead) + len(ids) > base.context and len(own) > 1:
        own = own[: len(own) // 2]
        ids = base.chat.text_ids(own)
    return Piece(tuple(lead), tuple(ids), len(own.encode()))


def bits(base: Base, pieces: Sequence[Piece]) -> list[float]:
    """Minus log2-likelihood of each piece, in all."""
    nobody = Record(fields={}, target="")
    with Worn(base) as worn:
        nats = right_answer_losses(worn, [Example(nobody, Encoded(piece.before, piece.ids)) for piece in pieces])
    return [each / math.log(2) for each in nats]


def affordable(lengths: Sequence[int], most: int = TOKENS, fewest: int = FEWEST) -> int:
    """How many of the first texts are read, of these lengths in tokens."""
    return max(int(np.searchsorted(np.cumsum(lengths), most, side="right")), min(fewest, len(lengths)))


def _compared(base: Base, own: Sequence[Piece], general: Sequence[Piece], most: int) -> Compared | None:
    """None where there are no texts to compare."""
    if not own or not general:
        return None
    mine, other = _ratio(base, own, most), _ratio(base, general, most)
    return Compared(_estimate(mine), _estimate(other), _difference(mine, other))


def _ratio(base: Base, pieces: Sequence[Piece], most: int) -> Ratio:
    shared = shared_start([piece.before for piece in pieces])  # run once for all
    pieces = pieces[: affordable([len(piece.before) + len(piece.ids) - shared for piece in pieces], most)]
    return ratio(np.array(bits(base, pieces)), np.array([piece.size for piece in pieces]))


def _estimate(r: Ratio) -> Estimate:
    return _with(r.interval, r.value, r.n)


def _difference(mine: Ratio, other: Ratio) -> Estimate:
    return _with(minus(mine, other), mine.value - other.value, mine.n)


def _with(interval: Interval | None, value: float, n: int) -> Estimate:
    return Estimate(value, interval and interval.low, interval and interval.high, n)


def _answer(base: Base, example: Example) -> Piece:
    """The wanted answer as a continuation of the prompt, without the end of the turn, which is no byte of it."""
    said = _begin(example.record.target, ANSWER_BYTES)
    return Piece(example.ids.prompt, base.chat.answer_ids(said)[:-1], len(base.chat.written(said).encode()))


def _begin(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def _opening(base: Base) -> int:
    """The token before a text: a model without one of its own was taught that end-of-text parts documents."""
    bos = base.tokenizer.bos_token_id
    return bos if bos is not None else base.tokenizer.eos_token_id or base.chat.end_of_turn

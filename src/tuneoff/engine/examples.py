"""Records as token ids: prompt rendered, answer encoded, length fitted. And the start that all prompts share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from tuneoff.core.errors import DataError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.models.base import Base
from tuneoff.models.chat import Encoded
from tuneoff.models.lengths import SHORTER, WITHOUT_ROOM, parts_of, refusal
from tuneoff.models.template import Refused

__all__ = ["Example", "Lengths", "encode", "shared_start", "shortened"]

TooLong = Literal["error", "truncate_left", "truncate_right"]


class Lengths(NamedTuple):
    """How long a record may be, and what becomes of a longer one.

    limit: tokens of prompt and answer; 0: the model's context. room: tokens that a prompt which is cut leaves free
    for an answer, so that what is cut is the same whether the right answer is known or not.
    """

    limit: int = 0
    too_long: TooLong = "error"
    room: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A record with its ids. cut: how many characters of its input were cut away to fit.

    asked: what an answer is scored or written behind, where the right answer is so long that `ids` had to be cut more.
    """

    record: Record
    ids: Encoded
    dropped_demonstrations: int = 0
    cut: int = 0
    asked: tuple[int, ...] | None = None

    @property
    def prompt(self) -> tuple[int, ...]:
        """The ids that ask for the answer; the right answer has no say in them."""
        return self.ids.prompt if self.asked is None else self.asked


def encode(
    base: Base,
    prompt: Prompt,
    records: Sequence[Record],
    *,
    reserve: int = 0,
    limit: int = 0,
    too_long: TooLong = "error",
    room: int = 0,
) -> list[Example]:
    """Render and encode records. reserve: virtual positions that must fit too. limit, too_long, room: see Lengths.

    Raises DataError for a record longer than the limit (unless it may be cut; demonstrations are dropped before
    any text is), for a record without a trained token, and for those that the chat template refuses.
    """
    lengths = Lengths(min(limit or base.context, base.context) - reserve, too_long, room)
    examples, refused = [], []
    for record in records:
        try:
            examples.append(_encode_one(base, prompt, record, lengths))
        except Refused as error:
            refused.append((record, error))
    if refused:
        raise refusal(refused, len(records))
    return examples


def _encode_one(base: Base, prompt: Prompt, record: Record, lengths: Lengths) -> Example:
    ids = base.chat.encode(prompt.render(record), record.target)
    if len(ids.answer) < 2:
        raise DataError(
            "a record has no trained token", where=record.source, found=repr(record.target), fix="give it an answer"
        )
    asked = _fit(base, prompt, record, ids, lengths, lengths.room)
    if len(asked.ids.ids) <= lengths.limit:
        return asked
    own = _fit(base, prompt, record, ids, lengths, len(ids.answer))  # it takes more than the room of any answer
    return replace(own, asked=asked.ids.prompt)


def _fewer(base: Base, prompt: Prompt, record: Record, ids: Encoded, limit: int) -> tuple[Prompt, Encoded, int]:
    """With as many demonstrations as fit, and how many do not. limit: tokens of the prompt."""
    dropped = 0
    while len(ids.prompt) > limit and prompt.demonstrations:
        prompt = _one_fewer(prompt)
        dropped += 1
        ids = base.chat.encode(prompt.render(record), record.target)
    return prompt, ids, dropped


def _check_fits(record: Record, ids: Encoded, lengths: Lengths) -> None:
    if len(ids.ids) > lengths.limit:
        raise DataError(
            "a record is longer than the model can read",
            where=record.source,
            found=f"{len(ids.ids):,} tokens with its prompt",
            allowed=f"{lengths.limit:,} tokens",
            fix='in a study write too_long = "truncate_right" (or "truncate_left") under [data], with predict add '
            "--too-long truncate_right; or shorten the record",
        )


def _fit(base: Base, prompt: Prompt, record: Record, ids: Encoded, lengths: Lengths, room: int) -> Example:
    """Drop demonstrations first, then the end (or the start) of the longest field. room: tokens left to an answer."""
    limit, too_long = lengths.limit - room, lengths.too_long
    prompt, ids, dropped = _fewer(base, prompt, record, ids, limit)
    if len(ids.prompt) <= limit:
        return Example(record, ids, dropped)
    if too_long == "error":
        _check_fits(record, ids, lengths)
        return Example(record, ids, dropped)
    field = max(record.fields, key=lambda name: len(record.fields[name]), default="")
    text = record.fields.get(field, "")
    low, high = 0, len(text)  # the most characters that fit, by bisection
    while low < high:
        middle = (low + high + 1) // 2
        if len(_cut_to(base, prompt, record, field, middle, too_long).prompt) <= limit:
            low = middle
        else:
            high = middle - 1
    if low == 0:
        parts = parts_of(base.chat, prompt, record)
        parts = parts._replace(answer=max(parts.answer, room))
        raise DataError(
            WITHOUT_ROOM[parts.longest],
            where=record.source,
            found=parts.words,
            allowed=f"{lengths.limit:,} tokens",
            fix=SHORTER[parts.longest],
        )
    return Example(record, _cut_to(base, prompt, record, field, low, too_long), dropped, cut=len(text) - low)


def _one_fewer(prompt: Prompt) -> Prompt:
    """The prompt with one demonstration less; where the nearest are picked, with one pick less."""
    if prompt.nearest > 1:
        return replace(prompt, nearest=prompt.nearest - 1)
    return replace(prompt, nearest=0, demonstrations=() if prompt.nearest else prompt.demonstrations[1:])


def _cut_to(base: Base, prompt: Prompt, record: Record, field: str, length: int, too_long: TooLong) -> Encoded:
    text = record.fields[field]
    kept = text[:length] if too_long == "truncate_right" else text[len(text) - length :]
    return base.chat.encode(prompt.render(replace(record, fields={**record.fields, field: kept})), record.target)


def shared_start(prompts: Sequence[Sequence[int]]) -> int:
    """How many first tokens all prompts share, leaving each at least one of its own."""
    if not prompts:
        return 0
    first, last = min(prompts), max(prompts)  # the extremes in order differ wherever any two do
    length = 0
    for a, b in zip(first, last):
        if a != b:
            break
        length += 1
    return min(length, min(len(prompt) for prompt in prompts) - 1)


def shortened(examples: Sequence[Example]) -> str:
    """How many records lost text or demonstrations so that they fit, in words; empty where none did."""
    cut = sum(example.cut > 0 for example in examples)
    fewer = sum(example.dropped_demonstrations > 0 for example in examples)
    said = [f"{cut} were cut"] if cut else []
    said += [f"{fewer} lost demonstrations"] if fewer else []
    return f"of {len(examples)} records {' and '.join(said)} to fit" if said else ""

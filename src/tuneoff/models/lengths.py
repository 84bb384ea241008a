"""How long records are for a model, by its tokenizer alone: no weights are needed.

chat, context = load_chat("smollm2-135m-instruct")
measure_lengths(chat, Prompt(instruction="Read the notes."), records, limit=context).over
    [OverLong(record of notes.jsonl:17, tokens=9556)]
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tuneoff.core.errors import DataError, ModelError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Message, Record
from tuneoff.models.chat import Chat

__all__ = [
    "SHORTER",
    "WITHOUT_ROOM",
    "Measured",
    "OverLong",
    "Parts",
    "counted",
    "files_of",
    "listed",
    "measure_lengths",
    "parts_of",
    "refusal",
]

MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class OverLong:
    """A record with its length in tokens: prompt, answer and end of the turn."""

    record: Record
    tokens: int


@dataclass(frozen=True, slots=True)
class Measured:
    """over: records beyond the limit. refused: records that cannot be asked at all, with the reason. In their order."""

    over: list[OverLong]
    refused: list[tuple[Record, ModelError]]


class Parts(NamedTuple):
    """What a record's length is made of beside its input columns, in tokens."""

    prompt: int
    conversation: int
    answer: int

    @property
    def longest(self) -> str:
        return max(self._fields, key=lambda name: getattr(self, name))

    @property
    def words(self) -> str:
        return f"answer {self.answer:,}, conversation {self.conversation:,}, instruction and template {self.prompt:,}"


def measure_lengths(chat: Chat, prompt: Prompt, records: Iterable[Record], limit: int, room: int = 0) -> Measured:
    """Find the records that take more than `limit` tokens, and those that the chat template refuses.

    room: tokens to leave for an answer, whatever the right one takes.
    """
    found = Measured([], [])
    for record in records:
        try:
            tokens = chat.tokens_over(prompt.render(record), record.target, limit, room)
        except ModelError as error:
            found.refused.append((record, error))
            continue
        if tokens:
            found.over.append(OverLong(record, tokens))
    return found


def parts_of(chat: Chat, prompt: Prompt, record: Record) -> Parts:
    """What takes how much of a record that does not fit whatever is cut from its input."""
    bare = replace(record, fields=dict.fromkeys(record.fields, ""))
    alone = prompt.render(replace(bare, turns=())) or (Message("user", ""),)
    own = len(chat.prompt_ids(alone))
    turns = len(chat.prompt_ids(prompt.render(bare))) - own if record.turns else 0
    return Parts(own, turns, len(chat.answer_ids(record.target)))


WITHOUT_ROOM = {
    "answer": "the answer is longer than the model can read, and only the input is cut",
    "conversation": "the conversation is longer than the model can read, and only input columns are cut",
    "prompt": "the prompt alone is longer than the model can read",
}
"by what is longest in a record that cannot be cut to fit"
SHORTER = {
    "answer": "shorten the answer or leave the record out, raise [train] max_length where it is set, or use a model "
    "with a longer context",
    "conversation": "leave out the first turns, raise [train] max_length where it is set, or use a model with a longer "
    "context",
    "prompt": "shorten the instruction, raise [train] max_length where it is set, or use a model with a longer context",
}


def refusal(refused: Sequence[tuple[Record, ModelError]], count: int) -> DataError:
    """The error for records that cannot be asked, of `count` in all; at least one."""
    problem = refused[0][1].problem
    return DataError(
        f"{problem}: {counted(len(refused), count)}",
        where=files_of([record for record, _ in refused]),
        found=listed([f"{record.source}  {getattr(error, 'why', error.problem)}" for record, error in refused]),
        fix='change these records or leave them out, or write template = "plain" under [model]',
    )


def counted(count: int, whole: int, noun: str = "record") -> str:
    """Such as "3 of 400 records"."""
    return f"{count:,} of {whole:,} {noun}{'' if whole == 1 else 's'}"


def files_of(records: Sequence[Record]) -> list[str]:
    """The files that records stand in."""
    return list(dict.fromkeys(record.source.rpartition(":")[0] or record.source for record in records))


def listed(lines: Sequence[str]) -> str:
    """Lines that each begin with a record's file:line, in the order of the files."""
    lines = sorted(lines, key=_place)
    more = len(lines) - MOST_LISTED
    return "\n".join([*lines[:MOST_LISTED], *([f"and {more:,} more"] if more > 0 else [])])


def _place(line: str) -> tuple[str, int]:
    file, _, number = line.partition("  ")[0].rpartition(":")
    return file, int(number) if number.isdigit() else 0

"""A hard prompt as a value: wording, demonstrations, and the one way a record becomes a conversation.

The instruction, the labels and the demonstrations come before the input, so that all records of a task share
the longest possible start (which the engine runs once):

    user       Which feeling does the tweet show? Answer with one of: anger, joy.
               text: so happy today                 <- demonstration
    assistant  joy
    user       text: he lied to me again            <- the record
    assistant  anger                                <- trained, or scored
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from tuneoff.core.errors import DataError, nearest
from tuneoff.data.record import Message, Record
from tuneoff.data.words import words

__all__ = ["Conversation", "Prompt", "check_template", "fill"]

Conversation = tuple[Message, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """instruction: may be empty. demonstrations: shown to every record, or, with nearest = k, a pool from which
    each record is shown the k most like it (TF-IDF cosine), most like it last. template: the person's own
    wording with {field} places, instead of the default one.
    """

    instruction: str = ""
    demonstrations: tuple[Record, ...] = ()
    nearest: int = 0
    template: str = ""

    def render(self, record: Record) -> Conversation:
        """The conversation that asks for this record's answer; the answer itself is not in it.

        The record's own system text stands first; those of demonstrations are left out.
        """
        asked = self._ask(record)
        turns = [turn for turn in asked if turn.role == "system"]
        for shown in self._shown(record):
            turns += [turn for turn in self._ask(shown) if turn.role != "system"]
            turns.append(Message("assistant", shown.target))
        turns += [turn for turn in asked if turn.role != "system"]
        return tuple(_open_with(self.instruction, turns))

    def _ask(self, record: Record) -> list[Message]:
        """The turns that ask for one record, its own instruction before what it belongs to."""
        shown = self._fields(record)
        answered = bool(record.turns) and record.turns[-1].role == "assistant"  # a history: the question comes anew
        if shown or answered:
            return [*record.turns, *_open_with(record.instruction, shown)]
        return _open_with(record.instruction, list(record.turns))

    def _fields(self, record: Record) -> list[Message]:
        """The turn that shows the input columns; none where a record has no such columns."""
        if self.template:
            return [Message("user", fill(self.template, record.fields, record.source))]
        if not record.fields:
            return []
        if len(record.fields) == 1:
            return [Message("user", next(iter(record.fields.values())))]
        return [Message("user", "\n".join(f"{name}: {value}" for name, value in record.fields.items() if value))]

    def _shown(self, record: Record) -> tuple[Record, ...]:
        if not self.nearest:
            return self.demonstrations
        return _nearest(self.demonstrations, record.text, self.nearest)

    def as_dict(self) -> dict:
        """JSON for prompt.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, table: Mapping) -> "Prompt":
        """The inverse of as_dict."""
        return cls(**{**table, "demonstrations": tuple(map(_record, table["demonstrations"]))})


def _record(row: Mapping) -> Record:
    turns = tuple(Message(**turn) for turn in row["turns"])
    return Record(**{**row, "turns": turns, "alternatives": tuple(row.get("alternatives", ()))})


def fill(template: str, fields: Mapping[str, str], where: str = "") -> str:
    """Put a record's fields into a template's {field} places; braces around anything else stay as they are.

    Raises DataError where a place of one word has no column.
    """

    def value(match: re.Match) -> str:
        name = match[1]
        if name not in fields:
            raise DataError(
                f"the prompt asks for {{{name}}}, which the record does not have",
                where=where,
                allowed=sorted(fields),
                fix=nearest(name, fields) or None,
            )
        return fields[name]

    return _places(tuple(fields)).sub(value, template)


@cache
def _places(columns: tuple[str, ...]) -> re.Pattern:
    """{column} whatever a column is called, and {word}."""
    names = "|".join(map(re.escape, sorted(columns, key=len, reverse=True)))
    return re.compile(f"{{({names}{'|' if names else ''}\\w+)}}")


def check_template(template: str, records: Sequence[Record], where: str) -> None:
    """Raise DataError where a template asks every record the same, or asks for a column that a record lacks.

    Records without input columns (conversations) are asked by their turns. where: what holds the template.
    """
    columns = list(dict.fromkeys(name for record in records for name in record.fields))
    if columns and not any(f"{{{name}}}" in template for name in columns):
        written = re.findall(r"{([^{}\n]+)}", template)
        meant = [hint for name in written if (hint := nearest(name, columns))]
        raise DataError(
            "the template has no place for an input column: every record would be asked the same",
            where=where,
            found=repr(template),
            allowed=[f"{{{name}}}" for name in columns],
            fix=meant[0] if meant else f"write {{{columns[0]}}} where the record's text belongs",
        )
    for record in records:
        fill(template, record.fields, record.source)


def _open_with(opening: str, turns: list[Message]) -> list[Message]:
    if not opening:
        return turns
    first = next((at for at, turn in enumerate(turns) if turn.role == "user"), None)
    if first is None:
        return [Message("user", opening), *turns]
    head = turns[first]
    text = f"{opening}\n\n{head.content}" if head.content else opening
    return [*turns[:first], Message(head.role, text), *turns[first + 1 :]]


def _nearest(pool: tuple[Record, ...], text: str, count: int) -> tuple[Record, ...]:
    vectoriser, matrix = _index(pool)
    closeness = (matrix @ vectoriser.transform([text]).T).toarray()[:, 0]
    order = sorted(range(len(pool)), key=lambda at: (-closeness[at], pool[at].id))
    others = [at for at in order if pool[at].text != text]  # a training record never sees its own answer
    return tuple(pool[at] for at in reversed(others[:count]))


@cache
def _index(pool: tuple[Record, ...]):
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectoriser = TfidfVectorizer(sublinear_tf=True, tokenizer=words, token_pattern=None)
    return vectoriser, vectoriser.fit_transform([record.text for record in pool])

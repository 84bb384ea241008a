"""One example, wherever it came from.

{"text": "card not arrived yet", "label": "card_arrival"}   in tickets.jsonl, line 17, becomes
Record(id="9f2c...", fields={"text": "card not arrived yet"}, target="card_arrival", source="tickets.jsonl:17")
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuneoff.core.identity import content_hash

__all__ = ["Message", "Record", "Unusable"]


class Unusable(ValueError):
    """Why one row is no record; collected, and reported with the others of its file."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; role is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """fields: the input columns. target: the wanted answer, which is trained and shown. alternatives: further right
    answers, where its file has a list of them: any of them is as right when the record is judged. instruction: the
    record's own, where its file has one per row (the Alpaca shape, or a mixture of tasks); empty means the task's.
    turns: what was said before the answer, where the file holds conversations. group: records of one group never
    part in a split. source: file:line.
    """

    fields: Mapping[str, str]
    target: str
    alternatives: tuple[str, ...] = ()
    instruction: str = ""
    turns: tuple[Message, ...] = ()
    task: str = ""
    group: str = ""
    source: str = ""
    id: str = field(default="")

    def __post_init__(self):
        if not self.id:
            object.__setattr__(self, "id", content_hash([self.content, *self.references]))
        if not self.group:
            object.__setattr__(self, "group", content_hash(self.content))

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def content(self) -> list:
        """What the answer is asked about: equal contents are duplicates."""
        return [dict(self.fields), self.instruction, [[turn.role, turn.content] for turn in self.turns]]

    @property
    def references(self) -> tuple[str, ...]:
        """All right answers, the target first."""
        return (self.target, *self.alternatives)

    @property
    def text(self) -> str:
        """The input as one plain text: own instruction, turns, field values, line by line."""
        parts = [self.instruction, *(turn.content for turn in self.turns), *self.fields.values()]
        return "\n".join(part for part in parts if part)

"""From a row to a record: which column plays which part.

    {"instruction": "Name a red fruit.", "input": "", "output": "Cherry"}                       Alpaca
    {"prompt": "2 + 2 =", "completion": "4"}                                                    prompt and completion
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}     chat
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}         chat (ShareGPT)
    {"text": "card not arrived yet", "label": "card_arrival"}                                   text and label
    {"question": "What is 2 + 2?", "answer": "4"}                                               question and answer

Columns that the person names come first; otherwise the shape is recognised by the columns' names. White space
around a text is dropped, a number becomes text, null is a mistake.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from tuneoff.core.errors import DataError, nearest
from tuneoff.data.record import Message, Record

__all__ = ["ANSWERS", "Shape", "Unusable", "find_shape", "to_record", "unknown_column"]

CHATS = ("messages", "conversations")
LABELS = ("label", "category", "intent", "class", "sentiment", "emotion", "topic", "target", "output")
ANSWERS = (*LABELS, "answer", "response", "completion", "summary", "translation")
TEXTS = ("text", "sentence", "tweet", "review", "message", "utterance", "comment", "body", "query", "content", "input")
PAIRS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"))
ROLES = {"human": "user", "prompter": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant"}


class Unusable(ValueError):
    """Why one row is no record; collected, and reported with the others of its file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The part that each column plays. optional: input columns that a row may leave empty or out.

    answer "": the rows have no answers (or, in a chat, the last assistant turn is the answer).
    """

    name: str
    input: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    answer: str = ""
    instruction: str = ""
    turns: str = ""
    task: str = ""


class Known(NamedTuple):
    """A shape that is recognised by names: all of `input`, any of `optional`, the first of `answers`."""

    name: str
    input: tuple[str, ...]
    optional: tuple[str, ...]
    answers: tuple[str, ...]


KNOWN = (
    Known("Alpaca", ("instruction",), ("input", "context"), ("output", "response", "completion", "answer", "target")),
    Known("prompt and completion", ("prompt",), (), ("completion", "response", "output", "answer")),
    Known("question and answer", ("question",), ("context", "passage"), ("answer", *LABELS)),
    *(Known("pair and label", pair, (), LABELS) for pair in PAIRS),
    *(Known("text and label", (text,), (), ANSWERS) for text in TEXTS),
)


def find_shape(
    columns: Collection[str], *, input: Sequence[str] = (), answer: str = "", answered: bool = True, where: str = ""
) -> Shape:
    """The shape of a file from the columns it has and those that the person named.

    answered: False where the rows need no answer, as for predicting. Raises DataError for an unknown column, and
    where nothing is recognised.
    """
    for name in (*input, answer if answered else ""):
        if name and name not in columns:
            raise unknown_column(name, columns, where)
    answer = answer if answer in columns else ""
    shape = (
        _chat(columns, input, answer) or _named(columns, input, answer) or _recognised(columns, input, answer, answered)
    )
    if shape is None:
        raise DataError(
            "cannot tell the input columns from the answer",
            where=where,
            found=f"columns {', '.join(map(repr, columns))}",
            fix='name them in the study file: [data] input = ["..."], answer = "..."',
        )
    return shape


def unknown_column(name: str, columns: Collection[str], where: str) -> DataError:
    """The error for a column that no row has."""
    found = f"columns {', '.join(map(repr, columns))}"
    return DataError(f"unknown column {name!r}", where=where, found=found, fix=nearest(name, columns) or None)


def _chat(columns: Collection[str], input: Sequence[str], answer: str) -> Shape | None:
    turns = [name for name in (input or columns) if name in CHATS]
    return Shape(name="chat", turns=turns[0]) if turns and not answer else None


def _named(columns: Collection[str], input: Sequence[str], answer: str) -> Shape | None:
    if not input:
        return None
    answer = answer or next((name for name in ANSWERS if name in columns and name not in input), "")
    return Shape(name="named columns", input=tuple(input), answer=answer) if answer else None


def _recognised(columns: Collection[str], input: Sequence[str], answer: str, answered: bool) -> Shape | None:
    if input:  # no answer column among the rows
        return None if answered else Shape(name="named columns", input=tuple(input))
    for known in KNOWN:
        if known.name == "Alpaca" and answer and answer not in known.answers:
            continue  # instruction, text, label: the text is the input, and this shape would lose it
        found = answer or next((name for name in known.answers if name in columns and name not in known.input), "")
        if all(name in columns and name != answer for name in known.input) and (found or not answered):
            return _shape(known, columns, found)
    return None


def _shape(known: Known, columns: Collection[str], answer: str) -> Shape:
    optional = tuple(name for name in known.optional if name in columns and name != answer)[:1]
    if known.name == "Alpaca":
        task = "task" if "task" in columns else ""
        instruction = known.input[0]
        return Shape(
            name=known.name, input=optional, optional=optional, answer=answer, instruction=instruction, task=task
        )
    return Shape(name=known.name, input=(*optional, *known.input), optional=optional, answer=answer)


def to_record(
    table: Mapping[str, Any],
    shape: Shape,
    *,
    group: str = "",
    labels: Mapping[str, str] | Sequence[str] = (),
    answered: bool = True,
    source: str = "",
) -> Record:
    """One record. labels: allowed answers, or code to word. Raises Unusable where the row is none."""
    turns, target = _conversation(table, shape.turns, answered) if shape.turns else ((), "")
    if shape.answer and (answered or shape.answer in table):
        target = _cell(table, shape.answer, needed=answered)
    if answered and not target:
        raise Unusable(f"the answer is empty (column {shape.answer or shape.turns!r})")
    return Record(
        fields=_fields(table, shape),
        target=_word(target, labels) if target else "",
        instruction=_instruction(table, shape.instruction),
        turns=turns,
        task=_cell(table, shape.task, needed=False) if shape.task else "",
        group=_cell(table, group, needed=False) if group else "",
        source=source,
    )


def _fields(table: Mapping[str, Any], shape: Shape) -> dict[str, str]:
    values = {name: _cell(table, name, needed=name not in shape.optional) for name in shape.input}
    if values and not any(values.values()) and not shape.instruction:
        raise Unusable(f"the text is empty (column {', '.join(map(repr, values))})")
    return {name: value for name, value in values.items() if value or name not in shape.optional}


def _instruction(table: Mapping[str, Any], column: str) -> str:
    text = _cell(table, column) if column else ""
    if column and not text:
        raise Unusable(f"the instruction is empty (column {column!r})")
    return text


def _cell(table: Mapping[str, Any], column: str, *, needed: bool = True) -> str:
    """A value as text; white space around it is dropped."""
    value = table.get(column)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        if needed:
            raise Unusable(f"column {column!r} is {'null' if column in table else 'missing'}")
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(int(value)) if value == value // 1 and not math.isinf(value) else str(value)
    raise Unusable(f"column {column!r} holds a {type(value).__name__}, where a text is wanted")


def _conversation(table: Mapping[str, Any], column: str, answered: bool) -> tuple[tuple[Message, ...], str]:
    """The turns before the last assistant turn, and that turn. What stands after it is not used."""
    value = table.get(column)
    if not isinstance(value, list | tuple) or not value:
        raise Unusable(f"column {column!r} holds no list of turns")
    turns = [_turn(turn, at) for at, turn in enumerate(value, start=1)]
    replies = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
    if not answered and (not replies or replies[-1] != len(turns) - 1):
        return tuple(turns), ""
    if not replies:
        raise Unusable("the conversation has no assistant turn")
    before = tuple(turns[: replies[-1]])
    if not any(turn.role == "user" for turn in before):
        raise Unusable("the conversation has no user turn before the last assistant turn")
    return before, turns[replies[-1]].content


def _turn(turn: Any, at: int) -> Message:
    if not isinstance(turn, Mapping):
        raise Unusable(f"turn {at} is not an object with a role and a content")
    role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
    role = ROLES.get(role, role)
    if role not in ("system", "user", "assistant"):
        raise Unusable(f"turn {at} has the role {role!r}, where system, user or assistant is wanted")
    if not isinstance(content, str) or not content.strip():
        raise Unusable(f"turn {at} has no text")
    return Message(role, content.strip())


def _word(target: str, labels: Mapping[str, str] | Sequence[str]) -> str:
    if not labels:
        return target
    if target not in labels:
        hint = nearest(target, labels)
        raise Unusable(f"the answer {target!r} is not in [data] labels{'; ' + hint if hint else ''}")
    return labels[target] if isinstance(labels, Mapping) else target

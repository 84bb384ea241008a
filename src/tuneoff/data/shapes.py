"""From a row to a record: which column plays which part.

    {"instruction": "Name a red fruit.", "input": "", "output": "Cherry"}                       Alpaca
    {"prompt": "2 + 2 =", "completion": "4"}                                                    prompt and completion
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}     chat
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}         chat (ShareGPT)
    {"text": "card not arrived yet", "label": "card_arrival"}                                   text and label
    {"question": "What is 2 + 2?", "answer": "4"}                                               question and answer
    {"question": "What is 2 + 2?", "A": "3", "B": "4", "answer": "B"}                           the same with options

Columns that the person names come first; otherwise the shape is recognised by the columns' names. Beside the input a
column `system` becomes a system turn, and `history` the turns before the question; options are shown under letters.
White space around a text is dropped but for the indentation of code (white_space.py), a number becomes text, null is
a mistake.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from tuneoff.core.errors import DataError, nearest
from tuneoff.data.conversation import history_of, transcript, turns_of
from tuneoff.data.options import OPTION_ANSWERS, Options, options_among
from tuneoff.data.record import Message, Record, Unusable
from tuneoff.data.spelling import look
from tuneoff.data.values import json_value
from tuneoff.data.white_space import indented, trimmed

__all__ = [
    "ANSWERS",
    "TEXTS",
    "Shape",
    "asking",
    "find_shape",
    "label_texts",
    "listed",
    "settle",
    "text_of",
    "to_record",
    "unknown_column",
]

CHATS = ("messages", "conversations", "conversation")
SYSTEMS = ("system", "system_prompt", "system_message")
HISTORIES = ("history", "chat_history", "conversation_history")
LABELS = ("label", "category", "intent", "class", "sentiment", "emotion", "topic", "target", "output")
ANSWERS = (*LABELS, "answer", "response", "completion", "summary", "translation")
TEXTS = ("text", "sentence", "tweet", "review", "message", "utterance", "comment", "body", "query", "content", "input")
CONTEXTS = ("context", "passage", "article", "premise")
PAIRS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"))
EXACT = 2**53  # up to here a floating-point number tells one whole number from the next


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The part that each column plays. optional: input columns that a row may leave empty or out. options: what a
    multiple-choice question is answered from; its columns are not among `input`.

    answer "": the rows have no answers (or, in a chat, the last assistant turn is the answer).
    """

    name: str
    input: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    answer: str = ""
    instruction: str = ""
    turns: str = ""
    task: str = ""
    system: str = ""
    history: str = ""
    options: Options | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that a record is made from, the question's in the order that they are shown."""
        options = self.options.columns if self.options else ()
        parts = (self.task, self.system, self.history, self.turns, self.instruction, *self.input, *options, self.answer)
        return tuple(dict.fromkeys(name for name in parts if name))

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that a record to answer must have; of options each in a column of its own, the first."""
        parts = (self.turns, self.instruction, *self.input, *(self.options.columns[:1] if self.options else ()))
        return tuple(name for name in parts if name and name not in self.optional)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> "Shape":
        """The inverse of dataclasses.asdict, through JSON."""
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
        options = table["options"]
        if options:
            values["options"] = Options(**{**options, "columns": tuple(options["columns"])})
        return cls(**values)


class Known(NamedTuple):
    """A shape that is recognised by names: all of `input`, any of `optional`, the first of `answers`."""

    name: str
    input: tuple[str, ...]
    optional: tuple[str, ...]
    answers: tuple[str, ...]


KNOWN = (
    Known("Alpaca", ("instruction",), ("input", "context"), ("output", "response", "completion", "answer", "target")),
    Known("prompt and completion", ("prompt",), (), ("completion", "response", "output", "answer")),
    Known("question and answer", ("question",), CONTEXTS, ("answer", *LABELS, "response")),
    *(Known("pair and label", pair, (), LABELS) for pair in PAIRS),
    *(Known("text and label", (text,), (), ANSWERS) for text in TEXTS),
)
OPTIONED = ("question and answer", "prompt and completion", "pair and label", "text and label")
ASKED = ("Alpaca", "prompt and completion", "question and answer")  # in others `system` may be any category


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
    if answer and answer in input:
        raise DataError(
            f"the answer column {answer!r} is also shown",
            where=where,
            found=f"input {', '.join(map(repr, input))}",
            fix=f"take {answer!r} out of the input columns: a model that is shown the answer learns nothing",
        )
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


def asking(shape: Shape, columns: Collection[str], where: str = "") -> Shape:
    """The shape of rows that are only asked about, whether they have answers or not.

    Raises DataError that names the columns which are not there.
    """
    missing = [name for name in shape.needed if name not in columns]
    if missing:
        raise DataError(
            f"the records lack {'a column' if len(missing) == 1 else 'columns'} that the answers were learned on: "
            + ", ".join(map(repr, missing)),
            where=where,
            found=f"columns {', '.join(map(repr, columns))}",
            allowed=f"columns {', '.join(map(repr, shape.needed))}",
            fix="rename or add them; the study's other columns may be left out",
        )
    return replace(shape, answer="")


def _chat(columns: Collection[str], input: Sequence[str], answer: str) -> Shape | None:
    turns = [name for name in (input or columns) if name in CHATS]
    if not turns or answer:
        return None
    return Shape(name="chat", turns=turns[0], system=_first(SYSTEMS, input or columns))


def _named(columns: Collection[str], input: Sequence[str], answer: str) -> Shape | None:
    if not input:
        return None
    shape = _with_company(Shape(name="named columns", input=tuple(input)), input)
    taken = {*input, *(shape.options.columns if shape.options else ())}
    known = OPTION_ANSWERS if shape.options else ANSWERS
    answer = answer or next((name for name in known if name in columns and name not in taken), "")
    return replace(shape, answer=answer) if answer else None


def _recognised(columns: Collection[str], input: Sequence[str], answer: str, answered: bool) -> Shape | None:
    if input:  # no answer column among the rows
        return None if answered else _with_company(Shape(name="named columns", input=tuple(input)), input)
    free = [name for name in columns if name != answer]
    options = options_among(free)
    for known in KNOWN:
        if known.name == "Alpaca" and answer and answer not in known.answers:
            continue  # instruction, text, label: the text is the input, and this shape would lose it
        answers = OPTION_ANSWERS if options and known.name in OPTIONED else known.answers
        found = answer or next((name for name in answers if name in columns and name not in known.input), "")
        if all(name in free for name in known.input) and (found or not answered):
            return _shape(known, columns, found)
    return None


def _shape(known: Known, columns: Collection[str], answer: str) -> Shape:
    free = [name for name in columns if name != answer]
    optional = tuple(name for name in known.optional if name in free)[:1]
    system, history = (_first(names, free) if known.name in ASKED else "" for names in (SYSTEMS, HISTORIES))
    company = {"optional": optional, "answer": answer, "system": system, "history": history}
    if known.name == "Alpaca":
        task = "task" if "task" in columns else ""
        return Shape(name=known.name, input=optional, instruction=known.input[0], task=task, **company)
    input = (*optional, *known.input)
    options = options_among([name for name in free if name not in input]) if known.name in OPTIONED else None
    return Shape(name=known.name, input=input, options=options, **company)


def _with_company(shape: Shape, named: Sequence[str]) -> Shape:
    """Of the input columns that the person names: the system text, the history and the options play their own parts."""
    options = options_among(named)
    apart = {_first(SYSTEMS, named), _first(HISTORIES, named), *(options.columns if options else ())}
    question = tuple(name for name in named if name not in apart)
    if not question:
        return shape  # nothing else is asked: they are the text
    return replace(
        shape, input=question, system=_first(SYSTEMS, named), history=_first(HISTORIES, named), options=options
    )


def _first(names: Sequence[str], columns: Collection[str]) -> str:
    return next((name for name in names if name in columns), "")


def settle(shape: Shape, tables: Sequence[Mapping[str, Any]], *, named: bool, where: str = "") -> Shape:
    """How the answers name the options, found out from the rows.

    named: whether the person named the input columns; recognised options that no answer names are none.
    """
    if not shape.options:
        return shape
    rows = []
    for table in tables:
        try:
            target, *_ = _right_answers(table, shape.answer, needed=True) or [""]
            rows.append((target, shape.options.texts(table, text_of)))
        except Unusable:
            continue  # reported with the others when the records are made
    options = shape.options.settle(rows, where) if shape.answer else shape.options
    return replace(shape, options=options if options.coding or named or not shape.answer else None)


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
    options = shape.options.texts(table, text_of) if shape.options else {}
    right = [target] if target else []
    if shape.answer and (answered or shape.answer in table):
        right = _right_answers(table, shape.answer, needed=answered)
    if answered and not right:
        raise Unusable(f"the answer is empty (column {shape.answer or shape.turns!r})")
    if shape.options and shape.options.coding:
        right = [shape.options.letter(answer, options) for answer in right]
    target, *alternatives = dict.fromkeys(_word(answer, labels) for answer in right) or [""]
    return Record(
        fields=_fields(table, shape) | options,
        target=target,
        alternatives=tuple(alternatives),
        instruction=_instruction(table, shape.instruction),
        turns=_before(table, shape, turns),
        task=_cell(table, shape.task, needed=False) if shape.task else "",
        group=look(_cell(table, group, needed=False)) if group else "",  # what looks alike must not part either
        source=source,
    )


def _fields(table: Mapping[str, Any], shape: Shape) -> dict[str, str]:
    values = {name: _cell(table, name, needed=name not in shape.optional, trim=indented) for name in shape.input}
    if values and not any(values.values()) and not shape.instruction:
        raise Unusable(f"the text is empty (column {', '.join(map(repr, values))})")
    return {name: value for name, value in values.items() if value or name not in shape.optional}


def _instruction(table: Mapping[str, Any], column: str) -> str:
    text = _cell(table, column) if column else ""
    if column and not text:
        raise Unusable(f"the instruction is empty (column {column!r})")
    return text


def listed(value: Any) -> Any:
    """The list in SQuAD's form, {"text": ["in 1969", "1969"], "answer_start": [4, 7]}; any other value as it is."""
    texts = value.get("text") if isinstance(value, Mapping) else None
    return texts if isinstance(texts, list | tuple) else value


def _right_answers(table: Mapping[str, Any], column: str, *, needed: bool) -> list[str]:
    """A list holds several right answers, any other value the only one."""
    value = listed(table.get(column))
    if isinstance(value, list | tuple):
        if needed and not value:
            raise Unusable(f"the list of answers is empty (column {column!r})")
        return [_right_answer(item, at, column) for at, item in enumerate(value, start=1)]
    if isinstance(value, Mapping):
        raise Unusable(f"column {column!r} holds a {type(value).__name__}, where a text is wanted")
    text = _cell(table, column, needed=needed, trim=trimmed)
    return [text] if text else []


def _right_answer(item: Any, at: int, column: str) -> str:
    if isinstance(item, list | tuple | Mapping):
        raise Unusable(f"answer {at} of the list in column {column!r} is a {type(item).__name__}, not a text")
    text = _cell({column: item}, column, needed=False, trim=trimmed)
    if not text:
        raise Unusable(f"answer {at} of the list in column {column!r} is {'null' if item is None else 'empty'}")
    return text


def _cell(table: Mapping[str, Any], column: str, *, needed: bool = True, trim: Callable[[str], str] = str.strip) -> str:
    """A value as text. trim: what becomes of the white space around it."""
    value = json_value(table.get(column))
    if value is None:
        if needed:
            raise Unusable(f"column {column!r} is {'null' if column in table else 'missing'}")
        return ""
    if column in CHATS:
        return transcript(turns_of(value, column))
    try:
        return text_of(value, trim)
    except Unusable as why:
        raise Unusable(f"column {column!r} holds {why}") from None


def label_texts(labels: Any) -> Any:
    """Labels as answers are read: [1, 5] is ["1", "5"], {3: True} is {"3": "true"}."""
    if isinstance(labels, Mapping):
        return {text_of(code): text_of(word) for code, word in labels.items()}
    return [text_of(label) for label in labels] if isinstance(labels, list | tuple) else labels


def text_of(value: Any, trim: Callable[[str], str] = str.strip) -> str:
    """A value as the text that a model gets: 3.0 is "3", true is "true", a list or an object is its JSON."""
    value = json_value(value)
    if isinstance(value, str):
        return trim(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(int(value)) if abs(value) < EXACT and value == int(value) else str(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        raise Unusable(f"a value of the type {type(value).__name__}, where a text is wanted") from None


def _conversation(table: Mapping[str, Any], column: str, answered: bool) -> tuple[tuple[Message, ...], str]:
    """The turns before the last assistant turn, and that turn. What stands after it is not used."""
    turns = turns_of(table.get(column), column)
    replies = [at for at, turn in enumerate(turns) if turn.role == "assistant"]
    if not answered and (not replies or replies[-1] != len(turns) - 1):
        return tuple(turns), ""
    if not replies:
        raise Unusable("the conversation has no assistant turn")
    before = tuple(turns[: replies[-1]])
    if not any(turn.role == "user" for turn in before):
        raise Unusable("the conversation has no user turn before the last assistant turn")
    return before, turns[replies[-1]].content


def _before(table: Mapping[str, Any], shape: Shape, turns: Sequence[Message]) -> tuple[Message, ...]:
    """What was said before the answer: the system text of a column of its own, a history, the conversation."""
    system = _cell(table, shape.system, needed=False) if shape.system else ""
    history = history_of(table.get(shape.history), shape.history) if shape.history else []
    said = [turn for turn in turns if (turn.role, turn.content) != ("system", system)]
    opening = [Message("system", system)] if system else []
    return (*opening, *history, *said)


def _word(target: str, labels: Mapping[str, str] | Sequence[str]) -> str:
    if not labels:
        return target
    target = target.strip()
    if target not in labels:
        seen = look(target)
        target = next((label for label in labels if look(label) == seen), target)
    if target not in labels:
        hint = nearest(target, labels)
        raise Unusable(f"the answer {target!r} is not in [data] labels{'; ' + hint if hint else ''}")
    return labels[target] if isinstance(labels, Mapping) else target

"""Which column is the answer and which are shown: by their names first, then by their values.

    question, sql, query_split, query_id    question -> sql: the others are a split's name and an identifier
    mr, refs                                mr -> refs: a list of texts, several right answers to one input
    subject, body, team                     subject, body -> team: the values of one column come back

What nothing tells is Unclear, with the best that can be said.
"""

import json
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuneoff.core.errors import DataError
from tuneoff.data.columns import ABOUT_RECORD, Column, words
from tuneoff.data.options import OPTION_ANSWERS, options_among
from tuneoff.data.shapes import ANSWERS, TEXTS, Shape, find_shape, settle, unknown_column

__all__ = ["Parts", "Unclear", "find_parts"]

OF_A_TASK = ("instruction", "definition", "instructions", "annotations")
MOST_INPUTS = 3
LONG_TEXT = 12  # characters on average: a column of shorter ones is hardly what is asked about
ANSWER_WORDS = {*ANSWERS, "answers", "ref", "refs", "reference", "references", "targets", "sql", "code", "tgt", "gold",
                "reply", "tldr", "headline", "highlights", "paraphrase", "correction", "queue", "team"}  # fmt: skip
INPUT_WORDS = {*TEXTS, "question", "prompt", "document", "article", "source", "src", "passage", "context", "mr",
               "triples", "dialogue", "mail", "email", "goal", "premise"}  # fmt: skip
REFERENCES = {"ref", "refs", "reference", "references", "targets", "answers"}
SURE = {*ANSWERS, *OPTION_ANSWERS, "labels", "refs", "references", "sql", "code", "reply", "answers", "tldr"}
BESIDE = {"columns", "schema", "context", "passage", "table", "options", "choices", "history", "system"}


class Unclear(DataError):
    """Nothing tells which column is the answer. input, answer: the best that can be said; may be empty."""

    def __init__(self, where: str, columns: Mapping[str, Column], input: Sequence[str], answer: str):
        self.where, self.columns, self.input, self.answer = where, columns, tuple(input), answer
        super().__init__(self.words, where=where, found=self.shown, fix="name them: --input COLUMN --answer COLUMN")

    def with_command(self, command: str, file: str) -> DataError:
        """The same with what to type next. file: as the person names it."""
        if not self.answer:
            fix = (
                "a study needs the wanted answer of each record: add a column that holds it\n"
                f"records without answers are for a finished run: tuneoff predict runs/NAME {shlex.quote(file)}"
            )
        else:
            fix = f"type this, with the columns that you mean:\n{command}"
        return DataError(self.words, where=self.where, found=self.shown, fix=fix)

    @property
    def words(self) -> str:
        return "cannot tell the input columns from the answer" if self.answer else "no column can hold the answer"

    @property
    def shown(self) -> str:
        lines = [f"{name}: {'; '.join(column.examples) or '(empty)'}" for name, column in self.columns.items()]
        return "\n".join(lines)


class Nested(DataError):
    """A row is not one record, or not one with one answer. rows: the Python that makes such rows of FILE."""

    def __init__(self, words: str, where: str, found: str, rows: str):
        self.words, self.where, self.shown, self.rows = words, where, found, rows
        super().__init__(words, where=where, found=found, fix="write a file of one record a row")

    def with_commands(self, write: str, take: str) -> DataError:
        """The same with what to type next."""
        return DataError(
            self.words, where=self.where, found=self.shown, fix=f"type this, then the next:\n{write}\n{take}"
        )


def one_label(words: str, where: str, answer: str) -> Nested:
    """For rows with a set of labels each: those with one label can be tuned for."""
    name = json.dumps(answer, ensure_ascii=False)
    rows = f"[{{**row.table, {name}: row.table[{name}][0]}} for row in read_rows(FILE) if len(row.table[{name}]) == 1]"
    return Nested(words, where, f"column {answer!r} holds lists; the command keeps the rows of one label", rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """shape: as reading takes it. named: whether the study file must name the columns. others: columns that may be the
    answer as well. doubts: what the person should look at, a sentence each.
    """

    shape: Shape
    named: bool
    others: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def find_parts(
    columns: Mapping[str, Column],
    tables: Sequence[Mapping[str, Any]],
    where: str,
    *,
    input: Sequence[str] = (),
    answer: str = "",
) -> Parts:
    """The parts of the columns of some rows. input, answer: as the person names them.

    Raises DataError for a column that is not there, and Unclear.
    """
    unknown = next((name for name in (*input, answer) if name and name not in columns), "")
    if unknown:
        raise unknown_column(unknown, list(columns), where)
    shape = _recognised(columns, input, answer) or _by_values(columns, input, answer, where)
    if not input and _says_more(columns, shape):
        shape = replace(shape, name="text and label", input=("text",), optional=())
    shape = settle(shape, tables, named=bool(input), where=where)
    others = _others(columns, shape)
    asked = bool(shape.turns or shape.instruction)
    return Parts(
        shape=shape,
        named=not asked and not any(columns[name].missing for name in shape.optional),
        others=others,
        doubts=() if answer else tuple(_doubts(columns, shape, others)),
    )


def _recognised(columns: Mapping[str, Column], input: Sequence[str], answer: str) -> Shape | None:
    """By names alone; columns that can hardly be the answer are passed over."""
    if input and not answer:
        return None
    possible = {*ANSWERS, *OPTION_ANSWERS} - {answer}
    whole = any(not columns[name].missing for name in TEXTS if name in columns)
    partly = {name for name in TEXTS if whole and name in columns and columns[name].missing}
    likely = [n for n, column in columns.items() if n not in partly and (n not in possible or not column.doubt)]
    try:
        shape = find_shape(likely, input=input, answer=answer)
    except DataError:
        return None
    return shape if answer else _with_answer(shape, columns)


def _by_values(columns: Mapping[str, Column], input: Sequence[str], answer: str, where: str) -> Shape:
    """By what the columns hold; where that tells nothing either, by a name that is doubtful, or Unclear."""
    if not input and not answer:
        _check_nested(columns, where)
        _check_tags(columns, where)
    try:
        answer = answer or _answer(columns, input, where)
        input = input or _input(columns, answer, where)
    except Unclear:
        try:
            return find_shape(list(columns), input=input, answer=answer)
        except DataError:
            pass
        raise
    return find_shape(list(columns), input=input, answer=answer, where=where)


def _with_answer(shape: Shape, columns: Mapping[str, Column]) -> Shape:
    """Of a question that has both a label and a column called best_answer or the like, the latter is the answer."""
    called = [n for n, column in columns.items() if words(n).split()[-1] in ("answer", "answers") and column.may_answer]
    if shape.name != "question and answer" or not called or shape.answer in called:
        return shape
    return replace(shape, answer=called[0])


def _check_nested(columns: Mapping[str, Column], where: str) -> None:
    """Raise Nested where a column holds lists of records: {"definition": ..., "instances": [{"input", "output"}]}."""
    held = {name: _asked_of(column) for name, column in columns.items() if column.records}
    whole = [name for name, keys in held.items() if len(keys) == 2]
    if not whole:
        return
    name = max(whole, key=lambda name: sum(map(len, columns[name].values)))
    each = [record for value in columns[name].values for record in value]
    those = [record for record in each if all(key in record for key in held[name])]
    only = "" if len(those) == len(each) else f" if {{*each}} >= {{{', '.join(map(json.dumps, held[name]))}}}"
    listed = f"row.table[{json.dumps(name, ensure_ascii=False)}]"
    rows = f"[{{{_of_the_task(columns)}**each}} for row in read_rows(FILE) for each in {listed}{only}]"
    left = f"; {len(each) - len(those):,} without them are left out" if only else ""
    found = f"column {name!r}: {len(those):,} records with {' and '.join(held[name])}{left}"
    raise Nested("each row holds many records", where, found, rows)


def _asked_of(column: Column) -> tuple[str, ...]:
    """The keys of its records that are a question and an answer; () where there are no such two."""
    counts = Counter(key for value in column.values for record in value for key in record)
    asked = [key for key, _ in counts.most_common() if _says(key, INPUT_WORDS)]
    right = [key for key, _ in counts.most_common() if key in ANSWER_WORDS]
    return (asked[0], right[0]) if asked and right else ()


def _of_the_task(columns: Mapping[str, Column]) -> str:
    """What a row says of all its records: the task's name and its instruction."""
    task = '"task": row.table["task"], ' if "task" in columns else ""
    name = next((name for name in OF_A_TASK if name in columns), "")
    first = "[0]" if name and columns[name].lists else ""  # of several wordings
    return task + (f'"instruction": row.table[{json.dumps(name)}]{first}, ' if name else "")


def _check_tags(columns: Mapping[str, Column], where: str) -> None:
    """Raise DataError where two columns have a value for each word: tokens with their tags."""
    sizes = {name: [len(value) for value in column.values] for name, column in columns.items() if column.lists}
    alike = [name for name, lengths in sizes.items() if max(lengths) > 1 and list(sizes.values()).count(lengths) > 1]
    if alike and not any(_says(name, ANSWER_WORDS) for name in alike):
        raise DataError(
            "each word has a tag of its own, which cannot be tuned for yet",
            where=where,
            found=f"lists of the same lengths in {' and '.join(map(repr, alike))}",
            fix='write what is to be found as a text, for example {"text": "...", "answer": "Rome, Paris"}',
        )


def _answer(columns: Mapping[str, Column], input: Sequence[str], where: str) -> str:
    """The column that is most like an answer. Raises Unclear where several are, or none is."""
    free = {name: column for name, column in columns.items() if name not in input and not column.doubt}
    known = OPTION_ANSWERS if options_among(list(free)) else ()
    tiers = (
        [name for name, column in free.items() if _says(name, REFERENCES) and column.lists and column.may_answer],
        [name for name in (*known, *ANSWERS) if name in free and free[name].may_answer],
        [name for name, column in free.items() if _says(name, ANSWER_WORDS) and column.may_answer],
        [name for name, column in free.items() if column.lists and column.may_answer and not _says(name, BESIDE)],
        sorted((name for name, column in free.items() if column.repeats), key=lambda name: free[name].distinct),
    )
    best = next((names[0] for names in tiers if names), "")
    plain = [name for name, column in free.items() if column.plain]
    texts = [name for name in plain if free[name].spoken]
    if not best and texts == plain and len(texts) == (1 if input else 2):  # {"en": "Good day", "deu": "Guten Tag"}
        best = texts[-1]
    if best and len(columns) > 1:
        return best
    asked = [name for name in texts if _says(name, INPUT_WORDS)] or texts[:1]
    guess = best or next((name for name in plain if input or name not in asked), "")
    raise Unclear(where, columns, input or [name for name in asked if name != guess], guess if input or asked else "")


def _input(columns: Mapping[str, Column], answer: str, where: str) -> tuple[str, ...]:
    """What is shown: what a question is about, the texts, then the options that the answer names."""
    rest = {name: column for name, column in columns.items() if name != answer and not column.missing}
    options = options_among([name for name in columns if name != answer]) if _says(answer, OPTION_ANSWERS) else None
    optioned = options.columns if options else ()
    beside = [name for name, column in rest.items() if _says(name, BESIDE) and not column.doubt]
    left = {name: column for name, column in rest.items() if name not in (*beside, *optioned)}
    shown = _texts(left, of_a_label=columns[answer].repeats and not options)
    if not (shown or beside or optioned):
        raise Unclear(where, columns, list(rest)[:1], answer)
    before = [name for name in beside if name not in optioned]
    return (*before, *shown, *optioned)


def _texts(columns: Mapping[str, Column], *, of_a_label: bool) -> list[str]:
    """Of a label all texts that say something of their own, else the one text that is asked about."""
    told = [name for name, column in columns.items() if not column.repeats and not column.doubt]
    told = told or [name for name, column in columns.items() if column.plain]  # a url, a name
    texts = [name for name in told if columns[name].plain] or told
    if of_a_label:
        long = [name for name in texts if columns[name].length >= LONG_TEXT] or texts
        return _without_repeats([columns[name] for name in long])[:MOST_INPUTS]
    known = [name for name in texts if _says(name, INPUT_WORDS)]
    return (known or sorted(texts, key=lambda name: -columns[name].length))[:1]


def _without_repeats(columns: Sequence[Column]) -> list[str]:
    """A title that the text begins with is left out."""
    held = {column.name for column in columns for other in columns if other is not column and _holds(other, [column])}
    return [column.name for column in columns if column.name not in held] or [each.name for each in columns[:1]]


def _holds(whole: Column, parts: Sequence[Column]) -> bool:
    """Whether a column's texts hold those of others."""
    if not whole.plain or any(part is whole or len(part.texts) != len(whole.texts) for part in parts):
        return False
    rows = list(zip(whole.texts, *(part.texts for part in parts)))
    return sum(all(text in held for text in texts) for held, *texts in rows) > 0.9 * len(rows)


def _says_more(columns: Mapping[str, Column], shape: Shape) -> bool:
    """Whether a column `text` holds all that the shape shows, and another column beside."""
    if "text" not in columns or "text" in shape.columns or not shape.input:
        return False
    beside = [c for name, c in columns.items() if name not in (*shape.columns, "text") and c.plain and not c.doubt]
    shown = [columns[name] for name in shape.input]
    return any(_holds(columns["text"], [*shown, column]) for column in beside)


def _others(columns: Mapping[str, Column], shape: Shape) -> tuple[str, ...]:
    """Columns beside the answer that may be meant."""
    return tuple(
        name
        for name, column in columns.items()
        if name not in shape.columns
        and column.doubt in ("", ABOUT_RECORD)
        and (column.repeats or (_says(name, ANSWER_WORDS) and column.may_answer))
    )


def _doubts(columns: Mapping[str, Column], shape: Shape, others: Sequence[str]) -> Iterator[str]:
    if shape.answer and (why := columns[shape.answer].doubt):
        yield f"the answer column {shape.answer!r} looks like no answer: {why}"
    elif shape.answer and shape.answer not in SURE:
        against = f", and not {', '.join(others)}" if others else ""
        yield f"the answer was guessed: {shape.answer}{against}"


def _says(column: str, known: Collection[str]) -> bool:
    """Whether a column is called so, or its name ends in that word: best_answer, sentence2."""
    name = words(column).rstrip("0123456789 ")
    return column in known or name in known or name.split()[-1:] in [[word] for word in known]

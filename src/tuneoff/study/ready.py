"""A bundle with its base, ready to answer: what tuneoff.load and tuneoff.tune give back.

A row is asked exactly as the sealed test asked its like: read by the same columns, cut by the same rule.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tuneoff.core.errors import DataError
from tuneoff.data.in_memory import rows_of
from tuneoff.data.record import Record, Unusable
from tuneoff.data.shapes import Shape, asking, to_record
from tuneoff.engine.examples import encode, shortened
from tuneoff.evaluation.answer import cut_answers
from tuneoff.evaluation.run import answer_examples
from tuneoff.models.adapt import Answerer
from tuneoff.models.base import Base
from tuneoff.study.bundle import Tuned
from tuneoff.study.lengths import check_asked
from tuneoff.study.probing import scorer_of

__all__ = ["Answers", "Ready", "ReadyBaseline", "asked_record", "asked_records"]

Question = str | Mapping[str, Any] | Record


class Answers(NamedTuple):
    """One text per record, in their order. shortened: in words, how many records were cut to fit, and how many answers
    where writing stops; empty where none.
    """

    texts: list[str]
    shortened: str = ""


class Ready:
    """tuned: the arm. base: the model it was made for."""

    def __init__(self, tuned: Tuned, base: Base):
        self.tuned, self.base = tuned, base

    @property
    def codes(self) -> dict[str, str]:
        """What the data write in the place of each answer, where [data.labels] gave it a name."""
        return self.tuned.task.code_of

    def answer(self, records: Sequence[Question]) -> list[str]:
        """One answer per record. A record is a row as a mapping, a Record, or a text, where a row needs one column.
        Or all are a frame.

        Raises DataError for a row that lacks a column that the arm was made on. Warns where records or answers were
        cut.
        """
        answers = self.ask(asked_records(self.tuned.columns, records))
        if answers.shortened:
            warnings.warn(answers.shortened, stacklevel=2)
        return answers.texts

    def ask(self, records: Sequence[Record]) -> Answers:
        """The same of records; their targets are not looked at, and may be empty."""
        if not records:
            return Answers([])
        records = [replace(record, target=self._any_target) for record in records]
        with self.tuned.worn(self.base) as worn:
            self._check_lengths(records, worn.taken)
            examples = encode(self.base, self.tuned.prompt, records, reserve=worn.taken, **self.tuned.lengths._asdict())
            prior, scorer = self.tuned.prior, scorer_of(self.tuned)
            answers = answer_examples(worn, self.tuned.task, examples, prior=prior, scorer=scorer, known=False)
        cut = filter(None, [shortened(examples), cut_answers(answers, self.tuned.task.max_answer_tokens)])
        return Answers([answer.text for answer in answers], "; ".join(cut))

    def _check_lengths(self, records: Sequence[Record], reserve: int) -> None:
        lengths, context = self.tuned.lengths, self.base.context
        if lengths.too_long == "error":
            limit = min(lengths.limit or context, context) - reserve
            check_asked(self.base.chat, self.tuned.prompt, records, limit)

    @property
    def _any_target(self) -> str:
        """A record needs some answer to be encoded, and the shortest is in nobody's way."""
        return min(self.tuned.task.labels, key=lambda label: len(self.base.chat.answer_ids(label)), default="?")


class ReadyBaseline:
    """A baseline that was fitted again. columns: how a row becomes a record. codes: as Ready.codes."""

    def __init__(self, arm: str, columns: Shape, answerer: Answerer, codes: Mapping[str, str]):
        self.arm, self.columns, self._answerer, self.codes = arm, columns, answerer, dict(codes)

    def answer(self, records: Sequence[Question]) -> list[str]:
        """One answer per record, as Ready.answer."""
        return self.ask(asked_records(self.columns, records)).texts

    def ask(self, records: Sequence[Record]) -> Answers:
        """The likeliest label of each record."""
        return Answers([max(row, key=row.get) for row in self._answerer(records)] if records else [])


def asked_records(columns: Shape, questions: Sequence[Question]) -> list[Record]:
    """What rows ask; they are numbered from 1 in errors."""
    return [asked_record(columns, each, at) for at, each in enumerate(rows_of(questions), start=1)]


def asked_record(columns: Shape, question: Question, number: int = 1) -> Record:
    """What a row asks, read as the rows of a file are. number: of the row, for errors."""
    if isinstance(question, Record):
        return question
    where = f"record {number}"
    row = _row_of_text(columns, question, where) if isinstance(question, str) else question
    shape = asking(columns, row, where)
    try:
        return to_record(row, shape, answered=False, source=where)
    except Unusable as why:
        raise DataError("this record cannot be used", where=where, found=str(why), fix="correct or remove it") from None


def _row_of_text(columns: Shape, text: str, where: str) -> dict[str, Any]:
    if columns.turns:
        return {columns.turns: [{"role": "user", "content": text}]}
    if len(columns.needed) != 1:
        example = ", ".join(f'"{name}": "..."' for name in columns.needed)
        raise DataError(
            "a text alone does not say which column it is",
            where=where,
            found=repr(text[:60]),
            allowed=f"columns {', '.join(map(repr, columns.needed))}",
            fix=f"give a row: {{{example}}}",
        )
    return {columns.needed[0]: text}

"""A bundle with its base, ready to answer: what tuneoff.load and tuneoff.tune give back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tuneoff.core.errors import DataError
from tuneoff.data.in_memory import rows_of
from tuneoff.data.record import Record
from tuneoff.engine.examples import encode
from tuneoff.evaluation.metric import Answer
from tuneoff.evaluation.run import answer_examples
from tuneoff.models.base import Base
from tuneoff.study.bundle import Tuned

__all__ = ["Ready"]


class Ready:
    """tuned: the arm. base: the model it was made for."""

    def __init__(self, tuned: Tuned, base: Base):
        self.tuned, self.base = tuned, base

    def answer(self, records: Sequence[str | Mapping[str, str] | Record]) -> list[str]:
        """One answer per record. A record is a text, a mapping of input columns, or a Record; or all are a frame."""
        return [answer.text for answer in self.answers([self._record(record) for record in rows_of(records)])]

    def answers(self, records: Sequence[Record]) -> list[Answer]:
        """One answer per record; their targets are not looked at, and may be empty."""
        if not records:
            return []
        records = [replace(record, target=self._any_target) for record in records]
        with self.tuned.worn(self.base) as worn:
            examples = encode(self.base, self.tuned.prompt, records, reserve=worn.taken, too_long="truncate_right")
            return answer_examples(worn, self.tuned.task, examples, prior=self.tuned.prior, known=False)

    def _record(self, record: str | Mapping[str, str] | Record) -> Record:
        """A text is the one input column; of a mapping the columns that the arm was made on are taken."""
        if isinstance(record, Record):
            return record
        columns = self.tuned.columns
        if isinstance(record, str):
            record = {columns[0] if columns else "text": record}
        missing = [column for column in columns if column not in record]
        if missing:
            raise DataError("a record lacks input columns", found=sorted(record), allowed=columns, fix=f"add {missing}")
        fields = {column: record[column] for column in columns or record}
        return Record(fields=fields, target=self._any_target)

    @property
    def _any_target(self) -> str:
        """A record needs some answer to be encoded; asking looks at its prompt alone."""
        return self.tuned.task.labels[0] if self.tuned.task.labels else "?"

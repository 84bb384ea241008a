"""The records of a course, which a model learns from before it meets the person's own."""

from tuneoff.core.errors import DataError
from tuneoff.data.load import Data
from tuneoff.data.plain import plain
from tuneoff.data.record import Record
from tuneoff.data.split import in_order
from tuneoff.study.arm import Part

__all__ = ["course_records"]


def course_records(course: Part, data: Data) -> list[Record]:
    """The mixture in an order of its own, without what also stands in the person's task.

    Raises DataError where too little is left.
    """
    own = {_said(record) for record in (*data.train, *data.validation, *data.test)} - {""}
    mixture = in_order(course.method.records(), stratified=False)
    records = [record for record in mixture if _said(record) not in own]
    if len(records) < 2:
        raise DataError(
            "the mixture has too few records of its own",
            found=f"{len(records)} of {len(mixture)} do not stand in your own data",
            fix=f"give [methods.{course.name}] mixture a file of other tasks",
        )
    return records


def _said(record: Record) -> str:
    """A record's own words, however its task is phrased."""
    return plain(" ".join([*(turn.content for turn in record.turns), *record.fields.values()]))

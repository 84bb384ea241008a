"""Share of answers equal to a reference to the letter: capitals, marks and inner white space count. For code, and for
answers that exact_match cannot tell apart.

answer "foo.bar", target "foo.bar" -> 1        answer "Foo bar", target "foo.bar" -> 0
"""

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["StrictMatch"]


class StrictMatch(Metric):
    name = "strict_match"
    kinds = ("text",)

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...]:
        right = (reference.strip() for reference in record.references)
        return (float(answer.readable and answer.text.strip() in right),)

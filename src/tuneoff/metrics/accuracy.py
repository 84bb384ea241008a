"""Share of records whose chosen label is the right one.

answer "joy", target "joy" -> 1        answer "anger", target "joy" -> 0
"""

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["Accuracy"]


class Accuracy(Metric):
    name = "accuracy"
    kinds = ("choice",)

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...]:
        return (float(answer.readable and answer.text == record.target),)

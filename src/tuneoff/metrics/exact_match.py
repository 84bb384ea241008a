"""Share of answers equal to a reference after SQuAD's normalisation (Rajpurkar et al., EMNLP 2016), which here leaves
numbers and signs as they are (data/plain.py).

answer "The Eiffel Tower.", target "eiffel tower" -> 1        answer "35", target "3.5" -> 0
"""

from tuneoff.data.plain import plain
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["ExactMatch"]


class ExactMatch(Metric):
    name = "exact_match"
    kinds = ("text",)

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...]:
        return (float(answer.readable and plain(answer.text) in map(plain, record.references)),)

"""Share of answers equal to the target after SQuAD's normalisation (Rajpurkar et al., EMNLP 2016).

answer "The Eiffel Tower.", target "eiffel tower" -> 1
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

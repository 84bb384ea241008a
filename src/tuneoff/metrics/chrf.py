"""chrF: F-score (recall counting twice) of shared character runs of length 1 to 6, per record, from 0 to 1
(Popovic, WMT 2015; package sacrebleu, whose 0 to 100 is divided by 100).

Per record and then averaged, so that two arms can be paired by record; sacrebleu's corpus figure, which adds up the
counts of all records first, is close to it and not the same.

    answer "good morning", target "good evening" -> 0.34
"""

from functools import cache
from unicodedata import normalize

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["Chrf"]


class Chrf(Metric):
    name = "chrf"
    kinds = ("text",)

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...]:
        if not answer.readable:
            return (0.0,)
        said, *right = (normalize("NFC", text) for text in (answer.text, *record.references))  # accents of one form
        score = _scorer().sentence_score(said, right).score  # of the best reference
        return (min(score / 100, 1.0),)


@cache
def _scorer():
    from sacrebleu.metrics import CHRF

    return CHRF()

"""Words shared by answer and target, as F1 of precision and recall, after SQuAD's normalisation
(Rajpurkar et al., EMNLP 2016), which here leaves numbers and signs as they are (data/plain.py). Characters are the
words of scripts that are written without spaces, as in CMRC (Cui et al., EMNLP 2019). The best reference counts.

    answer "in the Eiffel Tower", target "Eiffel Tower"     precision 2/3, recall 2/2, F1 0.8
"""

from collections import Counter

from tuneoff.data.plain import plain
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.data.words import pieces
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["TokenF1"]


class TokenF1(Metric):
    name = "token_f1"
    kinds = ("text",)

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...]:
        if not answer.readable:
            return (0.0,)
        said = pieces(plain(answer.text))
        return (max(_f1(said, pieces(plain(reference))) for reference in record.references),)


def _f1(said: list[str], wanted: list[str]) -> float:
    """Two answers without a word (such as "the" and "a") are equal; one without is wrong."""
    if not said or not wanted:
        return float(said == wanted)
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))

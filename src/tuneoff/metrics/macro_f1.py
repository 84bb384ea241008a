"""Mean over labels of each label's F1, so that a rare label counts as much as a common one.

    F1(label) = 2 right / (times it was the target + times it was answered)

The labels averaged are those seen as a target or as an answer, as in scikit-learn. An answer that is none of the
task's labels is a miss for its target and no label of its own. No mean over records: a record's row is (number of
the target, number of the answer), and the jackknife pools rows.

    targets no no yes, answers no yes yes: F1(no) = 2/3, F1(yes) = 2/3, macro F1 0.667
"""

from collections.abc import Sequence

import numpy as np

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["MacroF1"]

NONE = -1


class MacroF1(Metric):
    name = "macro_f1"
    kinds = ("choice",)
    mean = False

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...]:
        said = answer.text if answer.readable else None
        return float(_number(record.target, task)), float(_number(said, task))

    def pool(self, rows_NK: Sequence[tuple[float, ...]] | np.ndarray) -> float:
        target_N, answer_N = np.asarray(rows_NK, dtype=float).T.astype(np.int64) + 1
        size = max(target_N.max(), answer_N.max()) + 1
        right = np.bincount(target_N[target_N == answer_N], minlength=size)[1:]
        seen = (np.bincount(target_N, minlength=size) + np.bincount(answer_N, minlength=size))[1:]
        return float(2 * (right[seen > 0] / seen[seen > 0]).mean()) if seen.any() else 0.0


def _number(label: str | None, task: Task) -> int:
    return task.labels.index(label) if label in task.labels else NONE

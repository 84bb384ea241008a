"""Minus the log-probability (nats) of the right answer: how surprised the arm is by it. Less is better.

For a choice the probability is normalised over the labels: an arm that knows nothing about 4 labels has
log 4 = 1.39. Of several right answers it is that of the first one, which is trained: the smallest of all would be that
of the shortest. Where the arm gives no probability the record is unscored. Probability 0, which a baseline that counts
may give, is held at exp(-100): one infinite record would drown all others.
"""

import math

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Answer, Metric

__all__ = ["Nll"]

CEILING = 100.0


class Nll(Metric):
    name = "nll"
    up = False

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...] | None:
        if answer.nll is None or math.isnan(answer.nll):
            return None
        if task.kind == "choice":
            return (min(answer.nll, CEILING),)
        return (answer.nll,) if math.isfinite(answer.nll) else None

"""Always the most frequent label of the training records: what costs nothing and must be beaten."""

from collections import Counter
from typing import ClassVar

from tuneoff.models.adapt import BaselineMethod

__all__ = ["Majority"]


class Majority(BaselineMethod):
    paper: ClassVar[str] = ""

    def fit(self, task, train, seed):
        counts = Counter(record.target for record in train)
        shares = {label: counts[label] / len(train) for label in task.labels}
        return lambda records: [shares] * len(records)

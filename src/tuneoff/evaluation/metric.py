"""The metric contract: numbers per record, then one pooling, so that any metric can be compared record by record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tuneoff.data.record import Record
from tuneoff.data.task import Task

__all__ = ["Answer", "Metric"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an arm said about one record.

    text: the label chosen, or the text generated. nll: minus log-probability (nats) of the right answer, where
    it was scored: for a choice, normalised over the labels. readable: False where nothing could be read from
    what the model wrote; it then counts as wrong in every quality metric. cut: whether writing stopped at the
    longest answer that is written, before the model had ended.
    """

    text: str
    nll: float | None = None
    readable: bool = True
    cut: bool = False


class Metric:
    """kinds: the answer kinds it is made for. mean: whether it is a mean over records (of any other,
    the jackknife makes one). up: whether more is better.
    """

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ("choice", "text")
    mean: ClassVar[bool] = True
    up: ClassVar[bool] = True

    def row(self, answer: Answer, record: Record, task: Task) -> tuple[float, ...] | None:
        """The statistics of one record; None where it cannot be scored.

        A score (`up`) that is a mean lies in [0, 1]; a loss is 0 or more, without a ceiling.
        """
        raise NotImplementedError

    def pool(self, rows_NK: Sequence[tuple[float, ...]] | np.ndarray) -> float:
        """One figure for N records. The default is the mean of the first column."""
        return float(np.asarray(rows_NK, dtype=float)[:, 0].mean())

"""What is asked of a record, and how an answer is judged."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Task"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """kind: `choice` (one of `labels`, scored by log-likelihood) or `text` (generated).

    normalise: what a label's log-likelihood is divided by, its tokens (end of turn included) or its bytes, so that
    long labels are not at a disadvantage; none: nothing. metrics: names of metric plugins; the first one decides.
    codes: what the data write in the place of each label, "" where several codes share it; empty: the labels alone.
    max_answer_tokens: where generation stops.
    """

    name: str
    kind: Literal["choice", "text"]
    labels: tuple[str, ...] = ()
    instruction: str = ""
    codes: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    max_answer_tokens: int = 64
    normalise: Literal["none", "tokens", "bytes"] = "none"

    @property
    def code_of(self) -> dict[str, str]:
        """The data's own code by label; empty where the labels have not been renamed."""
        return dict(zip(self.labels, self.codes))

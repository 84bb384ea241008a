"""What is asked of a record, and how an answer is judged."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Task"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """kind: `choice` (one of `labels`, scored by log-likelihood) or `text` (generated).

    metrics: names of metric plugins; the first one decides. max_answer_tokens: where generation stops.
    """

    name: str
    kind: Literal["choice", "text"]
    labels: tuple[str, ...] = ()
    instruction: str = ""
    metrics: tuple[str, ...] = ()
    max_answer_tokens: int = 64

"""Soft prompts, wherever they stand: learned embeddings at virtual positions of a frozen model.

    h_0 at virtual position i = P[i],  P [V, width]

Lester et al. 2021, "The Power of Scale for Parameter-Efficient Prompt Tuning", arXiv 2104.08691, section 2; its
section 3.2 compares the initialisations.
"""

from typing import ClassVar, Literal

import torch

from tuneoff.core.config import knob
from tuneoff.data.task import Task
from tuneoff.models.adapt import AdapterMethod, Rows

__all__ = ["SoftPromptMethod"]


class SoftPromptMethod(AdapterMethod):
    """What the soft prompts before and after the text share."""

    family: ClassVar[str] = "prompt tuning"
    paper: ClassVar[str] = "arXiv 2104.08691"
    lr_unit: ClassVar[Literal["absolute", "embedding"]] = "embedding"

    length: int = knob(20, "virtual positions", ge=1)
    start: Literal["text", "vocabulary", "random"] = knob("text", "where the vectors start: a text, words, noise")
    text: str = knob("", "the text to start from; empty: the task's instruction")
    lr: float = knob(0.4, "peak learning rate, in root mean squares of the embeddings", gt=0, search=(0.1, 1.0))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("embed",)

    @property
    def virtual(self) -> int:
        return self.length

    def init(self, site, task, start, gen):
        words = start.vocabulary().float().cpu()
        if self.start == "random":
            return {"P": torch.randn(self.length, words.shape[1], generator=gen) * words.std()}
        if self.start == "vocabulary":
            return {"P": words[torch.randint(len(words), (self.length,), generator=gen)].clone()}
        rows = start.embed(self.text or first_text(task)).float().cpu()
        return {"P": rows.repeat(self.length // len(rows) + 1, 1)[: self.length].clone()}

    def leave(self, site, x, y, p, virtual):
        number = (virtual.cumsum(dim=1) - 1).clamp(0, self.length - 1)  # which of its virtual positions this is
        return torch.where(virtual[..., None], p["P"].to(y.dtype)[number], y)

    def form(self, site, p):
        return Rows(p["P"])


def first_text(task: Task) -> str:
    """The text to start learned vectors from, where the person gave none."""
    return task.instruction or " ".join(task.labels) or "Answer the question."

"""Few-shot: demonstrations from the training records stand before the question.

    random: one draw per seed, balanced over the labels, the same for every record (so that it is run once)
    nearest: for each record the training records most like it, by TF-IDF of words (characters where none are spaced)

Brown et al. 2020, arXiv 2005.14165; Liu et al. 2021, "What Makes Good In-Context Examples for GPT-3?",
arXiv 2101.06804, for the nearest ones.
"""

from collections import defaultdict
from typing import ClassVar, Literal

import numpy as np

from tuneoff.core.config import knob
from tuneoff.data.prompt import Prompt
from tuneoff.models.adapt import PromptMethod

__all__ = ["FewShot"]


class FewShot(PromptMethod):
    paper: ClassVar[str] = "arXiv 2005.14165"

    demonstrations: int = knob(8, "examples shown", ge=1)
    pick: Literal["random", "nearest"] = knob("random", "the same draw for all records, or those most like each")

    @property
    def random(self):
        return self.pick == "random"

    def fit(self, task, train, seed):
        if self.pick == "nearest":
            return Prompt(instruction=task.instruction, demonstrations=tuple(train), nearest=self.demonstrations)
        rng = np.random.default_rng(seed)
        shown = [train[i] for i in rng.permutation(len(train))]
        if task.kind == "choice":
            shown = _balanced(shown)
        shown = shown[: self.demonstrations]
        return Prompt(instruction=task.instruction, demonstrations=tuple(shown[i] for i in rng.permutation(len(shown))))


def _balanced(records: list) -> list:
    """One of each label, then another of each, as long as there are any."""
    by_label = defaultdict(list)
    for record in records:
        by_label[record.target].append(record)
    rounds = max(map(len, by_label.values()))
    return [pile[turn] for turn in range(rounds) for pile in by_label.values() if turn < len(pile)]

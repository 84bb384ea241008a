"""How much an arm tells of the records it was trained on, and how much better it does on them than on others.

    memorised   the chance that a training record has a smaller loss than a validation record: 0.5 where nobody could
                tell who was trained on, 1 where anybody could (the area under the curve of the loss attack; Yeom,
                Giacomelli, Fredrikson & Jha 2018, arXiv 1709.01604, section 3)
    copied      share of training answers of at least 8 tokens that it writes word for word (Carlini et al. 2023,
                "Quantifying Memorization Across Neural Language Models", arXiv 2202.07646); free text only
    overfit     the deciding metric on training records minus that on validation records

As many records of both, answered in one way. The loss is that of the right answer, per token for free text, so that
a short answer is not taken for a known one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneoff.engine.examples import Example
from tuneoff.evaluation.metric import Answer
from tuneoff.models.chat import Chat
from tuneoff.stats.interval import Interval, wilson
from tuneoff.stats.unpaired import auc

__all__ = ["Answered", "copied", "memorised"]

LONG = 8  # tokens: a shorter answer may be right without having been learned by heart


@dataclass(frozen=True, slots=True)
class Answered:
    """Records with what the arm said about them, in the same order. Each answer has its loss."""

    examples: Sequence[Example]
    answers: Sequence[Answer]

    def losses(self, per_token: bool) -> np.ndarray:
        """[R] nats of the right answers."""
        tokens = [len(example.ids.answer) if per_token else 1 for example in self.examples]
        return np.array([answer.nll / count for answer, count in zip(self.answers, tokens)])


def memorised(trained: Answered, others: Answered, *, per_token: bool) -> Interval:
    """How well the loss parts records that were trained on from others. At least 2 of both."""
    return auc(trained.losses(per_token), others.losses(per_token))


def copied(trained: Answered, chat: Chat) -> tuple[Interval | None, int]:
    """(share of long training answers written word for word, how many are long); None where none is."""
    long = [
        answer.text == chat.decode(example.ids.answer)
        for example, answer in zip(trained.examples, trained.answers)
        if len(example.ids.answer) > LONG  # the end of the turn is one of them
    ]
    return (wilson(sum(long), len(long)) if long else None), len(long)

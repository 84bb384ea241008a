"""A look at validation while an arm trains: how likely each right answer is, and at times what it answers.

a choice     the probability of the right label among the labels; the answers come along
a text       the probability of a token of the right answer, on average: one forward pass, nothing is written
"""

import math
from collections.abc import Sequence

from tuneoff.data.task import Task
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.examples import Example
from tuneoff.engine.learner import Check
from tuneoff.evaluation.run import answer_examples, metric_named, pooled, right_answer_losses

__all__ = ["check", "likelihood_check"]


def likelihood_check(worn: Worn, examples: Sequence[Example], cache: ContextCache | None) -> Check:
    """Of right answers as texts."""
    return Check(_of_a_token(right_answer_losses(worn, examples, cache), examples))


def check(worn: Worn, task: Task, examples: Sequence[Example], cache: ContextCache | None, *, answered: bool) -> Check:
    """answered: whether texts are written too."""
    choice = task.kind == "choice"
    if not (choice or answered):
        return likelihood_check(worn, examples, cache)
    answers = answer_examples(worn, task, examples, cache=cache)
    metric = metric_named(task.metrics[0])
    figure = pooled(metric, answers, [example.record for example in examples], task)
    losses = [answer.nll for answer in answers]
    likelihoods = [math.exp(-loss) for loss in losses] if choice else _of_a_token(losses, examples)
    return Check(likelihoods, figure if metric.up else -figure, answers)


def _of_a_token(losses: Sequence[float], examples: Sequence[Example]) -> list[float]:
    """On average over a right answer. losses: summed nats."""
    return [math.exp(-loss / len(example.ids.answer)) for loss, example in zip(losses, examples)]

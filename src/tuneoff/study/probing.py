"""Probes at work: what they learn from records, and how they answer.

    tuned = learn(tuned, Part("linear_probe", LinearProbe()), base, examples, ids, pooled)
    scorer_of(tuned, pooled)(worn, prompts, answers)     [records, labels] log-probabilities

A probe reads hidden states of the bare base. They are computed once for a study: whoever asks for the same prompts and
layers again gets the same numbers.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from torch import Tensor

from tuneoff.core.identity import content_hash
from tuneoff.engine.attach import Worn
from tuneoff.engine.examples import Example
from tuneoff.engine.hidden import Own, own_tokens, pooled_states
from tuneoff.evaluation.run import Scorer
from tuneoff.models.base import Base
from tuneoff.study.arm import Part
from tuneoff.study.bundle import Tuned, TunedPart

__all__ = ["Pooled", "PooledOnce", "learn", "scorer_of"]

Pooled = Callable[[Worn, Sequence[Sequence[int]], Sequence[int], Own], Tensor]


class PooledOnce:
    """`pooled_states` that remembers. What is asked for together is kept together, since a state's last bits depend on
    its company."""

    def __init__(self):
        self._kept: dict[str, Tensor] = {}

    def __call__(self, worn: Worn, prompts: Sequence[Sequence[int]], layers: Sequence[int], own: Own) -> Tensor:
        key = content_hash([prompts, layers, own])
        if key not in self._kept:
            self._kept[key] = pooled_states(worn, prompts, layers, own)
        return self._kept[key]


def learn(
    tuned: Tuned, part: Part, base: Base, examples: Sequence[Example], known: Collection[str], pooled: Pooled
) -> Tuned:
    """An arm with its probe fitted on training records. known: ids of those that it learns from; the states of all are
    read, so that jobs that learn from fewer share them."""
    prompts, labels = [example.prompt for example in examples], tuned.task.labels
    own, layers = own_tokens(prompts), part.method.reads(base.layers)
    with Worn(base) as worn:
        states = pooled(worn, prompts, layers, own)
    chosen = [at for at, example in enumerate(examples) if example.record.id in known]
    answers = [labels.index(examples[at].record.target) for at in chosen]
    method, tensors = part.method.fit(states[chosen], layers, answers, len(labels))
    made = TunedPart(part.name, method, {"": tensors}, own)
    # a probe's scores are of labels, whatever their length
    return replace(tuned, task=replace(tuned.task, normalise="none"), parts=(*tuned.parts, made))


def scorer_of(tuned: Tuned, pooled: Pooled = pooled_states, own: Own | None = None) -> Scorer | None:
    """What scores the labels in the place of the model's own words; None where no probe does.

    own: which tokens are a record's, where it is asked by another prompt than the one that the probe learned with.
    """
    part = tuned.probe
    if part is None:
        return None

    def score(worn: Worn, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Tensor:
        layers = part.method.reads(worn.base.layers)
        return part.method.scores(pooled(worn, prompts, layers, own or part.own), layers, part.tensors[""])

    return score

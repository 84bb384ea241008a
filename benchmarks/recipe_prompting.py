"""Which way of asking an untuned model serves it best: one line for each set and way, scored on validation records.

    comma        Which emotion ...? Answer with one of: anger, joy.        the way that others are changes of
    lines        the labels one a line, `- anger`
    described    one a line with a person's words, `- anger: the writer is angry`
    random 8     8 demonstrations, balanced over the labels, the same for every record

Each is told twice: as scored, and with the labels' prior taken off.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from benchmarks.recipe_sets import Sample
from benchmarks.recipes import Lines
from tuneoff.data.prompt import Conversation, Prompt
from tuneoff.data.record import Message, Record
from tuneoff.engine.attach import Worn
from tuneoff.engine.score import score_choices
from tuneoff.evaluation.run import choice_answers, label_prior
from tuneoff.methods.few_shot import FewShot
from tuneoff.models.base import Base

__all__ = ["prompting"]

PRIOR = 64
SEEDS = (0, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """prompt: the words and demonstrations. system: whether the instruction is the system's. seed: of the draw."""

    name: str
    prompt: Prompt
    system: bool = False
    seed: int = 0

    def ask(self, record: Record) -> Conversation:
        if not self.system:
            return self.prompt.render(record)
        return (Message("system", self.prompt.instruction), *replace(self.prompt, instruction="").render(record))


def prompting(base: Base, model: str, name: str, sample: Sample, lines: Lines) -> None:
    """Score every way that has no line yet; of texts, which have no labels to choose from, none."""
    if sample.task.kind != "choice":
        return
    for way in _ways(sample):
        asked = {"model": model, "set": name, "way": way.name, "seed": way.seed}
        if lines.missing(asked):
            lines.add(asked, _reached(base, sample, way))


def _reached(base: Base, sample: Sample, way: Way) -> dict:
    began = time.perf_counter()
    records = [*sample.validation, *sample.train[-PRIOR:]]
    prompts = [base.chat.prompt_ids(way.ask(record)) for record in records]
    answers = [base.chat.answer_ids(label) for label in sample.task.labels]
    with Worn(base) as worn:
        scores = score_choices(worn, prompts, answers)
    own, prior = scores[: len(sample.validation)], label_prior(scores[len(sample.validation) :])
    tokens = sum(map(len, prompts[: len(own)])) / len(own)
    return {
        "raw": _figures(own, sample, None),
        "calibrated": _figures(own, sample, prior),
        "tokens": round(tokens, 1),
        "seconds": round(time.perf_counter() - began, 2),
    }


def _figures(scores: torch.Tensor, sample: Sample, prior: Sequence[float] | None) -> dict:
    answers = choice_answers(scores, sample.task, sample.validation, prior)
    right = [answer.text == record.target for answer, record in zip(answers, sample.validation)]
    likely = np.exp([-answer.nll for answer in answers])
    return {
        "accuracy": round(float(np.mean(right)), 4),
        "likelihood": round(float(np.mean(likely)), 4),
        "nll": round(float(np.mean([answer.nll for answer in answers])), 4),
    }


def _ways(sample: Sample) -> Iterator[Way]:
    """Those that matter most first, so that a run that is broken off has told most."""
    yield from _wordings(sample)
    for seed in SEEDS:
        yield _drawn(sample, 8, seed)
    yield Way(name="nearest 8", prompt=FewShot(demonstrations=8, pick="nearest").fit(sample.task, sample.train, 0))
    yield from _more_drawn(sample)
    for number in (1, 4):
        near = FewShot(demonstrations=number, pick="nearest").fit(sample.task, sample.train, 0)
        yield Way(name=f"nearest {number}", prompt=near)


def _wordings(sample: Sample) -> Iterator[Way]:
    """Without demonstrations."""
    labels, asked = sample.task.labels, f"{sample.question} Answer with one of:"
    ways = {
        "comma": sample.task.instruction,
        "lines": "\n".join([asked, *(f"- {label}" for label in labels)]),
        "described": "\n".join([asked, *(f"- {label}: {sample.described[label]}" for label in labels)]),
        "unlisted": sample.question,
        "vague": f"Read the text and choose the label. Answer with one of: {', '.join(labels)}.",
    }
    for name, words in ways.items():
        yield Way(name=name, prompt=Prompt(instruction=words))
    for name in ("comma", "described"):
        yield Way(name=f"{name}, system", prompt=Prompt(instruction=ways[name]), system=True)


def _more_drawn(sample: Sample) -> Iterator[Way]:
    """Other numbers, orders and places of demonstrations."""
    way = _drawn(sample, 8, 0)
    by_label = tuple(sorted(way.prompt.demonstrations, key=lambda record: record.target))
    yield _drawn(sample, 16, 0)
    yield _drawn(sample, len(sample.task.labels), 0, "one a label")
    yield replace(way, name="random 8, by label", prompt=replace(way.prompt, demonstrations=by_label))
    yield replace(way, name="random 8, unlisted", prompt=replace(way.prompt, instruction=sample.question))
    yield replace(way, name="random 8, system", system=True)


def _drawn(sample: Sample, number: int, seed: int, name: str = "") -> Way:
    """Demonstrations balanced over the labels, in random order."""
    prompt = FewShot(demonstrations=number).fit(sample.task, sample.train, seed)
    return Way(name=name or f"random {number}", prompt=prompt, seed=seed)

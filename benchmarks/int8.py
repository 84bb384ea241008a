"""The layers' matmuls in 8 bits against our own float32 path: prompt tuning (P = 20, batch 8), then scoring.

The same engine on the same records, with what rounding changes beside the ratio: how far the log-probabilities of
answers and the prompt's gradient are off, and how many choices move. The ceiling is float32's. On a processor without
units for 8 bits (`int8_speed` below 1) there is nothing to gain, and one short cycle shows by how much it is slower.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from benchmarks.ceiling import Ceiling
from benchmarks.harness import Contest, Settings, race, short
from benchmarks.ours import OurTraining, our_training
from benchmarks.prompt_tuning import MODEL, short_lesson
from benchmarks.score import Questions, score_ceiling, topics
from benchmarks.slots import Batch, Lesson, lengths_of, own_tokens
from tuneoff.core.errors import ConfigError
from tuneoff.engine.attach import Worn
from tuneoff.engine.score import score_choices
from tuneoff.methods.soft_prompt import SoftPrompt
from tuneoff.models.base import Base
from tuneoff.models.int8 import int8_speed

__all__ = ["int8"]

AGAINST = "our engine in float32"


def int8(settings: Settings) -> Iterator[dict]:
    """Training, then scoring. Raises ConfigError on a GPU."""
    if settings.device != "cpu":
        raise ConfigError("this benchmark is for a processor", found=settings.device, fix="leave --device away")
    speed = int8_speed()
    if speed <= 1:
        settings = replace(settings, quick=True, cycles=1)
    yield {**_training(settings.base(MODEL, "plain"), settings), "int8_speed": short(speed)}
    yield {**_scoring(settings.base(MODEL), settings), "int8_speed": short(speed)}


def _training(base: Base, settings: Settings) -> dict:
    source, given = short_lesson(base, 8, settings)
    method, ceiling = SoftPrompt(length=20), Ceiling(base, "frozen")
    with our_training(base.int8, method, given.examples) as rounded, our_training(base, method, given.examples) as full:
        contest = Contest(
            name="int8",
            case="prompt tuning, P = 20, batch 8",
            unit="tokens/s",
            goal=1.5,
            against=AGAINST,
            ours=_steps(given, rounded.step, full.shared),
            theirs=_steps(given, full.step, full.shared),
            ceiling=_steps(given, lambda batch: ceiling.run(full.rows(batch)), full.shared),
            facts={
                "model": settings.model or MODEL,
                "data": source,
                **lengths_of(given, full.shared),
                "rounding": _told(rounded, full, given.common),
            },
        )
        return race(contest, len(given.slots), settings)


def _steps(given: Lesson, step: Callable[[Batch], object], shared: int) -> Callable[[int], float]:
    def slot(cycle: int) -> float:
        batches = given.slot(cycle).ours
        for batch in batches:
            step(batch)
        return own_tokens(batches, shared)

    return slot


def _told(rounded: OurTraining, full: OurTraining, batch: Batch) -> dict:
    """On one batch, before any step: the loss, and the gradient's distance as a share of its length."""
    own, whole = rounded.gradient(batch), full.gradient(batch)
    return {
        "records": len(batch),
        "loss": {"int8": short(rounded.loss(batch)), "float32": short(full.loss(batch))},
        "gradient": short(float((own - whole).norm() / whole.norm())),
    }


def _scoring(base: Base, settings: Settings) -> dict:
    asked, ceiling = topics(base, settings, shown=0, goal=1.6), Ceiling(base, "forward")
    with Worn(base.int8) as rounded, Worn(base) as full:
        contest = Contest(
            name="int8",
            case=f"scoring, {asked.case}",
            unit="questions/s",
            goal=asked.goal,
            against=AGAINST,
            ours=lambda cycle: len(_scores(rounded, asked, asked.slot(cycle))),
            theirs=lambda cycle: len(_scores(full, asked, asked.slot(cycle))),
            ceiling=lambda cycle: score_ceiling(ceiling, asked.slot(cycle), asked.answers),
            facts={
                "model": settings.model or MODEL,
                "data": asked.source,
                "rounding": _moved(*(_scores(worn, asked, asked.prompts) for worn in (rounded, full))),
            },
        )
        return race(contest, len(asked.prompts) // asked.per_slot - 1, settings)


def _scores(worn: Worn, asked: Questions, prompts: Sequence[tuple[int, ...]]) -> Tensor:
    return score_choices(worn, prompts, asked.answers)


def _moved(own: Tensor, whole: Tensor) -> dict:
    """Over all questions: the mean distance of a choice's log-probability, among all text and among the choices."""
    among = own.log_softmax(1) - whole.log_softmax(1)
    return {
        "questions": len(own),
        "nats": short(float((own - whole).abs().mean())),
        "nats_among_choices": short(float(among.abs().mean())),
        "moved": int((own.argmax(1) != whole.argmax(1)).sum()),
    }

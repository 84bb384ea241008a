"""A soft prompt AFTER the input, whose keys and values are kept: a step costs the prompt and the answer alone.

Against `peft` prompt tuning (which has no other place than before the input) on records of 160 and of 400 tokens,
P = 20, batch 8, every step after the first epoch: the warm-up runs the records once and fills the cache. The kept
form says the same loss and gradient as the same method without a cache, to the stated tolerance.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.ceiling import Ceiling
from benchmarks.harness import WARM, Contest, Settings, Unequal, close, race
from benchmarks.ours import OurTraining, our_training
from benchmarks.peers import PeerTraining, peft_trainer
from benchmarks.slots import Lesson, asked, lengths_of, lesson
from benchmarks.texts import documents
from tuneoff.engine.cache import ContextCache
from tuneoff.methods.soft_prompt import SoftPrompt
from tuneoff.methods.soft_prompt_after import SoftPromptAfter
from tuneoff.models.base import Base

__all__ = ["context_cache"]

MODEL = "smollm2-135m-instruct"
LENGTH, SIZE, CYCLES = 20, 8, 3
ROOM_BYTES = 4 << 30
SAME_GRADIENT = {4: 1e-4, 2: 5e-2}  # relative to the gradient's norm, by bytes of a number


def context_cache(settings: Settings) -> Iterator[dict]:
    """Records of 160 tokens, then of 400."""
    base = settings.base(MODEL, "plain")
    for tokens, goal, steps in ((160, 10.0, 2), (400, 20.0, 1)):
        source, records = documents(base, tokens, SIZE * steps)
        once = lesson(asked(base, records, longest=2 * tokens), SIZE, steps, 1)
        given = once._replace(slots=once.slots * settings.rounds(CYCLES))  # the same records: epoch after epoch
        theirs = _peer(base, given, settings)
        uncached = _uncached(base, given)
        with our_training(base, SoftPromptAfter(length=LENGTH), given.examples, ContextCache(ROOM_BYTES)) as ours:
            facts = {"model": settings.model or MODEL, "data": source, **lengths_of(given, ours.shared)}
            contest = Contest(
                name="context_cache",
                case=f"records of {tokens}, batch {SIZE}",
                unit="steps/s",
                goal=goal,
                against="peft prompt tuning + transformers.Trainer",
                **_steps_per_second(base, ours, theirs, given),
                facts=facts | {"uncached": _same(base, ours, given, uncached)},
                packages=("peft", "accelerate"),
            )
            yield race(contest, len(given.slots), settings)


def _peer(base: Base, given: Lesson, settings: Settings) -> PeerTraining:
    with our_training(base, SoftPrompt(length=LENGTH), given.examples) as before:
        return peft_trainer(settings.base(MODEL, "plain"), before.adapter, SIZE)


def _uncached(base: Base, given: Lesson) -> tuple[float, Tensor]:
    """Loss and gradient of the common batch where nothing is kept."""
    with our_training(base, SoftPromptAfter(length=LENGTH), given.examples) as plain:
        return plain.loss(given.common), plain.gradient(given.common)


def _same(base: Base, kept: OurTraining, given: Lesson, uncached: tuple[float, Tensor]) -> dict:
    """Both forms' figures; raises Unequal where loss or gradient differ."""
    loss, wanted = uncached
    allowed = SAME_GRADIENT[base.net.dtype.itemsize]
    difference = float(torch.linalg.vector_norm(kept.gradient(given.common) - wanted) / wanted.norm())
    if not difference <= allowed:
        raise Unequal(f"gradient with and without the cache: {difference:g} of its norm apart, allowed {allowed:g}")
    same = close("loss with and without the cache", kept.loss(given.common), loss, allowed)
    return {"loss": same, "gradient_difference": difference, "allowed": allowed}


def _steps_per_second(base: Base, ours: OurTraining, theirs: PeerTraining, given: Lesson) -> dict:
    ceiling = Ceiling(base, "frozen")

    def run_ours(cycle: int) -> float:
        batches = given.slots[0].ours if cycle == WARM else given.slot(cycle).ours  # warming up fills the cache
        for batch in batches:
            ours.step(batch)
        return len(batches)

    def run_theirs(cycle: int) -> float:
        for batch in given.slot(cycle).theirs:
            theirs.step(batch)
        return len(given.slot(cycle).theirs)

    def run_ceiling(cycle: int) -> float:
        for batch in given.slot(cycle).ours:
            ceiling.run(ours.rows(batch))
        return len(given.slot(cycle).ours)

    return {"ours": run_ours, "theirs": run_theirs, "ceiling": run_ceiling}

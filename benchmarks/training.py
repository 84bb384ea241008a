"""What the training benchmarks share: our step against a peer's on the same records, and their common loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.ceiling import Ceiling
from benchmarks.harness import Contest, Settings, close, race
from benchmarks.ours import OurTraining, our_training
from benchmarks.peers import PeerTraining, hf_full, peft_trainer
from benchmarks.slots import Lesson, lengths_of, own_tokens
from tuneoff.models.adapt import TrainedMethod
from tuneoff.models.base import Base

__all__ = ["Case", "tokens_per_second", "trainer_of", "training_line"]

SAME_LOSS = {4: 1e-5, 2: 2e-2}  # relative, by bytes of a number
MakePeer = Callable[[Base, OurTraining, Lesson], PeerTraining]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What tells one training line from another. make_peer: None where only the ceiling is the other side."""

    name: str
    case: str
    goal: float
    model: str
    method: TrainedMethod
    source: str
    against: str = "peft + transformers.Trainer"
    template: str = "plain"
    make_peer: MakePeer | None = None
    packages: Sequence[str] = ("peft", "accelerate")


def training_line(case: Case, base: Base, given: Lesson, settings: Settings) -> dict:
    """Race our engine against a peer (or its own ceiling) over a lesson."""
    with our_training(base, case.method, given.examples) as ours:
        facts = {"model": settings.model or case.model, "data": case.source, **lengths_of(given, ours.shared)}
        theirs = None
        if case.make_peer:
            theirs = case.make_peer(settings.base(case.model, case.template), ours, given)
            allowed = SAME_LOSS[base.net.dtype.itemsize]
            facts["loss"] = close("loss on a common batch", ours.loss(given.common), theirs.loss(given.common), allowed)
        contest = Contest(
            name=case.name,
            case=case.case,
            unit="tokens/s",
            goal=case.goal,
            against=case.against,
            **tokens_per_second(base, ours, theirs, given),
            facts=facts,
            packages=tuple(case.packages) if theirs else (),
        )
        return race(contest, len(given.slots), settings)


def tokens_per_second(base: Base, ours: OurTraining, theirs: PeerTraining | None, given: Lesson) -> dict:
    """The three slots, each worth its records' own tokens."""
    ceiling = Ceiling(base, "frozen" if ours.adapter else "trained")

    def of(batches: Callable[[int], list], step: Callable) -> Callable[[int], float]:
        def slot(cycle: int) -> float:
            for batch in batches(cycle):
                step(batch)
            return own_tokens(batches(cycle), ours.shared)

        return slot

    return {
        "ours": of(lambda cycle: given.slot(cycle).ours, ours.step),
        "theirs": of(lambda cycle: given.slot(cycle).theirs, theirs.step) if theirs else None,
        "ceiling": of(lambda cycle: given.slot(cycle).ours, lambda batch: ceiling.run(ours.rows(batch))),
    }


def trainer_of(base: Base, ours: OurTraining, given: Lesson) -> PeerTraining:
    """The usual peer: `peft` with Trainer, or Trainer alone where all weights learn."""
    return peft_trainer(base, ours.adapter, given.size) if ours.adapter else hf_full(base, given.size)

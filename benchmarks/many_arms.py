"""Sixteen arms at once on one base: soft prompts, then LoRAs; batch 4 each, rows of 32 tokens, SmolLM2-135M.

Against our own engine, one arm after another: the same steps on the same records. Sixteen batches of four make
matmuls of sixteen times the rows, and the base's weights are read once a step instead of sixteen times. The line also
tells the peak memory of a joint step against ONE arm's step with all 64 rows.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import torch

from benchmarks.ceiling import Ceiling, Rows
from benchmarks.harness import Contest, Settings, close, race
from benchmarks.ours import OurTraining, our_training
from benchmarks.slots import asked, own_tokens
from benchmarks.texts import documents
from tuneoff.engine.examples import Example
from tuneoff.engine.fit import Fit
from tuneoff.engine.memory import PeakMemory
from tuneoff.engine.together import Together, losses_together
from tuneoff.engine.train import learn
from tuneoff.methods.lora import Lora
from tuneoff.methods.soft_prompt import SoftPrompt
from tuneoff.models.adapt import AdapterMethod
from tuneoff.models.base import Base

__all__ = ["many_arms"]

MODEL = "smollm2-135m-instruct"
ARMS, SIZE, TOKENS, CYCLES = 16, 4, 32, 3
SAME_LOSS = {4: 1e-5, 2: 2e-2}  # relative, by bytes of a number


def many_arms(settings: Settings) -> Iterator[dict]:
    """Soft prompts of 20, then LoRAs of rank 8."""
    base = settings.base(MODEL, "plain")
    cpu = settings.device == "cpu"
    source, records = documents(base, TOKENS, ARMS * SIZE)
    examples = asked(base, records, longest=2 * TOKENS)
    for method, goal in ((SoftPrompt(length=20), 1.4 if cpu else 5.0), (Lora(), 1.2 if cpu else 5.0)):
        yield _line(base, method, examples, goal, source, settings)


def _line(
    base: Base, method: AdapterMethod, examples: Sequence[Example], goal: float, source: str, settings: Settings
) -> dict:
    batches = [list(examples[at : at + SIZE]) for at in range(0, len(examples), SIZE)]
    with ExitStack() as stack:
        arms = [stack.enter_context(our_training(base, method, examples)) for _ in range(ARMS)]
        whole = stack.enter_context(our_training(base, method, examples))
        for arm, batch in zip(arms, batches):
            arm.step(batch)  # an arm's first step is always its own
        whole.step(examples)
        contest = Contest(
            name="many_arms",
            case=f"{ARMS} arms, {type(method).__name__}, batch {SIZE}",
            unit="tokens/s",
            goal=goal,
            against="our engine, one arm after another",
            **_slots(base, arms, batches),
            facts={
                "model": settings.model or MODEL,
                "data": source,
                "arms": ARMS,
                "batch_size": SIZE,
                "mean_tokens": round(sum(len(each.ids.ids) for each in examples) / len(examples), 1),
                "loss": _same_loss(arms, batches),
                "memory": _memory(arms, whole, batches),
            },
        )
        return race(contest, settings.rounds(CYCLES), settings)


def _slots(base: Base, arms: Sequence[OurTraining], batches: Sequence[list[Example]]) -> dict:
    """The same arms step jointly and one by one in turn."""
    ceiling = Ceiling(base, "frozen")
    every = [arm.rows(batch) for arm, batch in zip(arms, batches)]
    useful = sum(own_tokens([batch], arm.shared) for arm, batch in zip(arms, batches))

    def run_joint(cycle: int) -> float:
        step_together(arms, batches)
        return useful

    def run_alone(cycle: int) -> float:
        for arm, batch in zip(arms, batches):
            arm.step(batch)
        return useful

    def run_ceiling(cycle: int) -> float:
        ceiling.run(Rows(sum(rows.layers for rows in every), sum(rows.head for rows in every)))
        return useful

    return {"ours": run_joint, "theirs": run_alone, "ceiling": run_ceiling}


def step_together(arms: Sequence[OurTraining], batches: Sequence[list[Example]]) -> None:
    """One step of each arm, in one pass."""
    for arm, batch in zip(arms, batches):
        arm.training.batch = batch
    learn([arm.training for arm in arms], Fit(arms[0].training.trainee.worn.base.device))


def _same_loss(arms: Sequence[OurTraining], batches: Sequence[list[Example]]) -> dict:
    """The last arm's loss in company and alone."""
    worn = [arm.training.trainee.worn for arm in arms]
    with torch.no_grad(), Together(worn) as together:
        losses = losses_together(together, [arm.contexts for arm in arms], batches)
    joint = float(losses[-1].per_record.sum() / losses[-1].tokens)
    return close("loss of the last arm", joint, arms[-1].loss(batches[-1]), SAME_LOSS[worn[0].base.net.dtype.itemsize])


def _memory(arms: Sequence[OurTraining], whole: OurTraining, batches: Sequence[list[Example]]) -> dict:
    """Peak bytes of a step of all arms, and of one arm's step with as many rows."""
    device = torch.device(arms[0].training.trainee.worn.base.device)
    peaks = []
    for step in (
        lambda: whole.step([each for batch in batches for each in batch]),
        lambda: step_together(arms, batches),
    ):
        with PeakMemory(device) as memory:
            step()
        peaks.append(memory.bytes)
    one, many = peaks
    known = bool(one) and many is not None
    return {"one_arm_bytes": one, "joint_bytes": many, "ratio": round(many / one, 2) if known else None, "goal": 1.3}

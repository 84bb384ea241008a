"""LoRA on instruction data: rank 8 on all seven projections, response alone trained.

    lora_smollm2    SmolLM2-135M-Instruct, its chat template, batch 8
    lora_gemma      Gemma 3 270M (a base model, 262,144 words in its vocabulary), plain text, batch 4

Against `peft` + Trainer with the same rank, targets and start. Data: the first of cleaned Alpaca, rows over 256
tokens left out (on both sides).
"""

from collections.abc import Iterator

from benchmarks.harness import Settings
from benchmarks.slots import Lesson, asked, lesson
from benchmarks.texts import instructions
from benchmarks.training import Case, trainer_of, training_line
from tuneoff.methods.lora import Lora
from tuneoff.models.base import Base

__all__ = ["instruction_lesson", "lora_gemma", "lora_smollm2"]

STEPS, CYCLES = 4, 3


def lora_smollm2(settings: Settings) -> Iterator[dict]:
    """Against `peft` on the small embedded model."""
    yield _line(settings, "lora_smollm2", "smollm2-135m-instruct", size=8, goal=2.5)


def lora_gemma(settings: Settings) -> Iterator[dict]:
    """Against `peft` on the one with the large vocabulary."""
    yield _line(settings, "lora_gemma", "gemma3-270m", size=4, goal=3.0)


def instruction_lesson(base: Base, size: int, settings: Settings) -> tuple[str, Lesson]:
    """Where from, and instructions with their responses."""
    source, records = instructions()
    return source, lesson(asked(base, records), size, settings.few(STEPS, 1), settings.rounds(CYCLES))


def _line(settings: Settings, name: str, model: str, *, size: int, goal: float) -> dict:
    base = settings.base(model)
    source, given = instruction_lesson(base, size, settings)
    case = Case(
        name=name,
        case=f"rank 8, batch {size}",
        goal=goal,
        model=model,
        method=Lora(),
        source=source,
        template="auto",
        make_peer=trainer_of,
    )
    return training_line(case, base, given, settings)

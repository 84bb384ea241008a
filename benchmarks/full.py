"""Full fine-tuning on instruction data, SmolLM2-135M, batch 4, against Trainer on the same weights.

All weights learn, so there are three matmuls per linear map; what is left to win is the head at trained positions
only, the padding, and the start that all rows share.
"""

from collections.abc import Iterator

from benchmarks.harness import Settings
from benchmarks.lora import instruction_lesson
from benchmarks.training import Case, trainer_of, training_line
from tuneoff.methods.full import Full

__all__ = ["full"]

MODEL = "smollm2-135m-instruct"


def full(settings: Settings) -> Iterator[dict]:
    """Against Trainer."""
    base = settings.base(MODEL)
    source, given = instruction_lesson(base, 4, settings)
    case = Case(
        name="full",
        case="batch 4",
        goal=1.8,
        model=MODEL,
        method=Full(),
        source=source,
        against="transformers.Trainer",
        template="auto",
        make_peer=trainer_of,
        packages=("accelerate",),
    )
    yield training_line(case, base, given, settings)

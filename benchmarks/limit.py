"""How much of the processor our engine uses: useful work a second over bare matmuls of the same shapes, same run.

One line each for prompt tuning (P = 20, batch 8), LoRA (batch 8, instruction data) and scoring (4 choices). The
ratio IS the fraction of the ceiling; there is no other side. Prior figure: `peft` was measured at 0.23.
"""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.harness import Settings
from benchmarks.lora import instruction_lesson
from benchmarks.prompt_tuning import MODEL, short_lesson
from benchmarks.score import score_line, topics
from benchmarks.training import Case, training_line
from tuneoff.methods.lora import Lora
from tuneoff.methods.soft_prompt import SoftPrompt

__all__ = ["limit"]

AGAINST = "matmuls of the same shapes"
GOAL = {"cpu": 0.75, "cuda": 0.5}


def limit(settings: Settings) -> Iterator[dict]:
    """Three lines without a peer."""
    goal = GOAL.get(settings.device.partition(":")[0], 0.5)
    base = settings.base(MODEL, "plain")
    source, given = short_lesson(base, 8, settings)
    case = Case(
        name="limit",
        case="prompt tuning, P = 20, batch 8",
        goal=goal,
        model=MODEL,
        method=SoftPrompt(length=20),
        source=source,
        against=AGAINST,
    )
    yield training_line(case, base, given, settings)
    base = settings.base(MODEL)
    source, given = instruction_lesson(base, 8, settings)
    case = replace(case, case="LoRA, rank 8, batch 8", method=Lora(), source=source)
    yield training_line(case, base, given, settings)
    asked = replace(topics(base, settings, shown=0, goal=goal), case="scoring, 4 choices")
    yield score_line("limit", base, asked, settings, peer=False)

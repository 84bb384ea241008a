"""Prompt tuning on short rows: a soft prompt before texts of about 50 tokens, one label to learn, SmolLM2-135M.

    prompt_tuning_p20     20 vectors, against `peft` + Trainer, batch 8 and batch 32
    prompt_tuning_p100    100 vectors, the same
    prompt_tuning_trl     20 and 100 vectors, against TRL's SFTTrainer with the same `peft` configuration, batch 8

The peer repeats the prompt in every row, pads rows in random order to the batch's longest, and (but for TRL) runs
the head over every position. Same float32 mathematics: both sides say the same loss on a common batch before they
start. Texts: tweets of tweet_eval in plain text behind an instruction of 20 tokens that names the labels, as a study
would ask them; rows have 51 tokens in the mean. The instruction is a start that all rows share, which the engine
runs once; a last line of prompt_tuning_p20 shows longer texts (AG News, 50 tokens) without any instruction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.harness import Settings
from benchmarks.peers import trl_trainer
from benchmarks.slots import Lesson, asked, lesson
from benchmarks.texts import feelings, news
from benchmarks.training import Case, trainer_of, training_line
from tuneoff.data.record import Record
from tuneoff.methods.soft_prompt import SoftPrompt
from tuneoff.models.base import Base

__all__ = ["MODEL", "prompt_tuning_p20", "prompt_tuning_p100", "prompt_tuning_trl", "short_lesson"]

MODEL = "smollm2-135m-instruct"
STEPS = {8: 4, 32: 2}  # batches of a slot
CYCLES = {8: 4, 32: 3}


def prompt_tuning_p20(settings: Settings) -> Iterator[dict]:
    """20 vectors against `peft`; the last line without an instruction."""
    yield from _against_peft(settings, "prompt_tuning_p20", 20, {8: 3.0, 32: 4.0})
    base = settings.base(MODEL, "plain")
    source, records = news()
    given = _lesson(base, records, "", 8, settings)
    case = _case("prompt_tuning_p20", "batch 8, no instruction", 20, 3.0, source)
    yield training_line(replace(case, make_peer=trainer_of), base, given, settings)


def prompt_tuning_p100(settings: Settings) -> Iterator[dict]:
    """100 vectors against `peft`."""
    yield from _against_peft(settings, "prompt_tuning_p100", 100, {8: 3.5, 32: 4.5})


def prompt_tuning_trl(settings: Settings) -> Iterator[dict]:
    """20 and 100 vectors against TRL."""
    base = settings.base(MODEL, "plain")
    source, given = short_lesson(base, 8, settings)
    for length, goal in ((20, 2.2), (100, 2.5)):
        case = replace(
            _case("prompt_tuning_trl", f"P = {length}, batch 8", length, goal, source),
            against="trl SFTTrainer (float32, no checkpointing)",
            make_peer=lambda base, ours, given: trl_trainer(base, ours.adapter, given.size, given.examples),
            packages=("trl", "peft", "accelerate", "datasets"),
        )
        yield training_line(case, base, given, settings)


def short_lesson(base: Base, size: int, settings: Settings) -> tuple[str, Lesson]:
    """Where from, and tweets behind an instruction that names their labels."""
    source, records = feelings()
    labels = ", ".join(sorted({record.target for record in records}))
    instruction = f"Which feeling does the text show? Answer with one of: {labels}."
    return source, _lesson(base, records, instruction, size, settings)


def _lesson(base: Base, records: Sequence[Record], instruction: str, size: int, settings: Settings) -> Lesson:
    steps, cycles = settings.few(STEPS[size], 16 // size or 1), settings.rounds(CYCLES[size])
    return lesson(asked(base, records, instruction), size, steps, cycles)


def _against_peft(settings: Settings, name: str, length: int, goals: dict[int, float]) -> Iterator[dict]:
    base = settings.base(MODEL, "plain")
    for size, goal in goals.items():
        source, given = short_lesson(base, size, settings)
        case = replace(_case(name, f"batch {size}", length, goal, source), make_peer=trainer_of)
        yield training_line(case, base, given, settings)


def _case(name: str, case: str, length: int, goal: float, source: str) -> Case:
    return Case(name=name, case=case, goal=goal, model=MODEL, method=SoftPrompt(length=length), source=source)

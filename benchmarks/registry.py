"""Benchmarks by name. A new one is a function Settings -> lines in a file of this folder, and a row here."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports torch, which reads the number of threads from the environment that is set later
    from benchmarks.harness import Settings

__all__ = ["JUDGES", "NAMES", "benchmark"]

SPEED = {
    "prompt_tuning_p20": "prompt_tuning",
    "prompt_tuning_p100": "prompt_tuning",
    "prompt_tuning_trl": "prompt_tuning",
    "context_cache": "context_cache",
    "lora_smollm2": "lora",
    "lora_gemma": "lora",
    "full": "full",
    "many_arms": "many_arms",
    "score_77": "score",
    "score_4_fewshot": "score",
    "score_4": "score",
    "limit": "limit",
    "int8": "int8",
    "usual_way": "usual_way",
}
JUDGE = {
    "judge_aa": "judge",
    "judge_coverage": "judge",
    "judge_power": "judge",
    "judge_winners": "judge",
    "judge_aa_recorded": "judge_recorded",
    "budget_kept": "budget",
}
FILES = {**SPEED, **JUDGE}
NAMES, JUDGES = tuple(SPEED), tuple(JUDGE)


def benchmark(name: str) -> "Callable[[Settings], Iterator[dict]]":
    """The function behind a name; its file is imported now."""
    return getattr(import_module(f"benchmarks.{FILES[name]}"), name)

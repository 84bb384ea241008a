"""The limits of a study: which arms break one, and which could not be held to it.

[decision] max_latency_ms = 100      lora, 181.2 ms: "first token takes 181.2 ms, the limit is 100"
                                     dora, not measured: stays in, and the verdict says that it was not checked
"""

from collections.abc import Iterable
from typing import NamedTuple

from tuneoff.study.spec import DecisionSpec
from tuneoff.study.verdict.judgement import Standing
from tuneoff.study.verdict.price import AXES

__all__ = ["Held", "active", "held", "without"]

NO_WEIGHTS = "no_weights_access"
SAID = {
    "max_latency_ms": ("latency", "first token takes {} ms"),
    "max_artifact_mb": ("artifact", "{} MB to keep"),
    "max_train_minutes": ("training", "{} minutes of training a job"),
    "max_forgetting": ("forgetting", "{} nats per token away from the base model"),
}


class Held(NamedTuple):
    """out: why, by arm that breaks a limit. unchecked: by limit, the others whose figure is not known."""

    out: dict[str, str]
    unchecked: dict[str, list[str]]


def active(decision: DecisionSpec) -> dict[str, float | bool]:
    """The limits that are set."""
    return {key: value for key in (NO_WEIGHTS, *SAID) if (value := getattr(decision, key))}


def without(decision: DecisionSpec, key: str) -> DecisionSpec:
    """The same decision with one limit lifted."""
    return decision.model_copy(update={key: type(getattr(decision, key))()})


def held(rows: Iterable[Standing], decision: DecisionSpec) -> Held:
    """Hold arms to the limits. An arm without a test figure is held to `no_weights_access` alone."""
    out: dict[str, list[str]] = {}
    unchecked: dict[str, list[str]] = {}
    for row in rows:
        if decision.no_weights_access and row.uses_weights:
            out.setdefault(row.arm, []).append("it needs the model's weights, which the study rules out")
        for key, limit in active(decision).items():
            if key == NO_WEIGHTS or row.mean is None or _idle(key, row):
                continue
            figure = AXES[SAID[key][0]].figure(row)
            if figure is None:
                unchecked.setdefault(key, []).append(row.arm)
            elif figure > limit:
                words = SAID[key][1].format(_above(figure, limit))
                out.setdefault(row.arm, []).append(f"{words}, the limit is {limit:g}")
    left = {key: [arm for arm in arms if arm not in out] for key, arms in unchecked.items()}
    return Held({arm: "; ".join(why) for arm, why in out.items()}, {key: arms for key, arms in left.items() if arms})


def _idle(key: str, row: Standing) -> bool:
    """A baseline has no language model that could be slow."""
    return key == "max_latency_ms" and row.baseline


def _above(figure: float, limit: float) -> str:
    """With as many digits as it takes to see that it is more than the limit."""
    return next((text for digits in range(3, 17) if float(text := f"{figure:.{digits}g}") > limit), repr(figure))

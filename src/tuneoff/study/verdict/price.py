"""What an arm costs, axis by axis: the one list behind limits, weights, and the choice between equals.

    serving       prompt tokens of a request          latency       ms to the first token, one request at a time
    artifact      MB to keep                          forgetting    nats per token away from the base model
    training      minutes of a job

    lora, 45 tokens, 3.7 MB, 3.3 minutes, with weights {quality = 1, serving = 0.01}, at 81.2 %:  81.2 - 0.45 = 80.75

Quality counts in points (a loss: in nats below 0), so a weight is a number of points per unit of cost. A figure that
was not measured is None, never 0.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tuneoff.study.verdict.judgement import Standing

__all__ = ["AXES", "COSTS", "WEIGHED", "Axis", "price", "quality", "score"]


class Axis(NamedTuple):
    """unit: one of it, as a price names it. figure: what an arm has of it, where that is known."""

    unit: str
    figure: Callable[[Standing], float | None]


def _tokens(row: Standing) -> float | None:
    tokens = row.cost.get("prompt_tokens")
    return None if tokens is None else round(tokens, 1)  # seeds that draw demonstrations differ by less


def _minutes(row: Standing) -> float | None:
    """What was trained elsewhere took a time that is not known here."""
    seconds = None if row.tuned and not row.trains else row.cost.get("train_s")
    return None if seconds is None else seconds / 60


def _megabytes(row: Standing) -> float | None:
    size = row.cost.get("artifact_bytes")
    return None if size is None else size / 1e6


def _drift(row: Standing) -> float | None:
    """0 by construction where the model answers as it is."""
    return 0.0 if not row.tuned else row.axes.get("retention_drift")


AXES = {
    "serving": Axis("prompt token", _tokens),
    "artifact": Axis("MB to keep", _megabytes),
    "training": Axis("minute of training", _minutes),
    "latency": Axis("millisecond to the first token", lambda row: row.axes.get("first_token_ms_1")),
    "forgetting": Axis("nat of drift per token", _drift),
}
COSTS = ("serving", "artifact", "training")
"those that settle the choice between winners, in this order unless the study puts another first"
WEIGHED = ("quality", *AXES)


def price(row: Standing, first: str) -> tuple[float | None, ...]:
    """An arm's costs, the one that the study puts first and then the others."""
    return tuple(AXES[name].figure(row) for name in (first, *(name for name in COSTS if name != first)))


def quality(row: Standing, up: bool) -> float:
    """A tested arm's points; of a loss, nats below 0."""
    return 100 * row.mean if up else -row.mean


def score(row: Standing, weights: Mapping[str, float], up: bool) -> float | None:
    """Quality minus the weighted costs; None where one of them is not known."""
    costs = {name: AXES[name].figure(row) for name in weights if name in AXES}
    if row.mean is None or None in costs.values():
        return None
    return weights.get("quality", 1.0) * quality(row, up) - sum(weights[name] * cost for name, cost in costs.items())

"""What is taken of each artifact, so that all figures together take no longer than they may.

    48 s for two arms of 0.8 s a record     ->     Taken(batches=(1,), retention=True, records=9)

First the wait for one request, then drift, then the records that other wordings and memorisation stand on, and at last
sixteen requests at once. What [decision] holds arms to is taken whatever it takes. All arms are taken alike.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tuneoff.evaluation import retention, serving
from tuneoff.study.spec import DecisionSpec, MeasureSpec

__all__ = ["BATCHES", "LEAST", "ArmCost", "Taken", "asked_for", "fit_figures", "needed"]

BATCHES = (1, 16)
LEAST = 4  # records: a figure on fewer says nothing
STARTING = 4  # records: what it takes to begin an answer, whatever their number
DRAWN = 3  # passes that the base's own texts take once, to be written and read


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmCost:
    """record_s: to answer one. prompt_s: to run a request's prompt. drifts: whether the model is changed. learned:
    whether there are training records that it may know."""

    record_s: float
    prompt_s: float
    drifts: bool
    learned: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """batches: of requests at once. records: of each figure that stands on records; 0: none of these is taken."""

    batches: tuple[int, ...]
    retention: bool
    records: int

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> "Taken":
        """What `as_json` wrote."""
        table = json.loads(text)
        return cls(tuple(table["batches"]), table["retention"], table["records"])

    def cut(self, asked: MeasureSpec) -> str:
        """What was asked for and is not taken, in words; empty where nothing is missing."""
        whole, missing = asked_for(asked), []
        if self.records < whole.records:
            missing.append(f"{self.records} records of {whole.records}" if self.records else "no record asked again")
        missing += [_times(batch) for batch in whole.batches if batch not in self.batches]
        missing += ["no drift"] if whole.retention and not self.retention else []
        return ", ".join(missing)


def _times(batch: int) -> str:
    return "no time to answer" if batch == 1 else f"no times of {batch} requests at once"


def asked_for(asked: MeasureSpec) -> Taken:
    """All that the study asks for."""
    again = asked.rewordings or asked.memorisation
    return Taken(BATCHES if asked.serving else (), asked.retention, asked.records if again else 0)


def needed(asked: MeasureSpec, decision: DecisionSpec) -> MeasureSpec:
    """The figures that the decision cannot do without, of those that are asked for."""
    latency = decision.max_latency_ms or "latency" in decision.weights
    forgetting = decision.max_forgetting or "forgetting" in decision.weights
    kept = {
        "serving": asked.serving and bool(latency),
        "retention": asked.retention and bool(forgetting),
        "rewordings": 0,
        "memorisation": False,
    }
    return asked.model_copy(update=kept)


def fit_figures(
    asked: MeasureSpec, decision: DecisionSpec, costs: Sequence[ArmCost], forward_s: float, allowed_s: float
) -> Taken:
    """forward_s: a token. allowed_s: for the figures of all arms."""
    whole, must, left = asked_for(asked), needed(asked, decision), allowed_s

    def fits(seconds: float, due: bool = False) -> bool:
        nonlocal left
        taken = due or seconds <= left
        left -= seconds if taken else 0.0
        return taken

    def serves(batch: int) -> bool:
        return batch in whole.batches and fits(_serving_s(costs, batch), must.serving and batch == BATCHES[0])

    batches = [batch for batch in BATCHES[:1] if serves(batch)]
    drift = whole.retention and fits(_retention_s(costs, forward_s), must.retention)
    records = _records(asked, costs, left) if whole.records else 0
    left -= _records_s(asked, costs, records)
    batches += [batch for batch in BATCHES[1:] if serves(batch)]
    return Taken(tuple(batches), drift, records)


def _records(asked: MeasureSpec, costs: Sequence[ArmCost], left_s: float) -> int:
    """As many as fit, up to those that are asked for."""
    return next((n for n in range(asked.records, LEAST - 1, -1) if _records_s(asked, costs, n) <= left_s), 0)


def _records_s(asked: MeasureSpec, costs: Sequence[ArmCost], records: int) -> float:
    wordings = asked.rewordings if isinstance(asked.rewordings, int) else len(asked.rewordings)
    if not records:
        return 0.0
    return sum(
        (1 + wordings + (asked.memorisation and cost.learned)) * (records + STARTING) * cost.record_s for cost in costs
    )


def _serving_s(costs: Sequence[ArmCost], batch: int) -> float:
    """One request goes before, and does not count."""
    return sum(serving.SECONDS + (batch + 1) * cost.prompt_s for cost in costs)


def _retention_s(costs: Sequence[ArmCost], forward_s: float) -> float:
    passes = sum(cost.drifts for cost in costs)
    return (passes + DRAWN * bool(passes)) * retention.TEXTS * retention.TOKENS * forward_s

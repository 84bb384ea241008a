"""The sizes of a first study of free text, so that it runs within half an hour here; and what a first study takes.

No model is loaded for this. How fast this machine multiplies says what a token takes, and the forecast's own arithmetic
(study/budget/bill.py) adds it up, with rates that are assumed in the place of measured ones:

    a token forward    2 x parameters / operations a second         SmolLM2-135M at 100 GFLOP/s a core:  2.7 ms
    trained            2.2 times as much
    a step of writing  10 tokens, and 1.2 for each row
    tokens of a text   a quarter of its ASCII letters, and two thirds of all other bytes

It is right within a factor of two. `tuneoff plan` measures the model itself.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from tuneoff.data.record import Record
from tuneoff.study.budget.forecast import likely, resized
from tuneoff.study.budget.rates import ArmRate, Rates, rate_key
from tuneoff.study.budget.writing import Writing
from tuneoff.study.plan import Plan

__all__ = ["LIMIT_S", "FirstLook", "assumed_rates", "first_look", "forward_s_here", "text_tokens"]

LIMIT_S = 1800.0  # that a first study may take
AIM = 0.7  # of it is planned for
PARAMETERS = 134_515_008  # of the default model
WIDTHS = (576, 1536)  # of a matmul in its layers
ROWS = 256  # tokens in a pass
RUNS = 20
EFFICIENCY = 0.8  # of the speed of its matmuls is left over a whole pass

LOAD_S = 10.0
TRAINED = 2.2  # a trained token, in tokens forward
STEP, ROW = 10.0, 1.2  # a step of writing and each of its rows, in tokens forward
ROOM = 1.25  # of the longest training answer
PROBE_S = 10.0  # to fit a probe on states that are there
UNTUNED = 1.5  # times as much is written without training
TEMPLATE = 20  # tokens of a chat's own
POSITIONS = 8192  # that are written together
ASCII, OTHER = 0.25, 0.67  # tokens of a byte
SCALES = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1)
FEWEST = {"train": 60, "validation": 20, "test": 30}


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstLook:
    """records: how many of each split, of those that are there. seconds: what the study takes, about."""

    records: Mapping[str, int]
    seconds: float


def first_look(plan: Plan, forward_s: float) -> FirstLook:
    """The largest study of free text that fits with one trial and one seed, or the smallest that means something; a
    choice as it is.

    plan: of all records that a first study would take. forward_s: a token.
    """
    scales = SCALES if plan.data.kind == "text" else (1.0,)
    for scale in scales:
        made = _scaled(plan, scale)
        one = resized(made, 1, 1)  # a budget keeps what fits of the other trials and seeds
        look = FirstLook(records=_counts(made), seconds=likely(one, assumed_rates(one, forward_s)).all_s)
        if look.seconds <= AIM * LIMIT_S:
            return look
    return look


def forward_s_here() -> float:
    """Seconds that a token of the default model takes here, from the quickest of a few matmuls."""
    x, weight = torch.ones(ROWS, WIDTHS[0]), torch.ones(WIDTHS[1], WIDTHS[0])
    torch.nn.functional.linear(x, weight)
    best = float("inf")
    for _ in range(RUNS):
        began = time.perf_counter()
        torch.nn.functional.linear(x, weight)
        best = min(best, time.perf_counter() - began)
    per_s = ROWS * WIDTHS[0] * WIDTHS[1] / max(best, 1e-9)
    return PARAMETERS / (EFFICIENCY * per_s)


def assumed_rates(plan: Plan, forward_s: float) -> Rates:
    """Of every arm alike, but for what it learns."""
    train = plan.data.train
    own = TEMPLATE + fmean(text_tokens(record.text) for record in train)
    answers = [text_tokens(record.target) + 1 for record in train]
    tree = sum(map(text_tokens, plan.task.labels)) if plan.data.kind == "choice" else fmean(answers)
    arms = {}
    for arm in plan.arms:
        learns = bool(arm.stages)
        arms[rate_key(arm)] = ArmRate(
            records=tuple(plan.lesson(stage) for stage in arm.stages),
            tokens=(own + fmean(answers),) * len(arm.stages),
            token_s=(TRAINED * forward_s,) * len(arm.stages),
            start_s=1.0 + (PROBE_S + len(train) * own * forward_s if arm.probe else 0.0),
            shared_s=text_tokens(plan.task.instruction) * forward_s,
            record_s=0.0 if arm.baseline else (own + tree) * forward_s,
            writing=_writing(own, answers, forward_s, learns) if plan.data.kind == "text" else None,
        )
    return Rates(arms=arms, before_s=LOAD_S, forward_s=forward_s)


def text_tokens(text: str) -> float:
    """About how many tokens a text has."""
    size = len(text.encode(errors="surrogatepass"))
    other = sum(len(letter.encode(errors="surrogatepass")) for letter in text if not letter.isascii())
    return ASCII * (size - other) + OTHER * other


def _writing(own: float, answers: Sequence[float], forward_s: float, learned: bool) -> Writing:
    room = ROOM * max(answers)
    return Writing(
        tokens=fmean(answers) if learned else min(UNTUNED * fmean(answers), room),
        longest=round(max(answers) if learned else room),
        rows=max(1, int(POSITIONS / (own + room / 2))),
        step_s=STEP * forward_s,
        token_s=ROW * forward_s,
    )


def _scaled(plan: Plan, scale: float) -> Plan:
    """The same on fewer records; what is there stays where it is little."""
    data = plan.data
    cut: dict[str, Sequence[Record]] = {}
    for split, fewest in FEWEST.items():
        records = getattr(data, split)
        cut[split] = records[: max(fewest, int(scale * len(records) / 10) * 10)] if scale < 1 else records
    return replace(plan, data=replace(data, **cut))


def _counts(plan: Plan) -> dict[str, int]:
    return {split: len(getattr(plan.data, split)) for split in FEWEST}

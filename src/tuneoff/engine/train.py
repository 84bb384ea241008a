"""The one training loop: AdamW, warm-up and cosine decay, clipping, checks on validation, the best one kept.

It learns whatever tensors it is given (an adapter's, several adapters' together, the model's own weights) and asks
`check` for the validation figure. After each check its whole state is put aside, so that a killed run goes on
from there and ends with the same bits.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tuneoff.core.files import written
from tuneoff.core.identity import canonical
from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import batches, epoch_steps
from tuneoff.engine.context import ContextCache, Contexts
from tuneoff.engine.examples import Example, shared_start
from tuneoff.engine.loss import answer_loss
from tuneoff.engine.memory import PeakMemory

__all__ = ["Check", "Group", "Schedule", "Trained", "train"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """What all trained arms share. checks: validation checks over the schedule. patience: 0 is never stop early."""

    epochs: float = 2.0
    batch_size: int = 8
    checks: int = 4
    patience: int = 0
    warmup: float = 0.06
    weight_decay: float = 0.0
    clip: float = 1.0

    def steps(self, records: int) -> int:
        return max(1, round(self.epochs * epoch_steps(records, self.batch_size)))

    def check_steps(self, records: int) -> list[int]:
        steps = self.steps(records)
        return sorted({max(1, round(steps * i / self.checks)) for i in range(1, self.checks + 1)})

    def rate(self, step: int, steps: int) -> float:
        """The share of the peak rate at a step counted from 0: linear up, cosine down to a tenth."""
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return (step + 1) / warm
        return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


@dataclass(frozen=True, slots=True)
class Group:
    """Tensors that learn at one peak rate."""

    parameters: dict[str, Tensor]
    lr: float


class Check(NamedTuple):
    """A validation figure: more is better in both; the second breaks ties (minus the mean loss)."""

    value: float
    tie: float


class Point(NamedTuple):
    step: int
    records: int
    train_loss: float
    check: Check
    seconds: float


@dataclass(slots=True)
class Trained:
    """The curve, the tokens seen, and what a step took. The tensors themselves hold the best check's values.

    earlier_s: seconds of training before a restart. peak_bytes: of the first step.
    """

    points: list[Point] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    earlier_s: float = 0.0
    peak_bytes: int | None = None

    @property
    def best(self) -> Point:
        return max(self.points, key=lambda point: [-math.inf if math.isnan(x) else x for x in point.check])


def train(
    worn: Worn,
    groups: Sequence[Group],
    examples: Sequence[Example],
    schedule: Schedule,
    *,
    seed: int,
    check: Callable[[], Check],
    cache: ContextCache | None = None,
    aside: Path | None = None,
    tick: Callable[[int, int, float | None], None] = lambda step, steps, value: None,
) -> Trained:
    """Train in place. aside: the file that holds the state of an unfinished run, read first if it is there."""
    learner = Learner(groups, schedule, schedule.steps(len(examples)))
    if aside is not None and aside.is_file():
        learner.load(aside)
    shared = examples[0].ids.prompt[: shared_start([example.ids.prompt for example in examples])]
    contexts = Contexts(worn, shared, cache)
    checks = schedule.check_steps(len(examples))
    began = time.perf_counter() - learner.done.seconds
    steps = () if learner.stopped else _steps(examples, schedule, seed, learner.step)
    for step, batch in steps:
        with PeakMemory(worn.base.device) if step == 0 else PeakMemory.off() as memory:
            tokens = learner.learn(contexts, batch)
        learner.done.peak_bytes = memory.bytes if step == 0 else learner.done.peak_bytes
        learner.done.tokens += tokens
        tick(step + 1, learner.steps, None)
        if step + 1 in checks:
            records = min(len(examples) * math.ceil(schedule.epochs), (step + 1) * schedule.batch_size)
            point = Point(step + 1, records, learner.mean_loss(), check(), time.perf_counter() - began)
            learner.remember(point)
            learner.done.seconds = point.seconds
            tick(step + 1, learner.steps, point.check.value)
            if aside is not None:
                learner.save(aside)
            if learner.stopped:
                break
    learner.restore_best()
    return learner.done


def _steps(examples: Sequence[Example], schedule: Schedule, seed: int, first: int):
    """(step, examples of its batch), from step `first` on; the same for the same seed, wherever it resumes."""
    lengths = [len(example.ids.ids) for example in examples]
    per_epoch = epoch_steps(len(examples), schedule.batch_size)
    for step in range(first, schedule.steps(len(examples))):
        epoch, at = divmod(step, per_epoch)
        if at == 0 or step == first:
            order = batches(lengths, schedule.batch_size, seed, epoch)
        yield step, [examples[i] for i in order[at]]


class Learner:
    """Parameters, optimiser, curve: the state that is put aside and taken up again."""

    def __init__(self, groups: Sequence[Group], schedule: Schedule, steps: int):
        self.schedule, self.steps, self.step = schedule, steps, 0
        self.groups = groups
        self.parameters = {name: p for group in groups for name, p in group.parameters.items()}
        self.optimiser = torch.optim.AdamW(
            [{"params": list(group.parameters.values()), "lr": group.lr, "peak": group.lr} for group in groups],
            weight_decay=schedule.weight_decay,
        )
        self.best: dict[str, Tensor] = {}
        self.losses: list[float] = []
        self.done = Trained()

    def learn(self, contexts: Contexts, batch: Sequence[Example]) -> int:
        """One optimiser step: the summed loss over its trained tokens, divided by their count. Returns real tokens."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * self.schedule.rate(self.step, self.steps)
        loss = answer_loss(contexts, contexts.start(), batch)
        mean = loss.per_record.sum() / loss.tokens
        self.optimiser.zero_grad(set_to_none=True)
        mean.backward()
        torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), self.schedule.clip)
        self.optimiser.step()
        self.losses.append(float(mean.detach()))
        self.step += 1
        return sum(len(example.ids.ids) for example in batch)

    def mean_loss(self) -> float:
        """Nats per trained token since the last check."""
        losses, self.losses = self.losses, []
        return sum(losses) / len(losses)

    def remember(self, point: Point) -> None:
        self.done.points.append(point)
        if self.done.best is point:
            self.best = {name: p.detach().clone() for name, p in self.parameters.items()}

    @property
    def stopped(self) -> bool:
        """Whether `patience` checks have passed without a better one."""
        if not self.done.points:
            return False
        since = len(self.done.points) - 1 - self.done.points.index(self.done.best)
        return 0 < self.schedule.patience <= since

    def restore_best(self) -> None:
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(self.best[name])

    def save(self, path: Path) -> None:
        tensors = {f"now/{name}": p.detach() for name, p in self.parameters.items()}
        tensors |= {f"best/{name}": p for name, p in self.best.items()}
        for name, p in self.parameters.items():
            state = self.optimiser.state[p]
            tensors |= {f"m/{name}": state["exp_avg"], f"v/{name}": state["exp_avg_sq"]}
        points = [[*point[:3], *point.check, point.seconds] for point in self.done.points]
        facts = {"step": self.step, "tokens": self.done.tokens, "peak": self.done.peak_bytes, "points": points}
        with written(path) as temporary:
            save_file({name: t.contiguous() for name, t in tensors.items()}, temporary, {"facts": canonical(facts)})

    def load(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        self.step = facts["step"]
        points = [Point(s, r, loss, Check(value, tie), seconds) for s, r, loss, value, tie, seconds in facts["points"]]
        earlier_s = points[-1].seconds
        self.done = Trained(points, facts["tokens"], earlier_s, earlier_s, facts["peak"])
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(held[f"now/{name}"])
                self.best[name] = held[f"best/{name}"].to(p.device)
                self.optimiser.state[p] = {
                    "step": torch.tensor(float(self.step)),
                    "exp_avg": held[f"m/{name}"].to(p.device),
                    "exp_avg_sq": held[f"v/{name}"].to(p.device),
                }

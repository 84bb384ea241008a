"""What learns: tensors, their optimiser and schedule, the curve so far, and the file that holds all of it.

AdamW, linear warm-up and cosine decay, clipping. Checks at the early rungs serve the race alone; of the later ones,
which every seed has, the values of the best are kept.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tuneoff.core.files import written
from tuneoff.core.identity import canonical
from tuneoff.core.rungs import RUNGS
from tuneoff.engine.batches import epoch_steps

__all__ = ["Check", "Group", "Learner", "Point", "Schedule", "Trained"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """What all trained arms share.

    checks: validation checks over the schedule; of three or more, two stand at the early rungs. patience: later checks
    without a better one before it stops; 0: never.
    """

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
        """The steps behind which validation is looked at: the early rungs, then evenly to the end."""
        early = [max(1, round(self.steps(records) * share)) for share in self._early]
        return sorted({*early, *self.late_steps(records)})

    def late_steps(self, records: int) -> list[int]:
        """Those of them that choose what is kept."""
        late = self.checks - len(self._early)
        start = self._early[-1] if self._early else 0.0
        shares = (start + (1 - start) * i / late for i in range(1, late + 1))
        return sorted({max(1, round(self.steps(records) * share)) for share in shares})

    @property
    def _early(self) -> tuple[float, ...]:
        return RUNGS[:-1][max(0, len(RUNGS) - self.checks) :]

    def rung_step(self, records: int, rung: int) -> int:
        """The step at which a rung is reached: the first check at or behind its share."""
        wanted = max(1, round(self.steps(records) * RUNGS[rung - 1]))
        return next(step for step in self.check_steps(records) if step >= wanted)

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
    """The curve, and what it took. The tensors themselves hold the best check's values.

    late: the first step whose check may be the best; before it, only where there is no later one.
    tokens: real ones seen. seconds: of this arm's share of all passes and of its checks, those before a restart
    included. peak_bytes: of the first step.
    """

    late: int
    points: list[Point] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    peak_bytes: int | None = None

    @property
    def best(self) -> Point:
        return max(self.points, key=self._worth)

    def _worth(self, point: Point) -> tuple[bool, list[float]]:
        return point.step >= self.late, [-math.inf if math.isnan(x) else x for x in point.check]


class Learner:
    """Parameters, optimiser, curve: the state that is put aside and taken up again."""

    def __init__(self, groups: Sequence[Group], schedule: Schedule, records: int):
        self.schedule, self.steps, self.step = schedule, schedule.steps(records), 0
        self.groups = groups
        self.parameters = {name: p for group in groups for name, p in group.parameters.items()}
        self.optimiser = torch.optim.AdamW(
            [{"params": list(group.parameters.values()), "lr": group.lr, "peak": group.lr} for group in groups],
            weight_decay=schedule.weight_decay,
            # one look at each number in place of a dozen; on a processor the kernel walks memory as it lies
            fused=all(p.is_contiguous() for p in self.parameters.values()),
        )
        self.best: dict[str, Tensor] = {}
        self.losses: list[float] = []
        self.done = Trained(schedule.late_steps(records)[0])

    def begin(self) -> None:
        """Before the gradients of a step are made."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * self.schedule.rate(self.step, self.steps)
        self.forget_gradients()

    def forget_gradients(self) -> None:
        self.optimiser.zero_grad(set_to_none=True)

    def step_on(self, mean: float) -> None:
        """Clip the gradients, and step. mean: the loss that they are of."""
        torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), self.schedule.clip)
        self.optimiser.step()
        self.losses.append(mean)
        self.step += 1

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
        """Whether `patience` checks have passed without a better one; those at the early rungs do not count."""
        late = [point for point in self.done.points if point.step >= self.done.late]
        since = len(late) - 1 - late.index(self.done.best) if late else 0
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
        done, points = self.done, [[*point[:3], *point.check, point.seconds] for point in self.done.points]
        facts = {"step": self.step, "points": points, "losses": self.losses}
        facts |= {"tokens": done.tokens, "seconds": done.seconds, "peak": done.peak_bytes}
        with written(path) as temporary:
            save_file({name: t.contiguous() for name, t in tensors.items()}, temporary, {"facts": canonical(facts)})

    def load(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        self.step, self.losses = facts["step"], facts["losses"]
        points = [Point(s, r, loss, Check(value, tie), seconds) for s, r, loss, value, tie, seconds in facts["points"]]
        self.done = Trained(self.done.late, points, facts["tokens"], facts["seconds"], facts["peak"])
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(held[f"now/{name}"])
                if points:
                    self.best[name] = held[f"best/{name}"].to(p.device)
                self.optimiser.state[p] = {
                    "step": torch.tensor(float(self.step), device=p.device),
                    "exp_avg": torch.zeros_like(p).copy_(held[f"m/{name}"]),
                    "exp_avg_sq": torch.zeros_like(p).copy_(held[f"v/{name}"]),
                }

"""What learns: tensors, their optimiser, the curve so far, and the file that holds all of it.

AdamW at the rates of engine/schedule.py, clipping. Of all checks the values of the likeliest are kept.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tuneoff.core.files import written
from tuneoff.core.identity import canonical
from tuneoff.engine.schedule import Schedule
from tuneoff.stats.trend import Trend, trend

__all__ = ["Check", "Group", "Learner", "Point", "Trained"]


@dataclass(frozen=True, slots=True)
class Group:
    """Tensors that learn at one peak rate."""

    parameters: dict[str, Tensor]
    lr: float


class Check(NamedTuple):
    """A look at validation. likelihoods: of each record's right answer, from 0 to 1. figure: the deciding metric, more
    is better; None where nothing was answered. answers: what was answered, for whoever asked."""

    likelihoods: Sequence[float]
    figure: float | None = None
    answers: Sequence | None = None


class Point(NamedTuple):
    """likelihood: the mean over validation. decaying: whether the rate was falling."""

    step: int
    records: int
    train_loss: float
    figure: float | None
    likelihood: float
    decaying: bool
    seconds: float


@dataclass(slots=True)
class Trained:
    """The curve, and what it took. The tensors themselves hold the likeliest check's values.

    trend: of the stable part, where the decay began; None: too few checks to tell. decay_from: the step where it began;
    None: not yet. tokens: real ones seen. seconds: of this arm's share of all passes and of its checks, those before a
    restart included. peak_bytes: of the first step. last, best: the answers of the last check, and of the likeliest
    one; None where another process has them, or none were given.
    """

    points: list[Point] = field(default_factory=list)
    trend: Trend | None = None
    decay_from: int | None = None
    tokens: int = 0
    seconds: float = 0.0
    peak_bytes: int | None = None
    last: Sequence | None = None
    best: Sequence | None = None

    @property
    def kept(self) -> Point:
        """The check whose values are kept; of equal ones the first."""
        return max(self.points, key=lambda point: -math.inf if math.isnan(point.likelihood) else point.likelihood)

    @property
    def kept_the_last(self) -> bool:
        return self.kept is self.points[-1]


class Learner:
    """Parameters, optimiser, curve: the state that is put aside and taken up again."""

    def __init__(self, groups: Sequence[Group], schedule: Schedule, records: int):
        self.schedule, self.records, self.step = schedule, records, 0
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
        self.likelihoods: list[np.ndarray] = []  # of each point
        self.done = Trained()

    @property
    def end(self) -> int:
        """The last step, as far as it is known."""
        start = self.done.decay_from
        return self.schedule.steps(self.records) if start is None else self.schedule.end(self.records, start)

    @property
    def half(self) -> int:
        """The step in the middle of the decay, which has begun."""
        return (self.done.decay_from + self.end + 1) // 2

    def begin(self) -> None:
        """Before the gradients of a step are made."""
        share = self.schedule.rate(self.step, self.records, self.done.decay_from)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * share
        self.forget_gradients()

    def forget_gradients(self) -> None:
        self.optimiser.zero_grad(set_to_none=True)

    def step_on(self, mean: float) -> None:
        """Clip the gradients, and step. mean: the loss that they are of."""
        torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), self.schedule.clip)
        self.optimiser.step()
        self.losses.append(mean)
        self.step += 1

    def remember(self, records: int, check: Check) -> None:
        """A look at validation behind so many records seen."""
        likelihoods = np.asarray(check.likelihoods, dtype=np.float64)
        losses, self.losses = self.losses, []
        decaying, done = self.done.decay_from is not None, self.done
        loss, likelihood = sum(losses) / max(len(losses), 1), float(likelihoods.mean())
        point = Point(self.step, records, loss, check.figure, likelihood, decaying, done.seconds)
        done.points.append(point)
        self.likelihoods.append(likelihoods)
        done.last = check.answers
        if done.kept_the_last:
            done.best = check.answers
            self.best = {name: p.detach().clone() for name, p in self.parameters.items()}

    def begins_decay(self) -> bool:
        """Whether the decay begins at this step, which is then settled: the curve is flat, or the cap is near."""
        done, schedule = self.done, self.schedule
        if done.decay_from is not None or self.step < schedule.first_decay(self.records):
            return False
        checked = bool(done.points) and done.points[-1].step == self.step
        late = self.step >= schedule.last_decay(self.records)
        if not (checked or late):
            return False
        found = trend([point.step for point in done.points], np.array(self.likelihoods)) if done.points else None
        if not (late or (found and found.flat(schedule.margin))):
            return False
        done.trend, done.decay_from = found, self.step
        return True

    @property
    def bytes(self) -> int:
        """Of the state: values, the best ones, and two moments."""
        return 4 * sum(p.numel() * p.element_size() for p in self.parameters.values())

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
        if self.likelihoods:
            tensors["likelihoods"] = torch.from_numpy(np.array(self.likelihoods))
        done = self.done
        facts = {"step": self.step, "points": [list(point) for point in done.points], "losses": self.losses}
        facts |= {"trend": done.trend and list(done.trend), "decay_from": done.decay_from}
        facts |= {"tokens": done.tokens, "seconds": done.seconds, "peak": done.peak_bytes}
        with written(path) as temporary:
            save_file({name: t.contiguous() for name, t in tensors.items()}, temporary, {"facts": canonical(facts)})

    def save_stable(self, path: Path) -> None:
        """The state as if the decay had not begun, for a training that goes on from here."""
        done, self.done = self.done, replace(self.done, trend=None, decay_from=None)
        self.save(path)
        self.done = done

    def load(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        self.step, self.losses = facts["step"], facts["losses"]
        self.likelihoods = list(held["likelihoods"].numpy()) if facts["points"] else []
        self.done = Trained(
            points=[Point(*point) for point in facts["points"]],
            trend=facts["trend"] and Trend(*facts["trend"]),
            decay_from=facts["decay_from"],
            tokens=facts["tokens"],
            seconds=facts["seconds"],
            peak_bytes=facts["peak"],
        )
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(held[f"now/{name}"])
                if facts["points"]:
                    self.best[name] = held[f"best/{name}"].to(p.device)
                self.optimiser.state[p] = {
                    "step": torch.tensor(float(self.step), device=p.device),
                    "exp_avg": torch.zeros_like(p).copy_(held[f"m/{name}"]),
                    "exp_avg_sq": torch.zeros_like(p).copy_(held[f"v/{name}"]),
                }

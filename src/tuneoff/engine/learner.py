"""What learns: tensors, their optimiser, their average, the curve so far, and the file that holds all of it.

AdamW at the rates of engine/schedule.py, clipping. What is looked at on validation is the average of the values over
the steps so far, later ones counting more, and of all checks the likeliest average is kept:

    average at step t  =  (1 - w) average at step t - 1  +  w values,    w = 10 / (t + 9)

about the last tenth of the steps, which takes out what a constant rate adds to every step by chance (Shamir and Zhang
2013, arXiv 1212.1824, section 4: polynomial-decay averaging).
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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

RECENT = 9  # the larger, the fewer of the last steps count: about a 1 / (RECENT + 1) part of all


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
    """figure, likelihood: on validation, the latter the mean over its records."""

    step: int
    records: int
    train_loss: float
    figure: float | None
    likelihood: float
    seconds: float


@dataclass(slots=True)
class Trained:
    """The curve, and what it took. The tensors themselves hold the likeliest check's average.

    trend: at the last check; None: too few checks to tell. ended: whether it has come to its end. tokens: real ones
    seen. seconds: of this arm's share of all passes and of its checks, those before a restart included. peak_bytes: of
    the first step. last, best: the answers of the last check, and of the likeliest one; None where another process has
    them, or none were given.
    """

    points: list[Point] = field(default_factory=list)
    trend: Trend | None = None
    ended: bool = False
    tokens: int = 0
    seconds: float = 0.0
    peak_bytes: int | None = None
    last: Sequence | None = None
    best: Sequence | None = None

    def flat(self, margin: float) -> bool:
        """Whether it was shown that more steps would bring less than the margin."""
        return self.trend is not None and self.trend.flat(margin)

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
        self.average: dict[str, Tensor] = {}
        self.best: dict[str, Tensor] = {}
        self.losses: list[float] = []
        self.done = Trained()

    @property
    def end(self) -> int:
        """The last step, as far as it is known."""
        return self.step if self.done.ended else self.schedule.last_end(self.records)

    def begin(self) -> None:
        """Before the gradients of a step are made."""
        share = self.schedule.rate(self.step, self.records)
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
        self._count_in()

    @torch.no_grad()
    def _count_in(self) -> None:
        """The values of this step into the average."""
        if not self.average:
            self.average = {name: p.detach().clone() for name, p in self.parameters.items()}
        weight = (RECENT + 1) / (self.step + RECENT)
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), weight)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """While it is entered, the parameters hold the average."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, p in self.parameters.items():
            own = p.detach().clone()
            p.copy_(self.average[name])
            self.average[name].copy_(own)

    def remember(self, records: int, check: Check) -> None:
        """A look at validation behind so many records seen; whether it is the last one is settled."""
        losses, self.losses = self.losses, []
        done, likelihood = self.done, float(np.mean(check.likelihoods))
        loss = sum(losses) / max(len(losses), 1)
        done.points.append(Point(self.step, records, loss, check.figure, likelihood, done.seconds))
        done.last = check.answers
        if done.kept_the_last:
            done.best = check.answers
            self.best = {name: average.clone() for name, average in self.average.items()}
        self._settle()

    def answer(self, check: Check) -> None:
        """What the last check would have answered, which was not asked for at once."""
        done = self.done
        done.points[-1] = done.points[-1]._replace(figure=check.figure)
        done.last = check.answers
        if done.kept_the_last:
            done.best = check.answers

    def _settle(self) -> None:
        """Training ends where the curve is flat, or at the cap."""
        done, schedule = self.done, self.schedule
        done.trend = trend([point.step for point in done.points], [point.likelihood for point in done.points])
        may = self.step >= schedule.first_end(self.records)
        done.ended = self.step >= schedule.last_end(self.records) or (may and done.flat(schedule.margin))

    @property
    def bytes(self) -> int:
        """Of the state: values, their average, the best one, and two moments."""
        return 5 * sum(p.numel() * p.element_size() for p in self.parameters.values())

    @torch.no_grad()
    def take(self, values: Mapping[str, Tensor]) -> None:
        for name, p in self.parameters.items():
            p.copy_(values[name])

    def save(self, path: Path) -> None:
        tensors = {f"now/{name}": p.detach() for name, p in self.parameters.items()}
        tensors |= {f"average/{name}": average for name, average in self.average.items()}
        tensors |= {f"best/{name}": p for name, p in self.best.items()}
        for name, p in self.parameters.items():
            state = self.optimiser.state[p]
            tensors |= {f"m/{name}": state["exp_avg"], f"v/{name}": state["exp_avg_sq"]}
        done = self.done
        facts = {"step": self.step, "points": [list(point) for point in done.points], "losses": self.losses}
        facts |= {"tokens": done.tokens, "seconds": done.seconds, "peak": done.peak_bytes}
        with written(path) as temporary:
            save_file({name: t.contiguous() for name, t in tensors.items()}, temporary, {"facts": canonical(facts)})

    def load(self, path: Path) -> None:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["facts"])
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        self.step, self.losses = facts["step"], facts["losses"]
        self.done = Trained(
            points=[Point(*point) for point in facts["points"]],
            tokens=facts["tokens"],
            seconds=facts["seconds"],
            peak_bytes=facts["peak"],
        )
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(held[f"now/{name}"])
                self.average[name] = held[f"average/{name}"].to(p.device)
                if facts["points"]:
                    self.best[name] = held[f"best/{name}"].to(p.device)
                self.optimiser.state[p] = {
                    "step": torch.tensor(float(self.step), device=p.device),
                    "exp_avg": torch.zeros_like(p).copy_(held[f"m/{name}"]),
                    "exp_avg_sq": torch.zeros_like(p).copy_(held[f"v/{name}"]),
                }
        if self.done.points:
            self._settle()  # the cap may be another one than before

"""One training from a set start, on two answers that the prompt's second token tells apart."""

import torch

from tiny_arms import TASK, made_method, short_rows, tiny_base
from tuneoff.engine.attach import Worn, new_adapter
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import Example
from tuneoff.engine.learner import Check, Group
from tuneoff.engine.loss import answer_loss
from tuneoff.engine.schedule import Schedule
from tuneoff.engine.train import Trainee, train
from tuneoff.models.chat import Encoded

FLOAT32 = torch.float32
WHOLE = Schedule(epochs=2, batch_size=4, checks=4, margin=-1.0)
"never flat: 8 steps over 14 records"
CHECKS = [1, 2, 3, 4, 6, 8]
"of it: evenly and at the rungs"


def many_rows(count=14) -> list[Example]:
    """Two answers, told apart by the prompt's second token."""
    rows = []
    for at in range(count):
        joy = at % 2
        prompt = (1, 9, 8, 100 + joy, *(20 + (at * 7 + i) % 60 for i in range(at % 4)), 30)
        rows.append(Example(short_rows()[0].record, Encoded(prompt, (50 + joy, 51, 4))))
    return rows


class Killed(Exception):
    """Stands for kill -9 at a step."""


class Run:
    """One training from the same start: its adapters, and what came of it."""

    def __init__(self, names=("lora",), *, base=None, schedule=None, seed=3, lr=2e-2, rows=None, **options):
        self.base = base or tiny_base("llama", dtype=FLOAT32)
        self.adapters = [new_adapter(self.base, made_method(name), TASK, 5 + at) for at, name in enumerate(names)]
        self.rows = rows or many_rows()
        self.schedule = schedule or WHOLE
        self.groups = [
            Group({f"{number}/{at}/{n}": t for at, own in adapter.tensors.items() for n, t in own.items()}, lr)
            for number, adapter in enumerate(self.adapters)
        ]
        self.checks = []
        self.worn = Worn(self.base, self.adapters)
        check = options.pop("check", self.look)
        own = {name: options.pop(name) for name in ("aside", "raced", "unfinished") if name in options}
        own |= {"schedule": self.schedule, "seed": seed, "check": check}
        self.trainee = Trainee(worn=self.worn, groups=self.groups, examples=self.rows, **own)
        if options.pop("alone", True):
            (self.done,) = train([self.trainee], **options)

    def look(self, answered: bool) -> Check:
        self.checks.append([p.detach().clone() for adapter in self.adapters for p in adapter.parameters()])
        with torch.no_grad():
            losses = answer_loss(Contexts(self.worn, (), None), None, self.rows[:6]).per_record
        return Check((-losses).exp().tolist(), answers=["said"] if answered else None)

    @property
    def tensors(self) -> list[torch.Tensor]:
        return [p.detach() for adapter in self.adapters for p in adapter.parameters()]


def same(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def looks(*means: float):
    """Checks that find these likelihoods of 20 records."""
    rest = iter(means)

    def check(answered: bool) -> Check:
        mean = next(rest)
        return Check([mean] * 20, answers=["said"] if answered else None)

    return check


def killed_after(steps: int):
    def tick(step, total, value):
        if value is None and step > steps:
            raise Killed

    return tick


def curve(done):
    """All that must repeat; seconds do not."""
    return [point._replace(seconds=0) for point in done.points], done.tokens

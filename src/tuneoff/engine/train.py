"""The one training loop: arms that learn, each on its own way, through one base in as few passes as can be.

It learns whatever tensors it is given (an adapter's, several adapters' together, the model's own weights) and asks
`check` how likely the right answers of validation are. Each arm has its own batches and its own end
(engine/schedule.py); what an arm learns does not depend on its company. At checks its whole state is put aside, so
that a killed run goes on from there and ends with the same bits.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tuneoff.core.rungs import LAST
from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import batches, epoch_steps
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.context import Contexts
from tuneoff.engine.examples import Example, shared_start
from tuneoff.engine.fit import Fit
from tuneoff.engine.learner import Check, Group, Learner, Trained
from tuneoff.engine.loss import Loss, step_loss
from tuneoff.engine.memory import PeakMemory
from tuneoff.engine.schedule import Schedule
from tuneoff.engine.together import Together, losses_together

__all__ = ["Trainee", "Training", "learn", "train"]

SMALL_BYTES = 256 << 20  # a larger state is put aside at the rungs alone
Tick = Callable[[int, int, float | None], None]


@dataclass(kw_only=True, slots=True, eq=False)
class Trainee:
    """An arm that learns. worn: what it wears, not entered. groups: what of it learns.

    check: called while it is worn; True: answers are wanted too. schedule: its own. seed: of the order of its records.
    raced: whether answers are wanted at the early rungs. aside: the file that holds the state of an unfinished run,
    read first if it is there. unfinished: the file that keeps the state of a curve that ends and is not flat.
    """

    worn: Worn
    groups: Sequence[Group]
    examples: Sequence[Example]
    seed: int
    check: Callable[[bool], Check]
    schedule: Schedule
    raced: bool = True
    aside: Path | None = None
    unfinished: Path | None = None


def train(
    trainees: Sequence[Trainee],
    *,
    cache: ContextCache | None = None,
    rung: int = LAST,
    tick: Tick = lambda step, steps, value: None,
) -> list[Trained]:
    """Train in place. Arms that can go through the base in one pass do; none depends on the others.

    rung: how far (core/rungs.py). Before the last one the tensors hold the average at that step, and the state that
    is put aside goes on from there. tick: told the steps done, and the most there are to do, of all arms, and the
    figure of a check.
    """
    trainings = [Training(trainee, cache, rung) for trainee in trainees]
    fit = Fit(trainees[0].worn.base.device)

    def told(value: float | None) -> None:
        tick(sum(each.learner.step for each in trainings), sum(each.until for each in trainings), value)

    while active := [training for training in trainings if training.batch]:
        for group in in_one_pass(active):
            learn(group, fit)
            told(None)
        due = [training for training in active if training.due]
        for training in due:
            told(training.check())
        for training in due:  # at once, so that a kill finds all at the same step
            training.put_aside()
        for training in active:
            training.go_on()
    return [training.finish() for training in trainings]


class Training:
    """One arm on its way through its batches. batch: the records of the next step; empty: it is over."""

    def __init__(self, trainee: Trainee, cache: ContextCache | None, rung: int = LAST):
        examples, schedule = trainee.examples, trainee.schedule
        self.trainee, self.schedule, self.rung = trainee, schedule, rung
        self.learner = Learner(trainee.groups, schedule, len(examples))
        if trainee.aside is not None and trainee.aside.is_file():
            self.learner.load(trainee.aside)
        shared = examples[0].ids.prompt[: shared_start([example.ids.prompt for example in examples])]
        self.contexts = Contexts(trainee.worn, shared, cache)
        self._rungs = [schedule.rung_step(len(examples), each) for each in range(1, LAST)]
        self._checks = set(schedule.check_steps(len(examples)))
        self._batches = _batches(examples, schedule, trainee.seed, self.learner.step)
        self.batch: list[Example] = []
        self.go_on()

    @property
    def until(self) -> int:
        """The step at which it ends or waits; the most there are, as long as that is not known."""
        if self.rung == LAST:
            return self.learner.end
        return min(self._rungs[self.rung - 1], self.learner.end)

    @property
    def due(self) -> bool:
        """Whether it is to be checked now: evenly, and at the end."""
        return self.learner.step in self._checks or self.learner.step == self.learner.end

    @property
    def first_step(self) -> bool:
        return self.learner.step == 0

    def company(self) -> tuple:
        """Trainings of equal company may share a pass; one whose company is its own cannot."""
        worn = self.trainee.worn
        if self.first_step or worn.text_changed or not (worn.packed and worn.may_pack()):
            return (id(self),)
        return (self.contexts.shared,) if self.contexts.behind_prompts else ()

    def check(self) -> float | None:
        learner, trained, done = self.learner, len(self.trainee.examples), self.learner.done
        rung = self.trainee.raced and learner.step in self._rungs
        began = time.perf_counter()
        check = self._look(rung or learner.step == learner.end)
        done.seconds += time.perf_counter() - began
        epochs, steps = divmod(learner.step, epoch_steps(trained, self.schedule.batch_size))
        learner.remember(epochs * trained + min(trained, steps * self.schedule.batch_size), check)
        if done.ended and check.answers is None:  # that it is the end was found by this check
            began = time.perf_counter()
            learner.answer(self._look(True))
            done.seconds += time.perf_counter() - began
        return done.points[-1].figure

    def _look(self, answered: bool) -> Check:
        with self.learner.averaged(), self.trainee.worn:
            return self.trainee.check(answered)

    def put_aside(self) -> None:
        learner = self.learner
        if self.trainee.aside is None:
            return
        if learner.bytes <= SMALL_BYTES or learner.step in (*self._rungs, learner.end):
            learner.save(self.trainee.aside)

    def go_on(self) -> None:
        """The next batch."""
        self.batch = [] if self.learner.step >= self.until else next(self._batches)

    def finish(self) -> Trained:
        """Leave the tensors with what counts: the likeliest average at the end, the average of now at an early rung."""
        learner, done = self.learner, self.learner.done
        if self.rung != LAST:
            learner.take(learner.average)
            return done
        if done.last is None and not done.kept_the_last:  # another process had the answers
            learner.answer(self._look(True))
        self._keep_unfinished()
        learner.take(learner.best)
        return done

    def _keep_unfinished(self) -> None:
        """A curve that was not shown to be flat can be gone on with."""
        if self.trainee.unfinished is not None and not self.learner.done.flat(self.schedule.margin):
            self.learner.save(self.trainee.unfinished)


def in_one_pass(trainings: Sequence[Training]) -> list[list[Training]]:
    """Trainings by company. The first step of each is its own, because its memory is measured there."""
    groups: dict[tuple, list[Training]] = {}
    for training in trainings:
        groups.setdefault(training.company(), []).append(training)
    return list(groups.values())


def learn(trainings: Sequence[Training], fit: Fit) -> None:
    """One optimiser step of each: its summed loss over its trained tokens, divided by their count.

    What the pass took is shared by the positions that were run for each.
    """
    began = time.perf_counter()
    rows = [(training, example) for training in trainings for example in training.batch]
    for training in trainings:
        training.learner.begin()
    measured = len(trainings) == 1 and trainings[0].first_step
    with PeakMemory(fit.device) if measured else PeakMemory.off() as memory:
        parts = fit.run(rows, _send_back, lambda: [training.learner.forget_gradients() for training in trainings])
    computed = sum(count for part in parts for _, count in part.values())
    for training in trainings:
        training.learner.step_on(sum(part[training][0] for part in parts if training in part))
    seconds = time.perf_counter() - began
    for training in trainings:
        done = training.learner.done
        done.peak_bytes = memory.bytes if measured else done.peak_bytes
        done.tokens += sum(len(example.ids.ids) for example in training.batch)
        done.seconds += seconds * sum(part[training][1] for part in parts if training in part) / computed


def _send_back(rows: Sequence[tuple[Training, Example]]) -> dict[Training, tuple[float, int]]:
    """Forward and backward of some rows: {training: (its share of its mean loss, positions run)}."""
    batches: dict[Training, list[Example]] = {}
    for training, example in rows:
        batches.setdefault(training, []).append(example)
    contexts = [training.contexts for training in batches]
    if len(contexts) == 1:
        with contexts[0].worn:
            return _sent_back(dict(zip(batches, [step_loss(contexts[0], *batches.values())])))
    with Together([own.worn for own in contexts]) as together:
        return _sent_back(dict(zip(batches, losses_together(together, contexts, list(batches.values())))))


def _sent_back(losses: Mapping[Training, Loss]) -> dict[Training, tuple[float, int]]:
    """The backward, of what is still worn, since layers may run again in it. Returns what `_send_back` does."""
    means = {
        training: loss.per_record.sum() / sum(len(example.ids.answer) for example in training.batch)
        for training, loss in losses.items()
    }
    sum(means.values()).backward()
    return {training: (float(mean.detach()), losses[training].computed) for training, mean in means.items()}


def _batches(examples: Sequence[Example], schedule: Schedule, seed: int, first: int) -> Iterator[list[Example]]:
    """The records of each step from step `first` on, without end; the same for the same seed, wherever it resumes."""
    lengths = [len(example.ids.ids) for example in examples]
    per_epoch = epoch_steps(len(examples), schedule.batch_size)
    for step in count(first):
        epoch, at = divmod(step, per_epoch)
        if at == 0 or step == first:
            order = batches(lengths, schedule.batch_size, seed, epoch)
        yield [examples[i] for i in order[at]]

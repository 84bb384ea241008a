"""Our side of a training benchmark: the engine's own step, called as a study calls it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from benchmarks.ceiling import Rows
from tuneoff.data.task import Task
from tuneoff.engine.attach import Adapter, Worn, new_adapter
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.examples import Example
from tuneoff.engine.fit import Fit
from tuneoff.engine.learner import Check, Group
from tuneoff.engine.loss import step_loss
from tuneoff.engine.schedule import Schedule
from tuneoff.engine.train import Trainee, Training, learn
from tuneoff.models.adapt import AdapterMethod, TrainedMethod
from tuneoff.models.base import Base
from tuneoff.study.bundle import freed

__all__ = ["TASK", "OurTraining", "our_training"]

TASK = Task(name="benchmark", kind="text", instruction="Read the text and answer.")
EPOCHS = 1000.0  # so many that the schedule's rate hardly moves in a run
SPREAD = 0.01  # LoRA starts as no change at all, on which the two sides would agree whatever they did


class OurTraining:
    """adapter: None where the model's own weights learn."""

    def __init__(self, training: Training, adapter: Adapter | None):
        self.training, self.adapter = training, adapter
        self.contexts = training.contexts
        self._fit = Fit(self.contexts.worn.base.device)

    def step(self, batch: Sequence[Example]) -> None:
        """One step of the optimiser."""
        self.training.batch = list(batch)
        learn([self.training], self._fit)

    def loss(self, batch: Sequence[Example]) -> float:
        """Mean over trained tokens."""
        with torch.no_grad():
            return float(self._mean(batch))

    def gradient(self, batch: Sequence[Example]) -> Tensor:
        """All gradients of the mean loss as one vector; they are not applied."""
        grads = torch.autograd.grad(self._mean(batch), list(self.training.learner.parameters.values()))
        return torch.cat([grad.flatten() for grad in grads])

    def _mean(self, batch: Sequence[Example]) -> Tensor:
        with self.contexts.worn:
            loss = step_loss(self.contexts, batch)
        return loss.per_record.sum() / loss.tokens

    @property
    def shared(self) -> int:
        """Tokens that all prompts start with."""
        return len(self.contexts.shared)

    def rows(self, batch: Sequence[Example]) -> Rows:
        """What a step needs: the shared start once, each record's own tokens but its last, trained ones for the head.

        Behind kept contexts only the virtual positions and the answers are left.
        """
        virtual = self.adapter.method.virtual if self.adapter else 0
        head = sum(len(example.ids.answer) for example in batch)
        if self.contexts.behind_prompts:
            return Rows(head + (virtual - 1) * len(batch), head)
        return Rows(virtual + self.shared + sum(len(each.ids.ids) - 1 - self.shared for each in batch), head)


@contextmanager
def our_training(
    base: Base, method: TrainedMethod, examples: Sequence[Example], cache: ContextCache | None = None
) -> Iterator[OurTraining]:
    """A method at work on a base, one at a time; its weights are as they were after the block."""
    rate = method.lr * (base.embedding_rms if method.lr_unit == "embedding" else 1.0)
    with ExitStack() as stack:
        if isinstance(method, AdapterMethod):
            adapter = _moved(new_adapter(base, method, TASK, seed=0))
            learning = {f"{at}/{name}": t for at, own in adapter.tensors.items() for name, t in own.items()}
        else:
            adapter = None
            learning = stack.enter_context(freed(base, method.trainable(base.net)))
        trainee = Trainee(
            worn=Worn(base, [adapter] if adapter else [], text_changed=adapter is None),
            groups=[Group(learning, rate)],
            examples=examples,
            seed=0,
            check=lambda answered: Check([0.0]),  # never asked for: a slot makes steps alone
            schedule=Schedule(epochs=EPOCHS),
        )
        yield OurTraining(Training(trainee, cache), adapter)


def _moved(adapter: Adapter) -> Adapter:
    gen = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in adapter.parameters():
            tensor += SPREAD * torch.randn(tensor.shape, generator=gen).to(tensor.device)
    return adapter

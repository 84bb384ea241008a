"""What each setting of a trained method reaches on validation records, those that have no line yet.

The check that is likeliest (mean over validation of the probability of the right answer) is the one that is told, as
it is the one that a study keeps.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.recipe_grids import GRIDS, Setting
from benchmarks.recipe_sets import Sample
from benchmarks.recipes import Lines
from tuneoff.core import plugins
from tuneoff.data.prompt import Prompt
from tuneoff.engine.attach import Worn, new_adapter
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.examples import encode
from tuneoff.engine.learner import Check, Group, Trained
from tuneoff.engine.schedule import Schedule
from tuneoff.engine.train import Trainee, train
from tuneoff.evaluation.checks import check
from tuneoff.evaluation.run import answer_examples, metric_named, pooled
from tuneoff.models.base import Base
from tuneoff.study.plan import TOLD_APART

__all__ = ["training"]

COMPANY = 2  # settings in one pass: more hardly make it cheaper, and all are lost where it is broken off


def training(base: Base, model: str, grid: str, name: str, sample: Sample, lines: Lines) -> None:
    """Train what of a grid has no line yet."""
    asked = [(each, {"model": model, "set": name, **asdict(each)}) for each in GRIDS[grid]]
    missing = [(setting, line) for setting, line in asked if lines.missing(line)]
    for first in range(0, len(missing), COMPANY):
        together = missing[first : first + COMPANY]
        for (_, line), found in zip(together, _reached(base, sample, [setting for setting, _ in together])):
            lines.add(line, found)


def _reached(base: Base, sample: Sample, settings: Sequence[Setting]) -> Iterator[dict]:
    with tempfile.TemporaryDirectory() as folder:
        cache = ContextCache(None, base.device, folder=Path(folder))
        learning = [_Learning(base, sample, setting, cache) for setting in settings]
        curves = train([each.trainee for each in learning], cache=cache)
        for each, curve in zip(learning, curves):
            yield {**each.metrics(), **_figures(curve)}


class _Learning:
    """One setting as the training loop takes it."""

    def __init__(self, base: Base, sample: Sample, setting: Setting, cache: ContextCache):
        self.sample, self.cache = sample, cache
        method = plugins.load("methods", setting.method).build(setting.knobs, "benchmarks")
        adapter = new_adapter(base, method, sample.task, setting.seed)
        self.worn = Worn(base, [adapter])
        prompt = Prompt(instruction=sample.task.instruction)
        self.validation = encode(base, prompt, sample.validation, reserve=method.taken)
        rate = method.lr * (base.embedding_rms if method.lr_unit == "embedding" else 1.0)
        learning = {f"{at}/{name}": t for at, own in adapter.tensors.items() for name, t in own.items()}
        self.trainee = Trainee(
            worn=self.worn,
            groups=[Group(learning, rate)],
            examples=encode(base, prompt, sample.train, reserve=method.taken),
            seed=setting.seed,
            check=self.check,
            schedule=Schedule(
                epochs=setting.epochs,
                batch_size=setting.batch,
                checks=setting.checks,
                margin=TOLD_APART / len(sample.validation),
            ),
        )

    def check(self, answers_wanted: bool) -> Check:
        """Likelihoods of right answers, as in a study; no text is written."""
        return check(self.worn, self.sample.task, self.validation, self.cache, answered=False)

    def metrics(self) -> dict[str, float]:
        """Of the likeliest check, whose values the tensors hold."""
        task = self.sample.task
        with self.worn:
            answers = answer_examples(self.worn, task, self.validation, cache=self.cache)
        found = {name: pooled(metric_named(name), answers, self.sample.validation, task) for name in task.metrics}
        return {name: round(value, 4) for name, value in found.items()}


def _figures(curve: Trained) -> dict:
    return {
        "likelihood": round(curve.kept.likelihood, 4),
        "at": curve.kept.step,
        "seconds": round(curve.seconds, 1),
        "curve": [[point.step, round(point.train_loss, 4), round(point.likelihood, 4)] for point in curve.points],
    }

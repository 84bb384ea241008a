"""One job, done: the only meeting point of data, engine and evaluation.

fit: prompt chosen, stages trained up to a rung, validation answered; at the last rung the bundle is saved. test: the
saved bundle meets the test set.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from tuneoff.core.cost import Cost
from tuneoff.core.errors import ConfigError
from tuneoff.core.identity import content_hash
from tuneoff.core.rungs import LAST
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.data.shapes import asking
from tuneoff.engine.attach import Adapter, Worn, new_adapter
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.examples import Example, Lengths, encode, shortened
from tuneoff.engine.learner import Check, Group, Trained
from tuneoff.engine.score import score_choices
from tuneoff.engine.train import Trainee, train
from tuneoff.evaluation.answer import cut_answers
from tuneoff.evaluation.checks import check, likelihood_check
from tuneoff.evaluation.metric import Answer
from tuneoff.evaluation.run import (
    answer_examples,
    check_label_ids,
    distribution_answers,
    label_prior,
    label_scores,
    metric_named,
)
from tuneoff.models.adapt import AdapterMethod, TrainedMethod
from tuneoff.models.base import Base
from tuneoff.study.arm import Job, Part, Stage, held_out
from tuneoff.study.asides import begun_aside
from tuneoff.study.bundle import Tuned, TunedPart, freed, load_tuned, save_tuned, tensors_of
from tuneoff.study.continuation import unfinished_file
from tuneoff.study.course import course_records
from tuneoff.study.given import given_tuned
from tuneoff.study.lengths import MOST_NEW_TOKENS, longest_answer
from tuneoff.study.outcome import Outcome, Point, Progress, Split, points_of
from tuneoff.study.plan import Plan
from tuneoff.study.probing import Pooled, PooledOnce, learn, scorer_of
from tuneoff.study.progress import progress_of

__all__ = ["Fitted", "Worker"]

PRIOR_RECORDS = 64  # a mean over this many estimates a label's prior to a few per cent

Tick = Callable[[int, int, float | None], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """What fitting gave: validation outcomes of the best check, the curve, the cost. Or what the test gave.

    progress: whether training had come to its end; None before it, and where nothing is trained. shortened: in words,
    how many of the records that were answered had to be cut to fit, and how many of their answers were cut where
    writing stops; empty where none.
    """

    outcomes: list[Outcome]
    points: list[Point] = field(default_factory=list)
    cost: Cost = field(default_factory=Cost)
    progress: Progress | None = None
    shortened: str = ""


class Answered(NamedTuple):
    """Answers in the records' order. prompt_tokens: what asking took, on average."""

    answers: list[Answer]
    prompt_tokens: float
    shortened: str


class Worker:
    """Does the jobs of one plan on one base, keeping what they share: contexts, and scores of untuned prompts.

    Where the study asks for 8 bits, steps and the checks that choose among them run on the base in 8 bits; every answer
    that is judged comes from the base itself.
    """

    def __init__(self, plan: Plan, base: Base, folder: Path, cache_bytes: int | None = None):
        check_label_ids(base.chat, plan.task.labels)
        self.plan, self.base, self.folder = plan, base, folder
        self.cache = ContextCache(cache_bytes, base.device, folder=folder / "contexts")
        longest = longest_answer(plan, base.chat)
        self.task = replace(plan.task, max_answer_tokens=0 if plan.task.kind == "choice" else _with_some_room(longest))
        self.lengths = Lengths(plan.spec.train.max_length, plan.spec.data.too_long, longest)
        self._scores: dict[str, Tensor] = {}
        self._pooled = PooledOnce()
        self._embedding_rms = base.embedding_rms  # of the base as it was, not as tuned

    def fit(self, job: Job, rung: int = LAST, tick: Tick = lambda step, steps, value: None) -> Fitted:
        """Do a job up to a rung and its validation outcomes there; at the last one, save its bundle."""
        began = time.perf_counter()
        if job.arm.baseline:
            answers = self._baseline(job, self.plan.data.validation)
            cost = Cost(train_s=time.perf_counter() - began, prompt_tokens=0.0)
            return Fitted(outcomes=self._outcomes(job, "validation", answers), cost=cost)
        return self._close(job, rung, *self._train(job, rung, tick))

    def fit_together(
        self, jobs: Sequence[Job], rung: int = LAST, tick: Tick = lambda step, steps, value: None
    ) -> Iterator[Fitted]:
        """Do jobs whose arms train in one pass (`Arm.in_company`), and finish one after the other, in their order."""
        untuned = [self._untuned(job) for job in jobs]
        learning = [self._fresh(job, 0, job.arm.stages[0]) for job in jobs]
        trainees = [
            self._trainee(job, 0, before, adapters, {}) for job, before, adapters in zip(jobs, untuned, learning)
        ]
        curves = train(trainees, cache=self.cache, rung=rung, tick=tick)
        for job, before, adapters, curve in zip(jobs, untuned, learning, curves):
            parts = _parts(job.arm.stages[0], tensors_of(adapters))
            yield self._close(job, rung, replace(before, parts=parts), [curve])

    def _close(self, job: Job, rung: int, tuned: Tuned, curves: Sequence[Trained]) -> Fitted:
        return self._finish(job, tuned, curves) if rung == LAST else self._pause(job, rung, tuned, curves)

    def _pause(self, job: Job, rung: int, tuned: Tuned, curves: Sequence[Trained]) -> Fitted:
        """Validation outcomes at a rung; a job that was broken off behind its check answers anew."""
        answers = self._exact(job, curves[-1].last) or self._answers(tuned, self.plan.data.validation).answers
        return Fitted(
            outcomes=self._outcomes(job, "validation", answers, rung),
            points=points_of(job, curves),
            cost=Cost(train_s=sum(c.seconds for c in curves), train_tokens=sum(c.tokens for c in curves)),
        )

    def _finish(self, job: Job, tuned: Tuned, curves: Sequence[Trained]) -> Fitted:
        """From what was trained to validation outcomes and a saved bundle."""
        began = time.perf_counter()
        tuned = self._probed(job, self._calibrated(job, tuned), self.plan.data.train)
        known = self._exact(job, curves[-1].best if curves else None)
        answered = self._answers(tuned, self.plan.data.validation, known)
        size = save_tuned(tuned, self.place(job), self.base)
        cost = Cost(
            prompt_tokens=answered.prompt_tokens,
            trainable=sum(part.numbers for part in tuned.parts),
            train_s=time.perf_counter() - began + sum(curve.seconds for curve in curves),
            train_tokens=sum(curve.tokens for curve in curves),
            peak_bytes=max((curve.peak_bytes for curve in curves if curve.peak_bytes), default=None),
            artifact_bytes=size,
        )
        outcomes = self._outcomes(job, "validation", answered.answers) + self._at_the_end(job, curves)
        return Fitted(
            outcomes=outcomes,
            points=points_of(job, curves),
            cost=cost,
            progress=progress_of(curves[-1], self.plan.schedule.margin) if curves else None,
            shortened=answered.shortened,
        )

    def _at_the_end(self, job: Job, curves: Sequence[Trained]) -> list[Outcome]:
        """What was answered at the last rung, where another check's values are kept: arms are compared by this."""
        if not curves or curves[-1].kept_the_last or not (last := self._exact(job, curves[-1].last)):
            return []
        return self._outcomes(job, "validation", last, LAST)

    def test(self, job: Job, cost: Cost) -> Fitted:
        """Answer the sealed test set with what the job left behind. cost: what fitting cost."""
        began = time.perf_counter()
        records = self.plan.data.test
        if job.arm.baseline:
            answered = Answered(self._baseline(job, records), cost.prompt_tokens, "")
        else:
            answered = self._answers(self.tuned(job), records)
        score_s = time.perf_counter() - began
        return Fitted(
            outcomes=self._outcomes(job, "test", answered.answers),
            cost=replace(cost, prompt_tokens=answered.prompt_tokens, score_s=score_s),
            shortened=answered.shortened,
        )

    def check_given(self) -> None:
        """Raise ModelError where what was trained elsewhere does not go into the model, before anything is trained."""
        for arm in self.plan.racing:
            if arm.given:
                self._untuned(self.plan.job(arm, 0, 0, ""))

    def tuned(self, job: Job) -> Tuned:
        """What a fitted job left behind."""
        return load_tuned(self.place(job), own_code=True)

    def place(self, job: Job) -> Path:
        """The folder of a job's bundle."""
        return self.place_of(job.key)

    def place_of(self, key: str) -> Path:
        return self.folder / "jobs" / key

    def encode(self, prompt: Prompt, records: Sequence[Record], reserve: int = 0) -> list[Example]:
        """Records under this study's rules for length."""
        return encode(self.base, prompt, records, reserve=reserve, **self.lengths._asdict())

    def prompt(self, job: Job) -> Prompt:
        """The arm's prompt, fitted on training records alone."""
        prompt = job.arm.prompt.method.fit(self.task, self.plan.records(job), job.stream("prompt"))
        template = self.plan.spec.prompt.template
        return replace(prompt, template=template) if template and not prompt.template else prompt

    def _baseline(self, job: Job, records: Sequence[Record]) -> list[Answer]:
        answerer = job.arm.baseline.method.fit(self.task, self.plan.records(job), job.stream("baseline"))
        return distribution_answers(answerer(records), records)

    def _train(self, job: Job, rung: int, tick: Tick) -> tuple[Tuned, list[Trained]]:
        """All stages, one on top of the other; the rungs are those of the last."""
        tuned = self._untuned(job)
        curves: list[Trained] = []
        last = len(job.arm.stages) - 1
        for number in range(last + 1):
            parts, curve = self._stage(job, number, tuned, rung if number == last else LAST, tick)
            tuned = replace(tuned, parts=(*tuned.parts, *parts))
            curves += [curve] if curve else []
        return tuned, curves

    def _untuned(self, job: Job) -> Tuned:
        """The arm before anything of it is trained here."""
        origin = self.base.origin.as_dict() if self.base.origin else {}
        tuned = Tuned(
            arm=job.arm.name,
            task=self.task,
            prompt=self.prompt(job),
            columns=asking(self.plan.data.shape, self.plan.data.shape.needed),
            lengths=self.lengths,
            base={
                **origin,
                "fingerprint": self.base.fingerprint,
                "template": self.base.chat.template,
                "dtype": str(self.base.net.dtype).removeprefix("torch."),
            },
        )
        return given_tuned(job.arm.given, tuned, self.base) if job.arm.given else tuned

    def _stage(
        self, job: Job, number: int, before: Tuned, rung: int, tick: Tick
    ) -> tuple[tuple[TunedPart, ...], Trained | None]:
        """Train one stage while what was trained before it is worn and frozen. A job that goes on with an unfinished
        one has all but the last stage from there."""
        stage, last = job.arm.stages[number], number == len(job.arm.stages) - 1
        if job.parent and not last:
            first = len(before.parts)
            return load_tuned(self.place_of(job.parent), own_code=True).parts[first : first + len(stage.parts)], None
        adapters = self._fresh(job, number, stage)
        names = [] if adapters else self._trainable(stage.parts[0])
        with before.own_weights(self.base), freed(self.base, names) as weights:
            trainee = self._trainee(job, number, before, adapters, weights)
            (curve,) = train([trainee], cache=self.cache, rung=rung, tick=tick)
            learned = tensors_of(adapters) or [{"": {name: p.detach().clone() for name, p in weights.items()}}]
        return _parts(stage, learned), curve

    def _fresh(self, job: Job, number: int, stage: Stage) -> list[Adapter]:
        """The stage's adapters as they start; none where it trains the model's own weights."""
        return [
            new_adapter(self._trunk(job), part.method, self.task, job.stream("init", number, part.word))
            for part in stage.parts
            if isinstance(part.method, AdapterMethod)
        ]

    def _trainee(
        self, job: Job, number: int, before: Tuned, adapters: Sequence[Adapter], weights: dict[str, Tensor]
    ) -> Trainee:
        """A stage as the training loop takes it; what learns are the adapters, or else the base's own weights."""
        stage, last = job.arm.stages[number], number == len(job.arm.stages) - 1
        worn = before.wearing(self._trunk(job), adapters, weights=weights)
        learning = [_named(adapter, place) for place, adapter in enumerate(adapters)] or [weights]
        examples, check = self._lesson(job, stage, before.prompt, worn)
        return Trainee(
            worn=worn,
            groups=[Group(own, self._rate(part.method)) for own, part in zip(learning, stage.parts)],
            examples=examples,
            seed=job.stream("order", number),
            check=check,
            schedule=self.plan.schedule_of(job, number),
            raced=job.raced and last,
            aside=begun_aside(self.folder, job, number),
            unfinished=unfinished_file(self.folder, job.key) if last and not job.size else None,
        )

    def _trunk(self, job: Job) -> Base:
        """What the job's arm is trained and checked on."""
        return self.base.int8 if self.plan.in_8_bits(job.arm) else self.base

    def _trainable(self, part: Part) -> list[str]:
        """The weights that a method trains; in 16 bits AdamW's steps would be rounded away."""
        if self.base.net.dtype.itemsize < 4:
            raise ConfigError(
                f"{part.name} trains the model's own weights, which needs 32 bits",
                found=f"dtype {self.base.net.dtype}",
                fix='write dtype = "float32" under [model]',
            )
        return part.method.trainable(self.base.net)

    def _rate(self, method: TrainedMethod) -> float:
        """A method's peak learning rate in absolute units."""
        return method.lr * (self._embedding_rms if method.lr_unit == "embedding" else 1.0)

    def _lesson(
        self, job: Job, stage: Stage, prompt: Prompt, worn: Worn
    ) -> tuple[list[Example], Callable[[bool], Check]]:
        """What a stage learns from, and how it is checked: the person's records, or a course of its own."""
        if stage.course is not None:
            records = course_records(stage.course, self.plan.data)
            held = held_out(len(records))
            examples = self.encode(Prompt(), records, worn.taken)
            return examples[held:], lambda answered: likelihood_check(worn, examples[:held], self.cache)
        validation = self.encode(prompt, self.plan.data.validation, worn.taken)
        lesson = self.encode(prompt, self.unseen(job, prompt), worn.taken)
        return lesson, lambda answered: check(worn, self.task, validation, self.cache, answered=answered)

    def unseen(self, job: Job, prompt: Prompt) -> list[Record]:
        """Training records whose answers do not stand in the prompt."""
        shown = {record.id for record in prompt.demonstrations} if not prompt.nearest else set()
        return [record for record in self.plan.records(job) if record.id not in shown]

    def _calibrated(self, job: Job, tuned: Tuned) -> Tuned:
        """Take the labels' prior from training records, where the arm asks for it."""
        if not job.arm.calibrated:
            return tuned
        examples = self.encode(tuned.prompt, self.unseen(job, tuned.prompt)[:PRIOR_RECORDS])
        with tuned.worn(self.base) as worn:
            scores = label_scores(worn, self.task, examples, cache=self.cache, scorer=self._score)
        return replace(tuned, prior=tuple(label_prior(scores)))

    def _probed(self, job: Job, tuned: Tuned, train: Sequence[Record], pooled: Pooled | None = None) -> Tuned:
        """With what the arm's probe learns from training records, if it has one. pooled: what gives it their states."""
        if job.arm.probe is None:
            return tuned
        examples, own = self.encode(tuned.prompt, train), self.unseen(job, tuned.prompt)
        return learn(tuned, job.arm.probe, self.base, examples, {record.id for record in own}, pooled or self._pooled)

    def _exact(self, job: Job, answers: Sequence[Answer] | None) -> list[Answer]:
        """Answers of a check; none where they were given on rounded layers."""
        return [] if answers is None or self.plan.in_8_bits(job.arm) else list(answers)

    def _answers(self, tuned: Tuned, records: Sequence[Record], known: Sequence[Answer] = ()) -> Answered:
        """known: the answers, where they were given already."""
        scorer = scorer_of(tuned, self._pooled) or self._score
        with tuned.worn(self.base) as worn:
            examples = self.encode(tuned.prompt, records, worn.taken)
            answers = list(known) or answer_examples(
                worn, tuned.task, examples, cache=self.cache, prior=tuned.prior, scorer=scorer
            )
        prompt_tokens = worn.taken + sum(len(example.prompt) for example in examples) / len(examples)
        cut = filter(None, [shortened(examples), cut_answers(answers, self.task.max_answer_tokens)])
        return Answered(answers, prompt_tokens, "; ".join(cut))

    def _score(self, worn: Worn, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> Tensor:
        """Scores of choices; those of the bare base are kept, since a calibrated twin asks the same again."""
        if worn.adapters or worn.text_changed or worn.base is not self.base:
            return score_choices(worn, prompts, answers, cache=self.cache)
        keys = [content_hash(prompt) for prompt in prompts]
        new = [at for at, key in enumerate(keys) if key not in self._scores]
        if new:
            rows = score_choices(worn, [prompts[at] for at in new], answers, cache=self.cache)
            self._scores |= {keys[at]: row for at, row in zip(new, rows)}
        return torch.stack([self._scores[key] for key in keys])

    def _outcomes(self, job: Job, split: Split, answers: list[Answer], rung: int = 0) -> list[Outcome]:
        records = getattr(self.plan.data, split)
        metrics = [metric_named(name) for name in self.task.metrics]
        return [
            Outcome(
                job=job.key,
                record=record.id,
                metric=metric.name,
                split=split,
                step=rung,
                stats=(stats := metric.row(answer, record, self.task)),
                why="" if stats is not None else "the arm gives no probability",
                answer=answer.text if answer.readable else "",
            )
            for metric in metrics
            for answer, record in zip(answers, records)
        ]


def _with_some_room(longest: int) -> int:
    """Where writing stops: behind the longest training answer and a little more."""
    return min(MOST_NEW_TOKENS, longest + longest // 4 + 1)


def _parts(stage: Stage, learned: Sequence[dict[str, dict[str, Tensor]]]) -> tuple[TunedPart, ...]:
    return tuple(TunedPart(part.name, part.method, tensors) for part, tensors in zip(stage.parts, learned))


def _named(adapter: Adapter, place: int) -> dict[str, Tensor]:
    """An adapter's tensors under one name each. place: among those that learn together."""
    return {f"{place}/{at}/{name}": t for at, own in adapter.tensors.items() for name, t in own.items()}

"""How fast each arm is on this machine, found out by doing a little of it: a few steps, a few answers, one save.

    measure_rates(plan, base, folder, allowance_s=60).of(plan.arm("lora"))
    ArmRate(tokens=(37.2,), token_s=(0.0061,), record_s=0.11, peak_bytes=612_000_000, ...)

Arms train as they will in the run, those that share a pass together; nothing of it is kept, and the base is left as it
was, bit for bit. Arms that differ in their learning rate alone share what was measured.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from tuneoff.core.identity import content_hash
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.examples import Example, shared_start
from tuneoff.engine.learner import Check, Trained
from tuneoff.engine.train import Trainee
from tuneoff.evaluation.run import right_answer_losses
from tuneoff.models.adapt import POOLINGS
from tuneoff.models.base import Base
from tuneoff.study.arm import Arm, Job, Part, Stage
from tuneoff.study.asides import aside_file
from tuneoff.study.budget.writing import Writing, lengths_of, measure_writing, rows_at_once
from tuneoff.study.bundle import Tuned, save_tuned
from tuneoff.study.company import group_label, groups
from tuneoff.study.faults import ENDS, raised
from tuneoff.study.plan import Plan
from tuneoff.study.work import Fitted, Worker

__all__ = ["ALLOWANCE_S", "ArmRate", "Rates", "measure_rates", "rate_key"]

ALLOWANCE_S = 60.0  # at most, and at most a tenth of the budget
STEPS = 3  # the first of them is alone and meets its records for the first time; the others are what a run is made of
FEWEST, MOST = 2, 16  # records of a look
BOTH_WAYS = 3.0  # a forward and a backward pass, in forward passes
TIMES = ("before_s", "took_s", "forward_s")  # of Rates
SEEN = 16  # records at most whose answers tell how long an arm that was not trained writes
NOISE = 100  # records that a probe is fitted on here, for the time that it takes
SHORT = 48  # tokens: most of those answers are no longer

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmRate:
    """What an arm takes here, in seconds. records, tokens, token_s: by stage.

    records: how many it learns from. tokens: real ones of such a record. token_s: a trained token, forward, backward
    and step. start_s: a job's beginning, whenever it goes on: prompt, adapters, encoding. aside_s: to put its state
    aside at a check. keep_s, open_s: to save what it learned, to load it for the test. shared_s: the start that all
    prompts share, when a split is answered. record_s: an answered record, where it is written but for the writing;
    first_s: more, where its context is kept and this is the first time. writing: None where labels are chosen.
    peak_bytes: of an optimiser step; None: nothing is trained, or it cannot be told here.
    """

    records: tuple[int, ...] = ()
    tokens: tuple[float, ...] = ()
    token_s: tuple[float, ...] = ()
    start_s: float = 0.0
    aside_s: float = 0.0
    keep_s: float = 0.0
    open_s: float = 0.0
    shared_s: float = 0.0
    record_s: float = 0.0
    first_s: float = 0.0
    writing: Writing | None = None
    peak_bytes: int | None = None

    def written_s(self, answers: int) -> float:
        """To write so many answers."""
        return self.writing.seconds(answers) if self.writing else 0.0

    @classmethod
    def read(cls, table: Mapping) -> "ArmRate":
        own = {each.name: table[each.name] for each in fields(cls)}
        own["writing"] = Writing(**own["writing"]) if own["writing"] else None
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in own.items()})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """All arms by `rate_key`. before_s: to load the model, and what else was done first. took_s: to measure.

    forward_s: a token forward, nothing worn.
    """

    arms: Mapping[str, ArmRate] = field(default_factory=dict)
    before_s: float = 0.0
    took_s: float = 0.0
    forward_s: float = 0.0

    def of(self, arm: Arm) -> ArmRate:
        return self.arms[rate_key(arm)]

    def covers(self, arms: Iterable[Arm]) -> bool:
        return all(rate_key(arm) in self.arms for arm in arms)

    def as_json(self) -> str:
        table = {key: asdict(rate) for key, rate in self.arms.items()}
        return json.dumps({name: getattr(self, name) for name in TIMES} | {"arms": table})

    @classmethod
    def read(cls, text: str) -> "Rates":
        """What `as_json` wrote."""
        table = json.loads(text)
        arms = {key: ArmRate.read(own) for key, own in table["arms"].items()}
        return cls(arms=arms, **{name: table[name] for name in TIMES})


def rate_key(arm: Arm) -> str:
    """Equal for arms that take equally long: neither the learning rate nor a calibration counts."""
    parts = [[part.identity, _without_rate(part).content()] for part in arm.parts]
    return content_hash([parts, [len(stage.parts) for stage in arm.stages], arm.given and arm.given.content])


def _without_rate(part: Part):
    method = part.method
    return method.model_copy(update={"lr": 1.0}) if "lr" in type(method).model_fields else method


def measure_rates(
    plan: Plan,
    base: Base,
    folder: Path,
    *,
    known: Rates | None = None,
    before_s: float = 0.0,
    allowance_s: float = ALLOWANCE_S,
    met: Callable[[str, Exception], None] = raised,
) -> Rates:
    """Measure every arm that is not `known` yet. folder: the run folder; what is written there is removed.

    allowance_s: about how long it may take; with less, fewer records are looked at. met: told what cannot be measured,
    and why: such an arm is given no time. Raises ResourceError where memory or disk run out.
    """
    began = time.perf_counter()
    known = known or Rates(before_s=before_s)
    new = {rate_key(arm): arm for arm in plan.racing if rate_key(arm) not in known.arms}
    if not new:
        return known
    place = folder / "aside" / "measure"
    try:
        probe = Probe(plan, base, place, met)
        probe.settle(list(new.values()), allowance_s)
        measured = {rate_key(arm): rate for arm, rate in probe.measure(list(new.values()))}
    finally:
        shutil.rmtree(place, ignore_errors=True)
    took_s = known.took_s + time.perf_counter() - began
    return replace(known, arms={**known.arms, **measured}, took_s=took_s, forward_s=probe.forward_s)


class Lesson(NamedTuple):
    """What a stage learns from: how many records of so many tokens, and how many tokens a look at it takes."""

    records: int
    tokens: float
    looked_at: int


class Look(NamedTuple):
    """One job after its few steps. ended: when. seconds: of the steps. asides: how often its state was put aside."""

    ended: float
    seconds: float
    asides: int
    rate: ArmRate


class Probe(Worker):
    """A worker that takes a few steps with each arm instead of all, looks at the clock, and keeps nothing.

    met: told what cannot be measured, and why.
    """

    def __init__(self, plan: Plan, base: Base, folder: Path, met: Callable[[str, Exception], None] = raised):
        super().__init__(plan, base, folder)
        self.met = met
        self.few, self.batch_size = FEWEST, plan.schedule.batch_size
        self.forward_s = self.writing_s = 0.0  # a token forward; what an arm's writing may take to measure
        self.room, self.task = self.task.max_answer_tokens, replace(self.task, max_answer_tokens=1)
        self._lessons: dict[tuple[str, int], Lesson] = {}
        self._looks: list[Look] = []

    def settle(self, arms: Sequence[Arm], allowance_s: float) -> None:
        """Warm up, and choose how much to look at, so that all looks together fit the allowance."""
        prompt = Prompt(instruction=self.task.instruction, template=self.plan.spec.prompt.template)
        examples = self.encode(prompt, spread(self.plan.data.validation, FEWEST, _length))
        with Worn(self.base) as worn:
            right_answer_losses(worn, examples)
            one_s = _seconds(lambda: right_answer_losses(worn, examples)) / len(examples)
            self.forward_s = one_s / fmean(len(example.ids.ids) for example in examples)
        if self.task.kind != "choice":
            allowance_s /= 2
            self.writing_s = allowance_s / len(arms)
        passes = sum(2 + BOTH_WAYS * STEPS * len(arm.stages) for arm in arms if not arm.baseline)
        self.few = max(FEWEST, min(MOST, int(allowance_s / (one_s * max(passes, 1)))))
        size = min(self.few, self.batch_size)
        short = replace(self.plan.schedule, epochs=float(STEPS), batch_size=size, checks=STEPS)
        self.plan = replace(self.plan, schedule=short)

    def measure(self, arms: Sequence[Arm]) -> list[tuple[Arm, ArmRate]]:
        """Each arm with its rate, in some order."""
        jobs = [self.plan.job(arm, 0, 0, "measure") for arm in arms]
        measured = []
        for group in groups(self.plan, jobs):
            measured += zip([job.arm for job in group], self._measure(group))
        return measured

    def _measure(self, group: Sequence[Job]) -> list[ArmRate]:
        """Jobs that train in one pass; where that fails, each alone."""
        try:
            return [self._baseline_rate(group[0])] if group[0].arm.baseline else self._rates(group)
        except ENDS:
            raise
        except Exception as error:  # a plugin may raise anything; the other arms are measured
            if len(group) == 1:
                self.met(f"how long {group[0].arm.name} takes could not be measured, and is left out of it", error)
                return [ArmRate()]
            self.met(f"{group_label(group)} could not be measured in one pass, and are measured one by one", error)
            return [rate for job in group for rate in self._measure([job])]

    def _baseline_rate(self, job: Job) -> ArmRate:
        self.fit(job)  # the first call imports what it needs
        whole_s = _seconds(lambda: self.fit(job))
        return ArmRate(start_s=whole_s, open_s=whole_s)

    def _rates(self, group: Sequence[Job]) -> list[ArmRate]:
        self._looks = []
        began = time.perf_counter()
        if len(group) > 1:
            list(self.fit_together(group))
        else:
            self.fit(group[0])
        looks = self._looks
        spent = sum(look.seconds + look.asides * look.rate.aside_s for look in looks)
        start_s = max(0.0, looks[0].ended - began - spent) / len(looks)
        return [replace(look.rate, start_s=start_s + look.rate.start_s) for look in looks]

    def _trainee(self, *given) -> Trainee:
        return replace(super()._trainee(*given), schedule=self.plan.schedule)  # a point a step, whose seconds are read

    def _lesson(
        self, job: Job, stage: Stage, prompt: Prompt, worn: Worn
    ) -> tuple[list[Example], Callable[[bool], Check]]:
        """A few records of what the stage learns from, short and long ones, and a check that takes no time."""
        examples, _ = super()._lesson(job, stage, prompt, worn)
        few = spread(examples, self.plan.schedule.batch_size, lambda example: len(example.ids.ids))
        lengths, looked_at = ([len(example.ids.ids) for example in own] for own in (examples, few))
        lesson = Lesson(len(examples), fmean(lengths), sum(looked_at))
        self._lessons[job.key, job.arm.stages.index(stage)] = lesson
        return few, lambda answered: Check([0.0])

    def _close(self, job: Job, rung: int, tuned: Tuned, curves: Sequence[Trained]) -> Fitted:
        """Instead of finishing the job: save, load and answer with what it has, by the clock."""
        ended = time.perf_counter()
        tuned, fit_s = self._probed_on_noise(job, tuned)
        answering = self._answering(tuned)
        read_s = len(self.plan.data.train) * answering["record_s"] if job.arm.probe else 0.0
        lessons = [self._lessons[job.key, number] for number in range(len(curves))]
        keep_s = _seconds(lambda: save_tuned(tuned, self.place(job), self.base))
        rate = ArmRate(
            records=tuple(lesson.records for lesson in lessons),
            tokens=tuple(lesson.tokens for lesson in lessons),
            token_s=tuple(_step_s(curve) / lesson.looked_at for curve, lesson in zip(curves, lessons)),
            start_s=fit_s + read_s,
            aside_s=self._aside_s(job),
            keep_s=keep_s,
            open_s=_seconds(lambda: self.tuned(job)),
            peak_bytes=self._peak(curves),
            **answering,
            writing=self._writing(job, tuned),
        )
        seconds, asides = sum(curve.seconds for curve in curves), sum(len(curve.points) for curve in curves)
        self._looks.append(Look(ended, seconds, asides, rate))
        return Fitted(outcomes=[])

    def _probed_on_noise(self, job: Job, tuned: Tuned) -> tuple[Tuned, float]:
        """With the arm's probe fitted on states of noise, and the seconds that all training records would take; 0 where
        the arm has none. How long reading them takes, answering tells."""
        if job.arm.probe is None:
            return tuned, 0.0
        records = self.plan.data.train[:NOISE]
        noise = torch.Generator().manual_seed(0)
        noisy = partial(_noise, width=self.base.width, generator=noise)
        began = time.perf_counter()
        tuned = self._probed(job, tuned, records, noisy)
        return tuned, (time.perf_counter() - began) * len(self.plan.data.train) / len(records)

    def _aside_s(self, job: Job) -> float:
        """To write the state of the job's last stage once more."""
        if not job.arm.stages:
            return 0.0
        aside = aside_file(self.folder, job, len(job.arm.stages) - 1)
        return _seconds(lambda: shutil.copyfile(aside, aside.with_suffix(".again")))

    def _peak(self, curves: Sequence[Trained]) -> int | None:
        """With a whole batch, if all of it were the records': at most."""
        peaks = [curve.peak_bytes for curve in curves if curve.peak_bytes is not None]
        return round(max(peaks) * self.batch_size / self.plan.schedule.batch_size) if peaks else None

    def _answering(self, tuned: Tuned) -> dict[str, float]:
        """shared_s, record_s and first_s, from the same records answered twice where their contexts are kept."""
        records = spread(self.plan.data.validation, self.few, _length)
        self.cache, self._scores = ContextCache(self.cache.budget_bytes, self.base.device), {}
        with tuned.worn(self.base) as worn:
            kept = worn.text_is_frozen and tuned.probe is None
            examples = self.encode(tuned.prompt, records, worn.taken)
            shared, own = _positions(examples, worn.taken)
        first_s = _seconds(lambda: self._answers(tuned, records))
        again_s = _seconds(lambda: self._answers(tuned, records)) if kept else 0.0
        shared_s = first_s * shared / (shared + own)
        own_s = max(0.0, first_s - shared_s - again_s) / len(records)
        again = {"record_s": again_s / len(records), "first_s": own_s} if kept else {"record_s": own_s}
        return {"shared_s": shared_s, **again}

    def _writing(self, job: Job, tuned: Tuned) -> Writing | None:
        """How it writes, within what measuring may take: half for the steps, half for the lengths."""
        if self.task.kind == "choice":
            return None
        trained = any(stage.course is None for stage in job.arm.stages)
        known = lengths_of([self.base.chat.answer_ids(r.target) for r in self.plan.data.train]) if trained else None
        half = int(self.writing_s / 2 / self.forward_s)  # tokens
        with tuned.worn(self.base) as worn:
            prompts = self._prompts_to_write_behind(tuned, worn, FEWEST if known else SEEN, half)
            rows = rows_at_once(worn, prompts, self.room, len(self.plan.data.validation))
            return measure_writing(
                worn, prompts, room=self.room, rows=rows, timed=min(rows, half // STEPS), lengths=known, tokens=half
            )

    def _prompts_to_write_behind(self, tuned: Tuned, worn: Worn, most: int, tokens: int) -> list[Sequence[int]]:
        """As many as can be read and answered in so many tokens, most answers being short."""
        examples = self.encode(tuned.prompt, spread(self.plan.data.validation, most, _length), worn.taken)
        prompts = [example.ids.prompt for example in examples]
        own = fmean(map(len, prompts)) - shared_start(prompts) + min(self.room, SHORT)
        return spread(prompts, max(FEWEST, min(most, int(tokens / own))), len)


def spread(items: Sequence[Item], count: int, length: Callable[[Item], int]) -> list[Item]:
    """So many of them, from the shortest to the longest at even distances."""
    ranked = sorted(items, key=length)
    count = min(count, len(ranked))
    return [ranked[int((at + 0.5) * len(ranked) / count)] for at in range(count)]


def _noise(_, prompts, layers, __, *, width: int, generator: torch.Generator) -> Tensor:
    """In the place of hidden states."""
    return torch.randn(len(prompts), len(layers), len(POOLINGS), width, generator=generator)


def _step_s(curve: Trained) -> float:
    """From the steps behind the first check on."""
    first, last = curve.points[0], curve.points[-1]
    return (last.seconds - first.seconds) / (last.step - first.step)


def _length(record: Record) -> int:
    return len(record.text)


def _positions(examples: Sequence[Example], taken: int) -> tuple[int, int]:
    """How many positions all examples share, and how many are their own."""
    shared = shared_start([example.ids.prompt for example in examples])
    return shared + taken, sum(len(example.ids.ids) - shared for example in examples)


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began

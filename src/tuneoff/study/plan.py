"""From a study file and its data to what would run: task, arms, settings, and how much work each job is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuneoff.core import plugins
from tuneoff.core.errors import ConfigError
from tuneoff.core.identity import content_hash
from tuneoff.core.rungs import LAST
from tuneoff.data.labels import codes_of
from tuneoff.data.load import Data, load_data
from tuneoff.data.prompt import check_template
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.engine.schedule import Schedule, cap_epochs
from tuneoff.models.embedded import embedded
from tuneoff.study.arm import Arm, Job, Part, Stage, calibrated_twin, held_out, parse_arm
from tuneoff.study.spec import StudySpec
from tuneoff.study.traits import Traits

__all__ = ["Plan", "instruction", "make_plan"]

METRICS = {
    "choice": ("accuracy", "macro_f1", "nll"),
    "text": ("token_f1", "exact_match", "rouge_l", "chrf", "nll"),
}
BASELINES = ("majority", "tfidf")  # stand in every choice table: what any model must beat
PROBE = "linear_probe"  # stands there too, where weights may be looked at: it costs one forward pass a record

TOLD_APART = 2  # validation records: a curve is no flatter than what they make


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What would run. settings: per arm, the knobs of each trial. schedule: what all trainings share. cap: the share of
    their longest length that a budget has room for.
    """

    spec: StudySpec
    data: Data
    task: Task
    arms: tuple[Arm, ...]
    settings: dict[str, list[dict]]
    schedule: Schedule
    cap: float = 1.0

    @property
    def families(self) -> dict[str, str]:
        return {arm.name: arm.family for arm in self.arms}

    @property
    def traits(self) -> dict[str, Traits]:
        return {arm.name: arm.traits for arm in self.arms}

    @property
    def racing(self) -> tuple[Arm, ...]:
        """The arms that may run: what the study's limits rule out from the start is not trained first."""
        barred = self.spec.decision.no_weights_access
        return tuple(arm for arm in self.arms if not (barred and arm.traits.uses_weights))

    @property
    def notes(self) -> list[str]:
        """What to know before the work: adapters whose folders name another base model."""
        model = self.spec.model.name
        known = embedded()[model].hub_id if model in embedded() else model
        others = [(arm.name, arm.given.base_named()) for arm in self.racing if arm.given]
        return [
            f"note: {name} names the base model {base!r}, and the study's model is {model!r}: it is scored on that"
            for name, base in others
            if base and _last_word(base) not in (_last_word(model), _last_word(known))
        ]

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def in_8_bits(self, arm: Arm) -> bool:
        """Whether it is trained on rounded layers: where the study asks for them, and it leaves those layers alone."""
        return self.spec.model.int8 and bool(arm.stages) and arm.frozen

    def data_key(self) -> str:
        """Changes when a record, a label or a split does."""
        splits = [[r.id for r in split] for split in (self.data.train, self.data.validation, self.data.test)]
        return content_hash([splits, self.task.labels])

    def ground(self, base_fingerprint: str) -> str:
        """What all jobs stand on."""
        return content_hash([base_fingerprint, self.data_key(), self.spec.fingerprint()])

    def job(self, arm: Arm, trial: int, seed: int, ground: str, size: int = 0) -> Job:
        """size: how many training records it learns from; 0: all."""
        settings = self.settings[arm.name][trial]
        cap = self._cap(size or self.lesson(arm.stages[-1])) if arm.stages else 0
        return Job(arm.with_settings(settings), trial, seed, settings, ground, self.spec.seed, size, cap)

    def records(self, job: Job) -> Sequence[Record]:
        """What a job learns from: a beginning of the training split is a fair sample of it."""
        return self.data.train[: job.size or None]

    def _cap(self, records: int) -> int:
        """How many records a training may see, of so many that it learns from."""
        return max(1, round(self.cap * (self.spec.train.epochs or cap_epochs(records)) * records))

    def schedule_of(self, job: Job, number: int) -> Schedule:
        """Of one of its stages: the last one has the job's own cap, and ends early where time is short."""
        stage, last = job.arm.stages[number], number == len(job.arm.stages) - 1
        records = self.lesson(stage) if stage.course or not job.size else job.size
        cap = job.cap if last else self._cap(records)
        return replace(self.schedule, epochs=cap / records, until=job.until if last else 1.0)

    def seeds(self, arm: Arm) -> int:
        return self.spec.seeds if arm.random else 1

    def lesson(self, stage: Stage) -> int:
        """How many records a stage learns from, about: a course leaves out what also stands in the person's data."""
        if stage.course is None:
            return len(self.data.train)
        records = len(stage.course.method.records())
        return max(1, records - held_out(records))

    def training_steps(self, arm: Arm) -> int:
        """Optimiser steps of one job at the most, over all its stages."""
        job = self.job(arm, 0, 0, "")
        return sum(self.schedule_of(job, at).steps(self.lesson(stage)) for at, stage in enumerate(arm.stages))

    def work(self, arm: Arm, rung: int = LAST) -> float:
        """How much a job is up to a rung at the most, in records run forward once: for the progress bar's sense of what
        is left.
        """
        if arm.baseline:
            return 0.01 * len(self.data.train)
        if not arm.stages:
            return float(len(self.data.validation) + (len(self.data.train) if arm.probe else 0))
        job, last = self.job(arm, 0, 0, ""), len(arm.stages) - 1
        return sum(self._work(job, number, rung if number == last else LAST) for number in range(last + 1))

    def whole_work(self) -> float:
        """One whole run and the other seeds of every arm, and their tests, in the same unit."""
        fits = sum(self.seeds(arm) * self.work(arm) for arm in self.racing)
        return fits + sum(self.seeds(arm) * len(self.data.test) for arm in self.racing if not arm.baseline)

    def _work(self, job: Job, number: int, rung: int) -> float:
        forward_and_back = 3.0  # a frozen forward and backward takes 2.2 forwards, the hooks the rest
        schedule, lesson = self.schedule_of(job, number), self.lesson(job.arm.stages[number])
        until = schedule.rung_step(lesson, rung)
        checked = sum(step <= until for step in schedule.check_steps(lesson)) * len(self.data.validation)
        return forward_and_back * until * schedule.batch_size + checked


def make_plan(spec: StudySpec) -> Plan:
    """Read the data and settle who races. The model is not needed for this.

    Raises DataError and ConfigError with what to change.
    """
    table = spec.data.model_dump(exclude={"too_long"})
    data = load_data(folder=spec.folder, **table)
    where = "study.toml"
    if not spec.arms:
        raise ConfigError("the study has no arms", where=where, fix='write arms = ["zero_shot", "few_shot", "lora"]')
    arms = [parse_arm(entry, spec.methods, where) for entry in spec.arms]
    arms = _with_rows_that_always_stand(arms, data.kind, spec, where)
    _check_names(arms, spec, where)
    arms = [arm.read(spec.folder) for arm in arms]
    _check_unlike(arms, where)
    _check_templates(arms, spec, data)
    train = spec.train
    schedule = Schedule(
        batch_size=train.batch_size,
        checks=train.checks,
        margin=max(spec.margin, TOLD_APART / len(data.validation)),
        weight_decay=train.weight_decay,
        clip=train.clip,
    )
    settings = {arm.name: arm.settings(spec.trials, spec.seed) for arm in arms}
    return Plan(spec=spec, data=data, task=_task(spec, data), arms=tuple(arms), settings=settings, schedule=schedule)


def _with_rows_that_always_stand(arms: Sequence[Arm], kind: str, spec: StudySpec, where: str) -> list[Arm]:
    """Baselines and the probe first; behind each untuned prompt of a choice, its calibrated twin."""
    if kind != "choice":
        needless = [arm.name for arm in arms if arm.baseline or arm.probe]
        if needless:
            raise ConfigError(f"{needless[0]} needs a choice of labels, and the answers are free text", where=where)
        return list(arms)
    named = {arm.name for arm in arms}
    standing = BASELINES if spec.decision.no_weights_access else (*BASELINES, PROBE)
    always = [parse_arm(name, spec.methods, where) for name in standing if name not in named]
    rows = []
    for arm in [*always, *arms]:
        rows.append(arm)
        if not (arm.baseline or arm.learns or arm.given):
            rows.append(calibrated_twin(arm))
    return rows


def _check_names(arms: Sequence[Arm], spec: StudySpec, where: str) -> None:
    names = [arm.name for arm in arms]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two arms are called {twice[0]!r}", where=where, fix='give one a name: {name = "...", use = "..."}'
        )
    used = {part.name for arm in arms for part in _named(arm)}
    idle = sorted(set(spec.methods) - used)
    if idle:
        raise ConfigError(
            f"[methods.{idle[0]}] has knobs, and no arm uses it",
            where=where,
            found=names,
            fix="add the arm or remove the table",
        )


def _check_unlike(arms: Sequence[Arm], where: str) -> None:
    alike: dict[str, str] = {}
    for arm in arms:
        other = alike.setdefault(content_hash(arm.content()), arm.name)
        if other != arm.name:
            raise ConfigError(
                f"the arms {other!r} and {arm.name!r} do the same", where=where, fix="remove one, or change its knobs"
            )


def _last_word(model: str) -> str:
    """A model's name without its owner or folders: Qwen/Qwen3-0.6B and models/Qwen3-0.6B are one."""
    return model.rstrip("/").rpartition("/")[2].casefold()


def _check_templates(arms: Sequence[Arm], spec: StudySpec, data: Data) -> None:
    """Every wording of the person's own must show the records that it asks about."""
    records = [*data.train, *data.validation, *data.test]
    if spec.prompt.template:
        check_template(spec.prompt.template, records, "[prompt] template")
    for arm in arms:
        if arm.prompt and (own := arm.prompt.method.template):
            check_template(own, records, f"the prompt of the arm {arm.name!r}")


def _named(arm: Arm) -> list[Part]:
    """The methods that take their knobs from the study file; what a course trains has the course's."""
    trained = [part for stage in arm.stages for part in ([stage.course] if stage.course else stage.parts)]
    return [part for part in (arm.prompt, arm.baseline, arm.probe, *trained) if part]


def _task(spec: StudySpec, data: Data) -> Task:
    first = spec.metric or METRICS[data.kind][0]
    others = [*spec.metrics, *METRICS[data.kind]]
    _check_metrics((first, *others), data.kind)
    return Task(
        name=spec.name,
        kind=data.kind,
        labels=data.labels,
        codes=codes_of(spec.data.labels, data.labels),
        instruction=instruction(spec.prompt.instruction, spec, data),
        metrics=tuple(dict.fromkeys([first, *others])),
        normalise=spec.prompt.normalise,
    )


def _check_metrics(names: Sequence[str], kind: str) -> None:
    for name in names:
        kinds = plugins.load("metrics", name).kinds
        if kind not in kinds:
            raise ConfigError(
                f"the metric {name!r} is for {' and '.join(kinds)} answers, and these are {kind}",
                where="study.toml",
                allowed=METRICS[kind],
                fix="name another under metric or metrics",
            )


def instruction(said: str, spec: StudySpec, data: Data) -> str:
    """A person's words as they are asked: behind them, the labels of a choice."""
    if data.kind != "choice":
        return said
    said = said or "Which label fits the text?"
    return f"{said} Answer with one of: {', '.join(data.labels)}." if spec.prompt.list_labels else said

"""Who races: an arm is a prompt and stages of training, written the way a person would say it.

    lora                            one stage, one method
    lora + soft_prompt              trained together, saved as one bundle
    lora -> soft_prompt             the first is trained, then frozen and active while the second is trained
    few_shot + lora                 a prompt method gives the text, a trained method learns on it
    instruction_tuning -> lora      first on a mixture of other tasks, then on the person's
    linear_probe                    learns from hidden states of the model as it is; it may stand behind a prompt
    {name = "mine", adapter = "folder"}     trained elsewhere, and only scored; model = "folder" for weights

No method knows that it is combined.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from tuneoff.core import plugins
from tuneoff.core.errors import ConfigError
from tuneoff.core.identity import content_hash
from tuneoff.core.seeds import stream
from tuneoff.models.adapt import (
    AdapterMethod,
    BaselineMethod,
    CourseMethod,
    Method,
    ProbeMethod,
    PromptMethod,
    TrainedMethod,
    WeightMethod,
)
from tuneoff.study.given import Given
from tuneoff.study.traits import Traits

__all__ = ["Arm", "Job", "Part", "Stage", "calibrated_twin", "held_out", "parse_arm"]

COMBINATION = "combination"
One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Part:
    """A method under the name that the study uses."""

    name: str
    method: Method

    @property
    def word(self) -> str:
        """Its name wherever it lies: of `path/to/file.py:Class` the class. What seeds what it draws."""
        return self.name.rpartition(":")[2]

    @property
    def identity(self) -> list[str]:
        """What it is, for keys: its word, and the content of its file where it comes from one of a person's own."""
        path = self.name.rpartition(":")[0]
        return [self.word, _file_content(path)] if path else [self.word]


@cache  # as it was when its class was loaded: an edit during a run is for the next one
def _file_content(path: str) -> str:
    return content_hash(Path(path).read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Stage:
    """Methods that learn together. course: whose records they learn from; None is the person's own."""

    parts: tuple[Part, ...]
    course: Part | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """A candidate. prompt: gives the text. stages: what is trained, in order. baseline: needs no model.

    given: what was trained elsewhere and is only scored. probe: what learns from the model's hidden states.
    """

    name: str
    prompt: Part | None = None
    stages: tuple[Stage, ...] = ()
    baseline: Part | None = None
    given: Given | None = None
    calibrated: bool = False
    probe: Part | None = None

    @property
    def parts(self) -> list[Part]:
        """All methods in it, prompt first."""
        own = [part for part in (self.prompt, self.baseline, self.probe) if part]
        return own + [p for stage in self.stages for p in ([stage.course] if stage.course else []) + list(stage.parts)]

    @property
    def family(self) -> str:
        """The row of the race it belongs to."""
        if self.given:
            return "trained elsewhere"
        trained = [stage.course or part for stage in self.stages for part in stage.parts]
        trained += [self.probe] if self.probe else []
        own_prompt = self.prompt is not None and self.prompt.name != DEFAULT_PROMPT
        if len(trained) + own_prompt > 1:
            return COMBINATION
        return (trained or [self.prompt or self.baseline])[0].method.family

    @property
    def random(self) -> bool:
        """Whether another seed gives another result."""
        return bool(self.stages) or (self.prompt is not None and self.prompt.method.random)

    @property
    def traits(self) -> Traits:
        """What its methods need and do together; what was trained elsewhere is tuned, and trains nothing here."""
        methods, elsewhere = [part.method for part in self.parts], self.given is not None
        trains = any(method.trains for method in methods)
        return Traits(
            family=self.family,
            needs_model=any(method.needs_model for method in methods),
            uses_weights=elsewhere or any(method.uses_weights for method in methods),
            trains=trains,
            tuned=elsewhere or trains,
            random=self.random,
        )

    @property
    def learns(self) -> bool:
        """Whether the training records leave more in it than a text."""
        return bool(self.stages or self.probe)

    @property
    def frozen(self) -> bool:
        """Whether the model's own weights stay as they are, as far as its methods tell."""
        return not self.given and not any(isinstance(part.method, WeightMethod) for part in self.parts)

    @property
    def in_company(self) -> bool:
        """Whether it can train in one pass with others: one stage, of adapters, on the person's records."""
        if len(self.stages) != 1 or self.given or self.stages[0].course:
            return False
        return all(isinstance(part.method, AdapterMethod) for part in self.stages[0].parts)

    def settings(self, trials: int, seed: int) -> list[dict[str, dict[str, Any]]]:
        """Knobs to try, {method name: {knob: value}}: the defaults first, then quasi-random draws from the ranges.
        These alone seed them, so that an arm by another name, or with another fixed knob, draws the same."""
        ranges = [(p.name, knob, span) for p in self.parts for knob, span in type(p.method).searched().items()]
        if not ranges:
            return [{}] * (trials if self.random else 1)
        if trials == 1:
            return [{}]
        from scipy.stats import qmc

        drawn_from = content_hash([[knob, list(span)] for _, knob, span in ranges])
        points = qmc.Halton(len(ranges), seed=stream(seed, "trials", drawn_from) % 2**32).random(trials - 1)
        different: dict[str, dict] = {}  # a short list of values gives one draw twice, and a job is done once
        for drawn in [{}, *[_settings(ranges, point) for point in points]]:
            different.setdefault(content_hash(self.with_settings(drawn).content()), drawn)
        return list(different.values())

    def with_settings(self, settings: Mapping[str, Mapping[str, Any]]) -> "Arm":
        """The same arm with some knobs changed."""

        return self._each(lambda part: part.method.model_copy(update=dict(settings.get(part.name, {}))))

    def read(self, folder: str) -> "Arm":
        """The same arm with the files read that its methods name. Raises ConfigError or DataError for what is not."""
        read = self._each(lambda part: part.method.read(folder))
        return replace(read, given=self.given.read(folder)) if self.given else read

    def _each(self, change: Callable[[Part], Method]) -> "Arm":
        def changed(part: Part | None) -> Part | None:
            return part and Part(part.name, change(part))

        stages = tuple(Stage(tuple(map(changed, s.parts)), changed(s.course)) for s in self.stages)
        own = {name: changed(getattr(self, name)) for name in ("prompt", "baseline", "probe")}
        return replace(self, stages=stages, **own)

    def content(self) -> list:
        """What it does, for its key; the name it goes by is not in it, nor are names of files."""
        stages = [len(stage.parts) for stage in self.stages]
        given = [self.given.kind, self.given.content] if self.given else None
        return [[[*part.identity, part.method.content()] for part in self.parts], stages, given, self.calibrated]


def held_out(records: int) -> int:
    """How many records of a course are kept to check it on: one in ten."""
    return max(1, records // 10)


DEFAULT_PROMPT = "zero_shot"


@dataclass(frozen=True, slots=True)
class Job:
    """The unit of resume: an arm with settled knobs and one seed, counted from 0.

    ground: base, data and task, hashed. root: the study's own seed. size: how many training records it learns from; 0
    is all, and other sizes are points of a learning curve, outside the race. cap: how many records its last stage may
    see. parent: the key of the job whose unfinished training it goes on with. until: the share of its cap at which it
    ends at the latest, where time is short.
    """

    arm: Arm
    trial: int
    seed: int
    settings: Mapping[str, Mapping[str, Any]]
    ground: str
    root: int
    size: int = 0
    cap: int = 0
    parent: str = ""
    until: float = 1.0

    @property
    def key(self) -> str:
        if self.parent:
            return content_hash([self.parent, self.cap])
        place = [self.ground, self.arm.content(), self.seed, self.trial if not self.settings else 0]
        return content_hash([*place, self.size] if self.size else place)

    @property
    def label(self) -> str:
        """How progress calls it."""
        if self.size:
            return f"{self.arm.name} on {self.size} records"
        trial = f", trial {self.trial + 1}" if self.trial else ""
        return f"{self.arm.name}{trial}" + (f", seed {self.seed + 1}" if self.arm.random else "")

    @property
    def raced(self) -> bool:
        """Whether it stops at the early rungs, where a race has any; other seeds and points of a curve do not."""
        return not (self.seed or self.size)

    def stream(self, *names: object) -> int:
        """A random stream of this job. The arm's content is not in it: equal methods draw alike, which pairs them."""
        return stream(self.root, self.seed, self.trial, *names)


def parse_arm(entry: str | Mapping[str, Any], methods: Mapping[str, Mapping[str, Any]], where: str) -> Arm:
    """An entry of the study's list of arms. methods: the tables [methods.NAME].

    Raises ConfigError for an unknown method or knob, or a combination that means nothing.
    """
    own: dict[str, Any] = {}
    if not isinstance(entry, str):
        own = dict(entry)
        _check_table(own, where)
        given = _given(own, where)
        name, entry = own.pop("name", None), own.pop("use", DEFAULT_PROMPT if given else None)
        if not entry:
            raise ConfigError(
                "an arm's table needs `use`", where=where, found=own, fix='{name = "wide", use = "lora", lora = {...}}'
            )
        name = name or (given.path if given else None)
    else:
        name = given = None
    stages, prompt, baseline, probe = [], None, None, None
    for words in [stage.split("+") for stage in entry.split("->")]:
        parts = [
            _part(word.strip(), {**methods.get(word.strip(), {}), **own.pop(word.strip(), {})}, where) for word in words
        ]
        prompts = [part for part in parts if isinstance(part.method, PromptMethod)]
        prompt = _only(prompts + ([prompt] if prompt else []), entry, "prompt methods", where)
        baseline = (
            _only([p for p in parts if isinstance(p.method, BaselineMethod)], entry, "baselines", where) or baseline
        )
        probe = _only([p for p in parts if isinstance(p.method, ProbeMethod)], entry, "probes", where) or probe
        stages += _stages(parts, entry, where)
    if own:
        raise ConfigError(
            f"unknown key {next(iter(own))!r} in arm {entry!r}", where=where, allowed=["name", "use", entry]
        )
    if given and (stages or baseline or probe):
        raise ConfigError(
            f"an {given.kind} that was trained elsewhere is only scored", where=where, found=entry, fix="use a prompt"
        )
    if baseline and (stages or prompt or probe):
        raise ConfigError(f"{baseline.name} stands alone", where=where, found=entry)
    if probe and stages:
        fix = f'make two arms of it: "{probe.name}" and the rest'
        raise ConfigError(f"{probe.name} reads the model as it came", where=where, found=entry, fix=fix)
    if not baseline and prompt is None:
        prompt = _part(DEFAULT_PROMPT, methods.get(DEFAULT_PROMPT, {}), where)
    return Arm(name=name or entry, prompt=prompt, stages=tuple(stages), baseline=baseline, given=given, probe=probe)


def calibrated_twin(arm: Arm) -> Arm:
    """The same untuned prompt with the labels' prior taken off its scores."""
    return replace(arm, name=f"{arm.name} (calibrated)", calibrated=True)


def _given(own: dict[str, Any], where: str) -> Given | None:
    """What the arm's table names as trained elsewhere; taken out of the table."""
    found = [Given(kind, own.pop(kind)) for kind in ("adapter", "model") if kind in own]
    return _only(found, "adapter and model", "adapter or model", where)


def _check_table(own: Mapping[str, Any], where: str) -> None:
    """name, use, adapter and model are texts, all other keys are tables of knobs."""
    for key, value in own.items():
        wanted = str if key in ("name", "use", "adapter", "model") else Mapping
        if not isinstance(value, wanted):
            raise ConfigError(
                f"{key!r} in an arm's table is a {'text' if wanted is str else 'table of knobs'}",
                where=where,
                found=repr(value),
                fix='{name = "wide", use = "lora", lora = {rank = 64}}',
            )


def _part(name: str, knobs: Mapping[str, Any], where: str) -> Part:
    cls = plugins.load("methods", name)
    return Part(name, cls.build(knobs, f"{where} [methods.{name}]"))


def _stages(parts: Sequence[Part], entry: str, where: str) -> list[Stage]:
    """The trained methods of one step. A course is a stage of its own."""
    courses = [part for part in parts if isinstance(part.method, CourseMethod)]
    trained = [part for part in parts if isinstance(part.method, TrainedMethod)]
    if courses and len(parts) > 1:
        raise ConfigError(f"{courses[0].name} is a stage of its own", where=where, found=entry, fix="join it with ->")
    if len(trained) > 1 and any(isinstance(part.method, WeightMethod) for part in trained):
        raise ConfigError("a method that trains the model's weights trains alone", where=where, found=entry)
    if len({part.name for part in trained}) < len(trained):
        raise ConfigError("a stage names a method twice", where=where, found=entry, fix="join them with ->")
    if courses:
        return [Stage((Part(courses[0].method.method, courses[0].method.update),), courses[0])]
    return [Stage(tuple(trained))] if trained else []


def _only(parts: Sequence[One], entry: str, what: str, where: str) -> One | None:
    if len(parts) > 1:
        raise ConfigError(f"an arm has one of the {what}", where=where, found=f"{len(parts)} in {entry!r}")
    return parts[0] if parts else None


def _settings(ranges: Sequence[tuple[str, str, Sequence]], point: Sequence[float]) -> dict[str, dict[str, Any]]:
    drawn: dict[str, dict[str, Any]] = {}
    for (name, knob, span), share in zip(ranges, point):
        numbers = len(span) == 2 and all(isinstance(end, float) for end in span)
        value = span[0] * (span[1] / span[0]) ** share if numbers else span[int(share * len(span))]
        drawn.setdefault(name, {})[knob] = float(f"{value:.3g}") if numbers else value
    return drawn

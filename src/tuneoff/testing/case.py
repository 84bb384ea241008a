"""What the kit for methods runs on: a small task, its records, and a method as a study would name it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tuneoff.core import plugins
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.models.adapt import Method

__all__ = ["CLOSE", "TASK", "TRAIN", "Case"]

TASK = Task(name="feeling", kind="choice", labels=("anger", "fear", "joy"), instruction="Which feeling is it?")
TRAIN = tuple(
    Record(fields={"text": text}, target=target)
    for text, target in [
        ("so happy today", "joy"),
        ("he lied to me again", "anger"),
        ("what was that noise", "fear"),
        ("a lovely surprise", "joy"),
        ("how dare they", "anger"),
        ("the sun is out", "joy"),
    ]
)
CLOSE = 1e-6
SMALL = {"rank": 2, "length": 3}  # where a method has these knobs and the case does not set them


@dataclass(frozen=True, slots=True)
class Case:
    """A method under test. name: as a study would write it. knobs: where it cannot do without. folder: of its files."""

    name: str
    knobs: Mapping[str, object] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def cls(self) -> type[Method]:
        return plugins.load("methods", self.name)

    def method(self) -> Method:
        small = {knob: value for knob, value in SMALL.items() if knob in self.cls.model_fields}
        return self.cls.build({**small, **self.knobs}, self.name).read(str(self.folder))

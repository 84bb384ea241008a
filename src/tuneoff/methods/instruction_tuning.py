"""Instruction tuning: first learn to follow instructions from many tasks, then be judged on another one.

The mixture is a file of records that each carry their instruction (Alpaca's shape); the person's own task is
never in it. Alone, this arm meets the person's task unseen; `instruction_tuning -> lora` trains on it next.
Wei et al. 2021, "Finetuned Language Models Are Zero-Shot Learners", arXiv 2109.01652.
"""

from typing import Any, ClassVar

from pydantic import PrivateAttr

from tuneoff.core import plugins
from tuneoff.core.config import knob
from tuneoff.core.errors import ConfigError
from tuneoff.data.record import Record
from tuneoff.models.adapt import CourseMethod, TrainedMethod

__all__ = ["InstructionTuning"]


class InstructionTuning(CourseMethod):
    paper: ClassVar[str] = "arXiv 2109.01652"

    mixture: str = knob("", "file of records with instruction, input and output, from several tasks")
    method: str = knob("lora", "what learns: the name of a trained method")
    knobs: dict[str, Any] = knob({}, "knobs of that method")
    _records: tuple[Record, ...] = PrivateAttr(())

    @property
    def update(self):
        cls = plugins.load("methods", self.method)
        if not issubclass(cls, TrainedMethod):
            raise ConfigError(
                f"instruction tuning trains a method with weights, not {self.method!r}",
                where="[methods.instruction_tuning]",
                allowed=["lora", "full"],
                fix='write method = "lora"',
            )
        return cls.build(self.knobs, "[methods.instruction_tuning] knobs")

    def read(self, folder):
        from tuneoff.data.mixture import read_mixture

        if not self.mixture:
            raise ConfigError(
                "instruction tuning needs a mixture of tasks",
                where="[methods.instruction_tuning]",
                fix='write mixture = "tasks.jsonl": records with instruction, input and output',
            )
        read = self.model_copy()
        read._records = tuple(read_mixture(self.mixture, folder=folder))
        return read

    def content(self):
        return [self.method, self.knobs, [record.id for record in self._records]]

    def records(self):
        return list(self._records)

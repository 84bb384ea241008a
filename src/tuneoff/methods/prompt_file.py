"""The person's own wording, from a text file with {field} places.

Ticket: {text}
Which team should take it? One of: billing, technical.
"""

from pathlib import Path
from typing import ClassVar

from tuneoff.core.config import knob
from tuneoff.core.errors import ConfigError
from tuneoff.core.text import read_text
from tuneoff.data.prompt import Prompt
from tuneoff.models.adapt import PromptMethod

__all__ = ["PromptFile"]


class PromptFile(PromptMethod):
    paper: ClassVar[str] = ""

    path: str = knob("", "the text file; a relative path starts at the study file")
    text: str = knob("", "the wording itself, instead of a file")

    def read(self, folder):
        if self.text:
            return self
        file = Path(folder, self.path)
        if not self.path or not file.is_file():
            raise ConfigError(
                "prompt file not found",
                where=file if self.path else None,
                fix='write [methods.prompt_file] path = "mine.txt", a text file beside the study file',
            )
        return self.model_copy(update={"text": read_text(file, "the prompt file").strip()})

    @property
    def template(self):
        return self.text

    def content(self):
        return self.text

    def fit(self, task, train, seed):
        return Prompt(template=self.text)

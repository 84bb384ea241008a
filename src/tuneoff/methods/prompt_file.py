"""The person's own wording, from a text file with {field} places.

Ticket: {text}
Which team should take it? One of: billing, technical.
"""

from pathlib import Path
from typing import ClassVar

from tuneoff.core.config import knob
from tuneoff.core.errors import ConfigError
from tuneoff.data.prompt import Prompt
from tuneoff.models.adapt import PromptMethod

__all__ = ["PromptFile"]


class PromptFile(PromptMethod):
    paper: ClassVar[str] = ""

    path: str = knob("", "the text file")

    def fit(self, task, train, seed):
        file = Path(self.path)
        if not self.path or not file.is_file():
            raise ConfigError(
                "prompt file not found", where=self.path or None, fix='write [methods.prompt_file] path = "mine.txt"'
            )
        return Prompt(template=file.read_text(encoding="utf-8").strip())

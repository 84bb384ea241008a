"""Zero-shot: the instruction and the record, nothing else.

Brown et al. 2020, "Language Models are Few-Shot Learners", arXiv 2005.14165, section 2.
"""

from typing import ClassVar

from tuneoff.data.prompt import Prompt
from tuneoff.models.adapt import PromptMethod

__all__ = ["ZeroShot"]


class ZeroShot(PromptMethod):
    paper: ClassVar[str] = "arXiv 2005.14165"

    def fit(self, task, train, seed):
        return Prompt(instruction=task.instruction)

"""A soft prompt behind the prompt's last token, directly before the answer.

    <bos> instruction input [P_1 ... P_V] answer

The frozen model's states at the text do not depend on it, so they are computed once per record for all arms,
epochs and seeds. The `peft` library has no such type. Position matters and neither end always wins: Wu et al.
2023, "Dynamic Prompting", arXiv 2303.02909; both race.
"""

from typing import ClassVar, Literal

from tuneoff.models.soft import SoftPromptMethod

__all__ = ["SoftPromptAfter"]


class SoftPromptAfter(SoftPromptMethod):
    where: ClassVar[Literal["before", "after"]] = "after"

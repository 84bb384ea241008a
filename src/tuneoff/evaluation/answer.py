"""Reading what a model wrote: "could not read" is a state of its own, not an empty answer.

read_text("    x = 1\n") == Answer(text="    x = 1")        read_text(" \n").readable is False
"""

from collections.abc import Sequence

from tuneoff.data.white_space import trimmed
from tuneoff.evaluation.metric import Answer

__all__ = ["cut_answers", "read_text"]


def read_text(generated: str, cut: bool = False) -> Answer:
    """The answer in a generated text, trimmed as the answers of the data are."""
    text = trimmed(generated)
    return Answer(text=text, readable=bool(text), cut=cut)


def cut_answers(answers: Sequence[Answer], limit: int) -> str:
    """How many answers were cut at the limit, in tokens, in words; empty where none was."""
    cut = sum(answer.cut for answer in answers)
    share = f"{cut:,} of {len(answers):,} answers ({cut / max(len(answers), 1):.0%})"
    return f"{share} were cut at {limit:,} tokens, where writing stops" if cut else ""

"""Reading what a model wrote: "could not read" is a state of its own, not an empty answer.

read_text("    x = 1\n") == Answer(text="    x = 1")        read_text(" \n").readable is False
"""

from tuneoff.data.white_space import trimmed
from tuneoff.evaluation.metric import Answer

__all__ = ["read_text"]


def read_text(generated: str) -> Answer:
    """The answer in a generated text, trimmed as the answers of the data are."""
    text = trimmed(generated)
    return Answer(text=text, readable=bool(text))

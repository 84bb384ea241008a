"""Reading what a model wrote: "could not read" is a state of its own, not an empty answer.

read_text("  Paris\n") == Answer(text="Paris")        read_text(" \n").readable is False
"""

from tuneoff.evaluation.metric import Answer

__all__ = ["read_text"]


def read_text(generated: str) -> Answer:
    """The answer in a generated text: what is left without the white space around it."""
    text = generated.strip()
    return Answer(text=text, readable=bool(text))

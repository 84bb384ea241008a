"""The same question in other words: what an arm's figure owes to the one wording that it was asked, or trained, with.

    as asked        Which feeling does the tweet show? Answer with one of: anger, joy.   [the tweet]
    at its end      [the tweet]   Which feeling does the tweet show? Answer with one of: anger, joy.
    as a task       Here is your task. Which feeling ...
    ...

The person's own rewordings say more than these; these need no model and change no instruction's meaning. Wordings of
equal meaning move figures, and even the order of models (Mizrahi et al. 2024, "State of What Art? A Call for
Multi-Prompt LLM Evaluation", arXiv 2401.00595).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tuneoff.data.prompt import Conversation, Prompt
from tuneoff.data.record import Message, Record

__all__ = ["BUILT_IN", "Asked", "Wording", "in_own_words"]

Asked = tuple[Prompt, list[Record]]
"a prompt and the records to ask with it"
Wording = Callable[[Prompt, Sequence[Record]], Asked | None]
"the same asked otherwise; None where there is no instruction to put in other words"


@dataclass(frozen=True, kw_only=True, slots=True)
class AtItsEnd(Prompt):
    """The instruction behind the record's input, and not before everything."""

    def render(self, record: Record) -> Conversation:
        said = self.instruction or record.instruction
        bare = replace(self, instruction="")
        own = record if self.instruction else replace(record, instruction="")
        *turns, last = Prompt.render(bare, own)
        return (*turns, Message(last.role, f"{last.content}\n\n{said}" if last.content else said))


def in_own_words(instruction: str) -> Wording:
    """With another instruction in the place of the task's."""

    def reword(prompt: Prompt, records: Sequence[Record]) -> Asked | None:
        return (replace(prompt, instruction=instruction), list(records)) if prompt.instruction else None

    return reword


def _framed(frame: str) -> Wording:
    """The instruction put into a frame: the task's, or else each record's own."""

    def reword(prompt: Prompt, records: Sequence[Record]) -> Asked | None:
        if prompt.instruction:
            return replace(prompt, instruction=frame.format(prompt.instruction)), list(records)
        if not all(record.instruction for record in records):
            return None
        return prompt, [replace(record, instruction=frame.format(record.instruction)) for record in records]

    return reword


def _at_its_end(prompt: Prompt, records: Sequence[Record]) -> Asked | None:
    if not prompt.instruction and not all(record.instruction for record in records):
        return None
    fields = {name: getattr(prompt, name) for name in Prompt.__dataclass_fields__}
    return AtItsEnd(**fields), list(records)


BUILT_IN: tuple[Wording, ...] = (
    _framed("Here is your task. {}"),
    _at_its_end,
    _framed("Please help me with this. {}"),
    _framed("Instruction: {}"),
)
"what `rewordings = 2` takes the first two of"

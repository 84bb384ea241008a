"""The one place where a conversation becomes token ids and the mask of trained tokens.

    conversation + answer  ->  prompt ids, answer ids (end-of-turn included: a model that is never taught to stop
                               never stops, also where its end-of-text token doubles as padding)

A model with a chat template is asked through it: prompt, answer and end are what the template writes for that
conversation (models/template.py), with its own special tokens and never a doubled BOS. A base model is asked in plain
text:

    <bos>{user}
    Answer: {assistant}

    {user}
    Answer:

What the data spells is text: it never becomes a control token (models/control.py).
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from tuneoff.core.errors import ModelError
from tuneoff.data.prompt import Conversation
from tuneoff.data.record import Message
from tuneoff.models.control import ControlTokens
from tuneoff.models.template import Frame, Template, template_name

__all__ = ["Chat", "Encoded"]

SLACK = 16  # tokens that stand for no letter: BOS, end of turn, a space that a tokenizer puts before a text
PLAIN = Frame(lead="Answer:", opening="", prefix=" ", suffix="", end="")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example. prompt: everything before the answer, generation header included. answer: with end-of-turn."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def ids(self) -> list[int]:
        return [*self.prompt, *self.answer]

    @property
    def trained(self) -> list[bool]:
        """The mask of trained tokens: the answer and its end-of-turn, nothing else."""
        return [False] * len(self.prompt) + [True] * len(self.answer)


class Chat:
    """Renders for one tokenizer.

    template: `auto` (the model's own where it has one), `chat`, `plain`, or the name of one of several. stops: tokens
    that end a generated answer, besides those of template and tokenizer. Raises ModelError for a template that is not
    there or cannot be used.
    """

    def __init__(self, tokenizer, template: str = "auto", stops: Collection[int] = ()):
        self.tokenizer = tokenizer
        self.template = template_name(tokenizer, template)
        self.templated = self.template != "plain"
        self._own = Template(tokenizer, self.template) if self.templated else None
        self._frame = self._own.frame if self._own else PLAIN
        self._controls = ControlTokens(tokenizer, self._own.between if self._own else "")
        self._stops = stops
        if self.end_of_turn is None:
            raise ModelError("this model's tokenizer has no end-of-text token", found=tokenizer.name_or_path)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of how the template asks."""
        return self._frame.remarks

    def encode(self, conversation: Conversation, answer: str) -> Encoded:
        return Encoded(self.prompt_ids(conversation), self.answer_ids(answer))

    def prompt_ids(self, conversation: Conversation) -> tuple[int, ...]:
        """Ids up to where the answer starts. Raises ModelError where the template refuses the conversation."""
        ids = self._controls.ids(self._before(conversation))
        bos = self.tokenizer.bos_token_id
        return ids if not self._adds_bos or ids[:1] == (bos,) else (bos, *ids)

    def answer_ids(self, answer: str) -> tuple[int, ...]:
        """Ids of an answer and of the end of the turn.

        Cut from the ids of the whole, because some tokenizers (Llama 2's) put a space before any text of its own.
        """
        text = self._frame.prefix + self._controls.marked(answer) + self._frame.suffix
        before, whole = self._lead, self._controls.ids(self._frame.lead + text)
        own = whole[len(before) :] if whole[: len(before)] == before else self._controls.ids(text)
        return (*own, self.end_of_turn)

    def tokens_over(self, conversation: Conversation, answer: str, limit: int, room: int = 0) -> int:
        """Tokens of prompt and answer (or of the prompt and `room`, where that is more) if over `limit`, else 0.

        Plain ASCII has no more tokens than letters, so that what is short for certain is not encoded.
        """
        before, own = self._before(conversation), self.written(answer)
        if (before + own).isascii() and len(before) + max(len(own), room) + SLACK <= limit:
            return 0
        encoded = self.encode(conversation, answer)
        tokens = len(encoded.prompt) + max(len(encoded.answer), room)
        return tokens if tokens > limit else 0

    def keeps(self, answer: str) -> bool:
        """Whether the template writes this answer as it is, but for white space."""
        return self._own is None or self._own.keeps(answer)

    def text_ids(self, text: str) -> tuple[int, ...]:
        """Ids of a text by itself."""
        return self._controls.ids(self._controls.marked(text))

    def decode(self, ids) -> str:
        """The text of an answer's ids: all of it but the tokens that end it."""
        own = list(ids)
        while own and own[-1] in self.stops:
            own.pop()
        before, whole = self.show(self._lead), self.show([*self._lead, *own])
        text = whole[len(before) :] if whole.startswith(before) else self.show(own)
        return text.removeprefix(self._frame.prefix).removesuffix(self._frame.suffix)

    def show(self, ids) -> str:
        """The text of any ids, control tokens included."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def written(self, answer: str) -> str:
        """An answer with the white space that goes with it."""
        return self._frame.prefix + answer + self._frame.suffix

    def _before(self, conversation: Conversation) -> str:
        """All text up to where the answer starts, marked."""
        marked = tuple(Message(turn.role, self._controls.marked(turn.content)) for turn in conversation)
        return self._own.before(marked) if self._own else _plain(marked)

    @cached_property
    def end_of_turn(self) -> int:
        """The token that ends an answer: what the template writes after it, or end-of-text."""
        end = self._frame.end
        return self.tokenizer.convert_tokens_to_ids(end) if end else self.tokenizer.eos_token_id

    @cached_property
    def stops(self) -> frozenset[int]:
        """Tokens that end a generated answer."""
        return frozenset({self.end_of_turn, self.tokenizer.eos_token_id, *self._stops} - {None})

    @cached_property
    def _lead(self) -> tuple[int, ...]:
        """What stands directly before an answer."""
        return self._controls.ids(self._frame.lead)

    @cached_property
    def _adds_bos(self) -> bool:
        bos = self.tokenizer.bos_token_id
        return bos is not None and self.tokenizer("a").input_ids[:1] == [bos]


def _plain(conversation: Conversation) -> str:
    parts = [
        f"Answer: {turn.content}\n\n" if turn.role == "assistant" else f"{turn.content}\n" for turn in conversation
    ]
    return "".join([*parts, "Answer:"])

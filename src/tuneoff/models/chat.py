"""The one place where a conversation becomes token ids and the mask of trained tokens.

    conversation + answer  ->  prompt ids, answer ids (end-of-turn included: a model that is never taught to stop
                               never stops, also where its end-of-text token doubles as padding)

A model with a chat template is asked through it, with its own special tokens and never a doubled BOS. A base
model is asked in plain text:

    <bos>{user}
    Answer: {assistant}

    {user}
    Answer:
"""

from dataclasses import dataclass
from functools import cached_property

from tuneoff.core.errors import ModelError
from tuneoff.data.prompt import Conversation
from tuneoff.data.record import Message

__all__ = ["Chat", "Encoded"]

SENTINEL = "@@the answer@@"


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
    """Renders for one tokenizer. template: `auto` (the model's own where it has one), `chat` or `plain`."""

    def __init__(self, tokenizer, template: str = "auto"):
        self.tokenizer = tokenizer
        self.templated = bool(tokenizer.chat_template) if template == "auto" else template == "chat"
        if self.templated and not tokenizer.chat_template:
            raise ModelError(
                "this model has no chat template", found=tokenizer.name_or_path, fix='write template = "plain"'
            )
        if not self.templated and tokenizer.eos_token_id is None:
            raise ModelError("this model's tokenizer has no end-of-text token", found=tokenizer.name_or_path)

    def encode(self, conversation: Conversation, answer: str) -> Encoded:
        return Encoded(self.prompt_ids(conversation), self.answer_ids(answer))

    def prompt_ids(self, conversation: Conversation) -> tuple[int, ...]:
        """Ids up to where the answer starts."""
        text = self._templated(conversation, header=True) if self.templated else _plain(conversation)
        ids = self._ids(text)
        bos = self.tokenizer.bos_token_id
        return ids if not self._adds_bos or ids[:1] == (bos,) else (bos, *ids)

    def answer_ids(self, answer: str) -> tuple[int, ...]:
        """Ids of an answer and of the end of the turn.

        Cut from the ids of the whole, because some tokenizers (Llama 2's) put a space before any text of its own.
        """
        text = answer if self.templated else f" {answer}"
        before, whole = self._ids(self._lead), self._ids(self._lead + text)
        own = whole[len(before) :] if whole[: len(before)] == before else self._ids(text)
        return (*own, self.end_of_turn)

    @cached_property
    def _lead(self) -> str:
        """What stands directly before an answer."""
        if not self.templated:
            return "Answer:"
        return self._templated((Message("user", SENTINEL),), header=True).rpartition(SENTINEL)[2]

    def decode(self, ids) -> str:
        """The text of generated ids, without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True).strip()

    @property
    def template(self) -> str:
        """`chat` or `plain`: how this one renders, whatever was asked for."""
        return "chat" if self.templated else "plain"

    @cached_property
    def end_of_turn(self) -> int:
        """The token that ends an answer: what the template writes after it, or end-of-text."""
        if self.templated:
            text = self._templated((Message("user", "a"), Message("assistant", SENTINEL)), header=False)
            after = self._ids(text.rpartition(SENTINEL)[2].lstrip())
            special = {*self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}
            if after and after[0] in special:
                return after[0]
        return self.tokenizer.eos_token_id

    @cached_property
    def stops(self) -> frozenset[int]:
        """Tokens that end a generated answer."""
        return frozenset({self.end_of_turn, self.tokenizer.eos_token_id} - {None})

    @cached_property
    def _adds_bos(self) -> bool:
        bos = self.tokenizer.bos_token_id
        return bos is not None and self.tokenizer("a").input_ids[:1] == [bos]

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids)

    def _templated(self, conversation: Conversation, header: bool) -> str:
        import jinja2

        try:
            return self._apply(conversation, header)
        except (jinja2.exceptions.TemplateError, ValueError):  # templates without a system role (Gemma) raise
            return self._apply(_without_system(conversation), header)

    def _apply(self, conversation: Conversation, header: bool) -> str:
        turns = [{"role": turn.role, "content": turn.content} for turn in conversation]
        # enable_thinking: templates of reasoning models open a thought otherwise; the others ignore it
        return self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=header, tokenize=False, enable_thinking=False
        )


def _plain(conversation: Conversation) -> str:
    parts = [
        f"Answer: {turn.content}\n\n" if turn.role == "assistant" else f"{turn.content}\n" for turn in conversation
    ]
    return "".join([*parts, "Answer:"])


def _without_system(conversation: Conversation) -> Conversation:
    system = "\n\n".join(turn.content for turn in conversation if turn.role == "system")
    rest = [turn for turn in conversation if turn.role != "system"]
    if not system or not rest:
        return tuple(rest)
    return (Message(rest[0].role, f"{system}\n\n{rest[0].content}"), *rest[1:])

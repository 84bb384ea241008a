"""A model's own chat template: what it writes before an answer and behind it, and what it writes to ask for one.

    <|im_start|>user            before      all up to the answer
    Feel?<|im_end|>
    <|im_start|>assistant
    joy                         the answer
    <|im_end|>                  behind

A template that refuses a conversation is asked again with the system's words at the head of the first turn (Gemma has
no system role), and then with neighbouring turns of one role joined.
"""

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from tuneoff.core.errors import ModelError, nearest
from tuneoff.data.prompt import Conversation
from tuneoff.data.record import Message

__all__ = ["Frame", "Refused", "Template", "template_name"]

ASKED, ANSWERED = "@@What Is Asked@@", "@@The Answer@@"
INDENT = re.compile(r"\s+")
KEPT = re.compile("\ufdd4([\\d,]+)\ufdd5")  # white space that a template must not trim away


class Frame(NamedTuple):
    """How an answer stands in this template.

    lead: what comes between the question and the answer, the part that the prompt ends with. opening: what is written
    to ask for an answer only, such as an empty thought; the prompt's very end. prefix, suffix: text of the template
    that goes with the answer (a space before it, mostly). end: the text of the token that ends the turn; empty where
    the template ends it with words. remarks: what a person should know of it.
    """

    lead: str
    opening: str
    prefix: str
    suffix: str
    end: str
    remarks: tuple[str, ...] = ()


class Refused(ModelError):
    """A chat template takes no conversation of this form. why: its words, behind the roles of the turns."""

    def __init__(self, conversation: Conversation, error: Exception):
        self.why = f"{', '.join(turn.role for turn in conversation)}: {str(error).strip()}"
        super().__init__(
            "the model's chat template refuses a conversation",
            found=self.why,
            fix='change the turns, or write template = "plain" under [model]',
        )


def template_name(tokenizer, asked: str) -> str:
    """Which template of a tokenizer is meant: a name, "chat" for the only one or the default, "plain" for none.

    asked: auto, chat, plain, or a template's name. Raises ModelError where there is none such, or several and no
    default.
    """
    several = tokenizer.chat_template if isinstance(tokenizer.chat_template, dict) else {}
    if asked == "plain" or asked in several:
        return asked
    if asked not in ("auto", "chat"):
        raise ModelError(
            f"this model has no chat template {asked!r}",
            where=tokenizer.name_or_path,
            allowed=["auto", "chat", "plain", *several],
            fix=nearest(asked, ["auto", "chat", "plain", *several]) or None,
        )
    if several and "default" not in several:
        raise ModelError(
            "this model has several chat templates, and none of them is the default",
            where=tokenizer.name_or_path,
            found=list(several),
            fix=f'choose one under [model]: template = "{next(iter(several))}"',
        )
    if not tokenizer.chat_template and asked == "chat":
        raise ModelError(
            "this model has no chat template", found=tokenizer.name_or_path, fix='write template = "plain"'
        )
    return "chat" if tokenizer.chat_template else "plain"


class Template:
    """One chat template of a tokenizer. name: "chat" for its only one or its default."""

    def __init__(self, tokenizer, name: str):
        self.tokenizer = tokenizer
        self._template = None if name == "chat" else tokenizer.chat_template[name]

    def before(self, conversation: Conversation) -> str:
        """All that a prompt holds: up to where the answer's own text, with its prefix, begins."""
        written = self._around(conversation)[0]
        return written.removesuffix(self.frame.prefix) + self.frame.opening

    @cached_property
    def frame(self) -> Frame:
        """Raises ModelError where the template does not write questions and answers as they are."""
        question = (Message("user", ASKED),)
        before, behind = self._around(question)
        asks, thinking = self._asks(question), self._asks(question, thinking=True)
        extra = asks[len(before) :] if asks.startswith(before) else ""
        opening = extra if asks != thinking else ""  # one that the setting brought about says: no thought
        prefix = _last_spaces(before, asks)
        if ASKED not in before:
            raise _unfit(self.tokenizer, "the chat template does not write what is asked as it is", before)
        lead = before.rpartition(ASKED)[2].removesuffix(prefix) + opening
        suffix, end = self._ending(behind)
        return Frame(lead, opening, prefix, suffix, end, _remarks(extra, opening))

    def keeps(self, answer: str) -> bool:
        """Whether it writes an answer as it is, but for white space."""
        question = (Message("user", ASKED),)
        before, behind = self._around(question)
        try:
            written = self._written((*question, Message("assistant", answer)))
        except Refused:
            return False
        return "".join(written.split()) == "".join(f"{before}{answer}{behind}".split())

    @cached_property
    def between(self) -> str:
        """What the template writes around turns."""
        talk = (Message("user", ASKED), Message("assistant", ANSWERED), Message("user", ASKED))
        return self._asks(talk).replace(ASKED, "").replace(ANSWERED, "")

    def _ending(self, behind: str) -> tuple[str, str]:
        """(text before the token that ends the turn, that token's text); ("", "") where no token does."""
        added = [token.content for token in self.tokenizer.added_tokens_decoder.values() if token.content.strip()]
        added += [token for token in self.tokenizer.all_special_tokens if token not in added]
        found = re.search("|".join(map(re.escape, sorted(added, key=len, reverse=True))), behind) if added else None
        return (behind[: found.start()], found[0]) if found else ("", "")

    def _around(self, conversation: Conversation) -> tuple[str, str]:
        text = self._written((*conversation, Message("assistant", ANSWERED)))
        before, found, behind = text.rpartition(ANSWERED)
        if not found:
            raise _unfit(self.tokenizer, "the chat template does not write an answer as it is", text)
        return before, behind

    def _asks(self, conversation: Conversation, thinking: bool = False) -> str:
        return self._written(conversation, header=True, thinking=thinking)

    def _written(self, conversation: Conversation, header: bool = False, thinking: bool = False) -> str:
        refusal = None
        for form in _forms(conversation):
            try:
                return self._apply(form, header, thinking)
            except _refusals() as error:
                refusal = refusal or error
        raise Refused(conversation[:-1] if conversation[-1].content == ANSWERED else conversation, refusal) from refusal

    def _apply(self, conversation: Conversation, header: bool, thinking: bool) -> str:
        turns = [{"role": turn.role, "content": _indented(turn)} for turn in conversation]
        text = self.tokenizer.apply_chat_template(
            turns,
            chat_template=self._template,
            add_generation_prompt=header,
            tokenize=False,
            enable_thinking=thinking,  # templates of reasoning models open a thought otherwise; the others ignore it
        )
        return KEPT.sub(lambda match: "".join(chr(int(code)) for code in match[1].split(",")), text)


def _refusals() -> tuple[type[Exception], ...]:
    import jinja2

    return jinja2.exceptions.TemplateError, ValueError, TypeError


def _forms(conversation: Conversation) -> Iterator[Conversation]:
    """A conversation as it is, and as templates that are strict about roles take it."""
    plainer = _without_system(conversation)
    forms: list[Callable[[], Conversation]] = [
        lambda: conversation,
        lambda: plainer,
        lambda: _joined(conversation),
        lambda: _joined(plainer),
    ]
    yield from dict.fromkeys(form() for form in forms)


def _without_system(conversation: Conversation) -> Conversation:
    system = "\n\n".join(turn.content for turn in conversation if turn.role == "system")
    rest = [turn for turn in conversation if turn.role != "system"]
    if not system or not rest:
        return tuple(rest)
    return (Message(rest[0].role, f"{system}\n\n{rest[0].content}"), *rest[1:])


def _joined(conversation: Conversation) -> Conversation:
    """Neighbouring turns of one role as one turn."""
    return tuple(
        Message(role, "\n\n".join(turn.content for turn in turns))
        for role, turns in groupby(conversation, key=lambda turn: turn.role)
    )


def _indented(turn: Message) -> str:
    """A turn's text; where it is an answer, the white space that it begins with is kept from being trimmed."""
    indent = INDENT.match(turn.content) if turn.role == "assistant" else None
    if not indent:
        return turn.content
    return f"\ufdd4{','.join(str(ord(letter)) for letter in indent[0])}\ufdd5{turn.content[indent.end() :]}"


def _last_spaces(before: str, asks: str) -> str:
    """The spaces that the template puts before an answer and not behind what asks for one: tokens hold them as the
    head of the answer's first word."""
    own = before[len(asks) :] if before.startswith(asks) else "" if asks.startswith(before) else before
    return own[len(own.rstrip(" ")) :]


def _remarks(extra: str, opening: str) -> tuple[str, ...]:
    if not extra:
        return ()
    if opening:
        return (f"the chat template asks for an answer with {opening!r}: answers are asked for and trained behind it",)
    return (
        f"the chat template asks for an answer with {extra!r}, and writes none of it into a conversation: answers are "
        "asked for and trained without it",
    )


def _unfit(tokenizer, problem: str, text: str) -> ModelError:
    return ModelError(
        f"{problem}, so that it cannot be trained or asked for",
        where=tokenizer.name_or_path,
        found=repr(text[-200:]),
        fix='write template = "plain" under [model], or correct the chat template in the model\'s folder',
    )

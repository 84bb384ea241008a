"""The forms in which files keep a conversation, each as turns.

[{"role": "user", "content": "Hi"}, ...]                             OpenAI
[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]      the same in parts
[{"from": "human", "value": "Hi"}, ...]                              ShareGPT
{"role": ["user", ...], "content": ["Hi", ...]}                      what `datasets` makes of a Sequence({...})
'[{"role": "user", "content": "Hi"}]'                                JSON in a cell of a CSV file
[["Hi", "Hello"], ...]                                               a history: pairs of a question and its reply
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tuneoff.data.record import Message, Unusable
from tuneoff.data.white_space import indented, trimmed

__all__ = ["history_of", "transcript", "turns_of"]

ROLES = {"system": "system", "user": "user", "assistant": "assistant", "developer": "system", "human": "user",
         "prompter": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant"}  # fmt: skip
SPEAKERS = ("role", "from")
WORDS = ("content", "value")


def turns_of(value: Any, column: str) -> list[Message]:
    """The turns of one cell. Raises Unusable, which names the turn that cannot be read."""
    value = _listed(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        raise Unusable(f"column {column!r} holds no list of turns")
    return [_turn(turn, at) for at, turn in enumerate(value, start=1)]


def history_of(value: Any, column: str) -> list[Message]:
    """The turns of a history: pairs of a question and its reply, or turns. An empty cell has none."""
    value = _listed(value)
    if value is None or value == "" or (isinstance(value, Sequence) and not value):
        return []
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise Unusable(f"column {column!r} holds no list of [question, reply] pairs")
    if isinstance(value[0], Mapping):
        return turns_of(value, column)
    return [turn for at, pair in enumerate(value, start=1) for turn in _pair(pair, at, column)]


def transcript(turns: Sequence[Message]) -> str:
    """A conversation as one text, where it is the input of another question: `user: Hi`, a line a turn."""
    return "\n".join(f"{turn.role}: {turn.content}" for turn in turns)


def _listed(value: Any) -> Any:
    """JSON in a text as what it says; a dict of lists as the list of dicts that it stands for."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, Mapping) and value and all(isinstance(each, list | tuple) for each in value.values()):
        if len({len(each) for each in value.values()}) > 1:
            raise Unusable(f"the lists {', '.join(value)} of a conversation are of different lengths")
        return [dict(zip(value, row)) for row in zip(*value.values())]
    return value


def _turn(turn: Any, at: int) -> Message:
    if not isinstance(turn, Mapping):
        raise Unusable(f"turn {at} is not an object with a role and a content")
    said = next((turn[name] for name in SPEAKERS if name in turn), None)
    role = ROLES.get(said.strip().lower()) if isinstance(said, str) else None
    if role is None:
        raise Unusable(f"turn {at} has the role {said!r}, where system, user or assistant is wanted")
    content = _trimmed(role, _content(next((turn[name] for name in WORDS if name in turn), None), at))
    if not content:
        calls = "; calls of tools are not read" if turn.get("tool_calls") else ""
        raise Unusable(f"turn {at} has no text{calls}")
    return Message(role, content)


def _content(content: Any, at: int) -> str:
    """The text of a turn; that of its parts, a line each."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list | tuple):
        return ""
    return "\n".join(_part(part, at) for part in content)


def _trimmed(role: str, content: str) -> str:
    return trimmed(content) if role == "assistant" else indented(content)


def _part(part: Any, at: int) -> str:
    text = part.get("text") if isinstance(part, Mapping) else part
    kind = part.get("type", "text") if isinstance(part, Mapping) else "text"
    if kind not in ("text", "input_text", "output_text") or not isinstance(text, str):
        raise Unusable(f"turn {at} has a part of the type {kind!r}, and only text can be read")
    return text


def _pair(pair: Any, at: int, column: str) -> tuple[Message, Message]:
    texts = [text for text in pair if isinstance(text, str)] if isinstance(pair, list | tuple) else []
    if len(texts) != 2 or len(pair) != 2 or not all(text.strip() for text in texts):
        raise Unusable(f"entry {at} of column {column!r} is no [question, reply] pair of texts")
    return tuple(Message(role, _trimmed(role, text)) for role, text in zip(("user", "assistant"), texts))

"""The forms of a conversation: what each becomes, and what is refused with the turn named."""

import json

import pytest

from tuneoff.core.errors import DataError
from tuneoff.data.conversation import history_of, turns_of
from tuneoff.data.read import read_records
from tuneoff.data.record import Message, Unusable

SAID = [Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Hello")]
OPENAI = [{"role": turn.role, "content": turn.content} for turn in SAID]
HUMAN = {"system": "system", "user": "human", "assistant": "gpt"}


@pytest.mark.parametrize(
    "value",
    [
        OPENAI,
        [{"from": HUMAN[turn.role], "value": turn.content} for turn in SAID],
        [{"role": turn.role, "content": [{"type": "text", "text": turn.content}]} for turn in SAID],
        [{"role": turn.role, "content": [turn.content]} for turn in SAID],
        {"role": [turn.role for turn in SAID], "content": [turn.content for turn in SAID]},
        {"from": [HUMAN[turn.role] for turn in SAID], "value": [turn.content for turn in SAID]},
        json.dumps(OPENAI),
        [{"role": turn.role.upper(), "content": f" {turn.content}\n"} for turn in SAID],
        [{**OPENAI[0], "role": "developer"}, *OPENAI[1:]],
    ],
    ids=["OpenAI", "ShareGPT", "parts", "texts", "lists", "ShareGPT lists", "JSON", "capitals", "developer"],
)
def test_forms(value):
    assert turns_of(value, "messages") == SAID


def test_parts_are_joined_line_by_line():
    parts = [{"type": "text", "text": "Look:"}, {"type": "text", "text": "two"}]
    assert turns_of([{"role": "user", "content": parts}], "m") == [Message("user", "Look:\ntwo")]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([{"role": ["user"], "content": "Hi"}], "turn 1 has the role ['user'], where system, user or assistant"),
        ([*OPENAI, {"role": "tool", "content": "42"}], "turn 4 has the role 'tool'"),
        ([{"role": None, "content": "Hi"}], "turn 1 has the role None"),
        ([{"content": "Hi"}], "turn 1 has the role None"),
        ([{"role": {"a": 1}, "content": "Hi"}], "turn 1 has the role {'a': 1}"),
        ([{"role": "user", "content": 7}], "turn 1 has no text"),
        ([{"role": "assistant", "content": None, "tool_calls": [{}]}], "turn 1 has no text; calls of tools are not"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "turn 1 has a part of the type 'image_url'"),
        ([{"role": "user", "content": [7]}], "turn 1 has a part of the type 'text', and only text can be read"),
        ({"role": ["user"], "content": ["a", "b"]}, "the lists role, content of a conversation are of different"),
        ("[not json", "column 'messages' holds no list of turns"),
        (7, "column 'messages' holds no list of turns"),
        (["Hi"], "turn 1 is not an object with a role and a content"),
    ],
)
def test_what_cannot_be_read_is_named(value, why):
    with pytest.raises(Unusable) as error:
        turns_of(value, "messages")
    assert why in str(error.value)


@pytest.mark.parametrize(
    "value", [[["Hi", "Hello"]], json.dumps([["Hi", "Hello"]]), OPENAI[1:]], ids=["pairs", "JSON", "turns"]
)
def test_histories(value):
    assert history_of(value, "history") == SAID[1:]


@pytest.mark.parametrize("value", [[["Hi"]], [["Hi", None]], [["Hi", ""]], ["Hi"], "Hi", 7, [7]])
def test_what_is_no_history(value):
    with pytest.raises(Unusable, match="column 'history'"):
        history_of(value, "history")


def test_a_form_that_cannot_be_read_is_reported_with_its_line(tmp_path):
    rows = [{"messages": OPENAI}, {"messages": [{"role": ["user"], "content": "Hi"}, OPENAI[2]]}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match=r"a\.jsonl:2  turn 1 has the role \['user'\]"):
        read_records("a.jsonl", folder=tmp_path)

"""Where a record's own instruction, its history and its system text stand in the conversation."""

import json

import pytest

from tuneoff.core.errors import DataError
from tuneoff.data.prompt import Prompt, check_template, fill
from tuneoff.data.record import Message, Record

HISTORY = (Message("user", "Hello"), Message("assistant", "Ahoy"))
SYSTEM = Message("system", "You are a pirate.")


def said(record, **prompt):
    return [(turn.role, turn.content) for turn in Prompt(**prompt).render(record)]


def test_the_question_comes_behind_its_history():
    record = Record(fields={"input": "two"}, target="2", instruction="Count it.", turns=(SYSTEM, *HISTORY))
    assert said(record) == [
        ("system", "You are a pirate."), ("user", "Hello"), ("assistant", "Ahoy"), ("user", "Count it.\n\ntwo"),
    ]  # fmt: skip


def test_so_does_an_instruction_without_input():
    record = Record(fields={}, target="2", instruction="And two?", turns=HISTORY)
    assert said(record) == [("user", "Hello"), ("assistant", "Ahoy"), ("user", "And two?")]
    assert said(Record(fields={}, target="2", instruction="And two?", turns=(SYSTEM,))) == [
        ("system", "You are a pirate."), ("user", "And two?"),
    ]  # fmt: skip


def test_a_conversation_that_waits_for_its_answer_is_opened_by_the_instruction():
    record = Record(fields={}, target="2", instruction="Be brief.", turns=(*HISTORY, Message("user", "And two?")))
    assert said(record)[0] == ("user", "Be brief.\n\nHello")


def test_the_system_text_stands_first_and_once():
    shown = Record(fields={"q": "one"}, target="1", turns=(SYSTEM,))
    record = Record(fields={"q": "two"}, target="2", turns=(Message("system", "Be brief."),))
    assert said(record, instruction="Count.", demonstrations=(shown,)) == [
        ("system", "Be brief."), ("user", "Count.\n\none"), ("assistant", "1"), ("user", "two"),
    ]  # fmt: skip


def test_a_saved_prompt_keeps_all_right_answers_of_its_demonstrations():
    shown = Record(fields={"q": "When?"}, target="in 1969", alternatives=("1969", "in July 1969"))
    prompt = Prompt(demonstrations=(shown,))
    again = Prompt.from_dict(json.loads(json.dumps(prompt.as_dict())))
    assert again.demonstrations[0].references == ("in 1969", "1969", "in July 1969")
    assert again == prompt
    asked = again.render(Record(fields={"q": "Who?"}, target="?"))
    assert [turn.content for turn in asked if turn.role == "assistant"] == ["in 1969"]


def test_a_place_is_filled_whatever_its_column_is_called():
    fields = {"customer text": "it broke", "a": "1", "(x)": "2", "text": "3"}
    asked = 'Review: {customer text}\n{text} {a} {(x)} {"json": true} {not a column} {}'
    assert fill(asked, fields) == 'Review: it broke\n3 1 2 {"json": true} {not a column} {}'
    assert fill("{a}", {"a": "{text}", "text": "3"}) == "{text}", "what is put in is not filled again"


def test_a_template_without_a_place_is_refused():
    records = [Record(fields={"customer text": "it broke"}, target="bad", source="d.csv:2")]
    with pytest.raises(DataError, match="no place for an input column: every record would be asked the same") as caught:
        check_template("Verdict?", records, "[prompt] template")
    assert "where:   [prompt] template" in str(caught.value)
    assert "write {customer text} where the record's text belongs" in str(caught.value)
    with pytest.raises(DataError, match="did you mean 'customer text'"):
        check_template("Review: {customer txt}", records, "")
    with pytest.raises(DataError, match=r"(?s)asks for \{text\}, which the record does not have.*d.csv:2"):
        check_template("{customer text} {text}", records, "")
    check_template("Review: {customer text}", records, "")
    check_template("And?", [Record(fields={}, target="2", turns=HISTORY)], "")

"""Rows become records: the recognised shapes, the person's own columns, and what is refused."""

import math

import pytest

from tuneoff.core.errors import DataError
from tuneoff.data.record import Message
from tuneoff.data.shapes import Unusable, find_shape, to_record


def record(table, *, labels=(), answered=True, group="", **named):
    return to_record(
        table, find_shape(list(table), answered=answered, **named), labels=labels, answered=answered, group=group
    )


@pytest.mark.parametrize(
    ("table", "name", "fields", "instruction", "target"),
    [
        ({"instruction": "Do.", "input": "x", "output": "y", "text": "all"}, "Alpaca", {"input": "x"}, "Do.", "y"),
        ({"instruction": "Do.", "input": "", "output": "y"}, "Alpaca", {}, "Do.", "y"),
        ({"instruction": "Do.", "context": None, "response": "y"}, "Alpaca", {}, "Do.", "y"),
        ({"prompt": "p", "completion": "c"}, "prompt and completion", {"prompt": "p"}, "", "c"),
        ({"text": "t", "label": "l", "id": 3}, "text and label", {"text": "t"}, "", "l"),
        ({"question": "q", "answer": "a"}, "question and answer", {"question": "q"}, "", "a"),
        (
            {"question": "q", "answer": "a", "context": "c"},
            "question and answer",
            {"context": "c", "question": "q"},
            "",
            "a",
        ),
        (
            {"premise": "p", "hypothesis": "h", "label": "l"},
            "pair and label",
            {"premise": "p", "hypothesis": "h"},
            "",
            "l",
        ),
    ],
)
def test_recognised_shapes(table, name, fields, instruction, target):
    assert find_shape(list(table)).name == name
    got = record(table)
    assert (dict(got.fields), got.instruction, got.target) == (fields, instruction, target)
    assert list(got.fields) == list(fields)


def test_chat_splits_before_the_last_assistant_turn():
    turns = [("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"), ("assistant", "See you")]
    got = record({"messages": [{"role": role, "content": text} for role, text in turns]})
    assert got.turns == tuple(Message(*turn) for turn in turns[:-1])
    assert (got.target, dict(got.fields)) == ("See you", {})


def test_sharegpt_speaks_of_humans_and_gpt():
    got = record({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]})
    assert (got.turns, got.target) == ((Message("user", "Hi"),), "Hello")


def test_turns_after_the_last_reply_are_not_used_but_to_predict():
    table = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"},
                          {"role": "user", "content": "Bye"}]}  # fmt: skip
    assert record(table).target == "Yes?"
    unanswered = record(table, answered=False)
    assert (len(unanswered.turns), unanswered.target) == (3, "")


def test_own_columns_come_first_and_in_their_order():
    table = {"text": "t", "label": "l", "title": "h", "queue": "q"}
    got = record(table, input=["title", "text"], answer="queue")
    assert (list(got.fields.items()), got.target) == ([("title", "h"), ("text", "t")], "q")


def test_an_own_answer_keeps_the_recognised_input():
    assert dict(record({"text": "t", "label": "l", "category": "c"}, answer="category").fields) == {"text": "t"}
    got = record({"instruction": "i", "text": "t", "label": "l"}, answer="label")
    assert (dict(got.fields), got.instruction) == ({"text": "t"}, "")


def test_own_input_finds_its_answer():
    assert record({"subject": "s", "intent": "i"}, input=["subject"]).target == "i"


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (3.0, "3"), (2.5, "2.5"), (True, "true"), ("  x \n", "x"), (10**20, "1" + "0" * 20), (math.inf, "inf")],
)
def test_values_become_text(value, text):
    assert record({"text": "t", "label": value}).target == text


def test_group_and_task_columns():
    assert record({"text": "t", "label": "l", "customer": 7}, group="customer").group == "7"
    assert (
        record({"text": "t", "label": "l", "customer": None}, group="customer").group
        == record({"text": "t", "label": "l"}).group
    )
    assert record({"instruction": "i", "output": "o", "task": "plural"}).task == "plural"


def test_labels_name_codes_and_limit_words():
    assert record({"text": "t", "label": 3}, labels={"3": "refund"}).target == "refund"
    assert record({"text": "t", "label": "joy"}, labels=["joy", "anger"]).target == "joy"


@pytest.mark.parametrize(
    ("table", "labels", "why"),
    [
        ({"text": " ", "label": "l"}, (), "the text is empty (column 'text')"),
        ({"text": "t", "label": ""}, (), "the answer is empty (column 'label')"),
        ({"text": None, "label": "l"}, (), "column 'text' is null"),
        ({"text": "t", "label": math.nan}, (), "column 'label' is null"),
        ({"text": ["t"], "label": "l"}, (), "column 'text' holds a list, where a text is wanted"),
        ({"instruction": "", "output": "o"}, (), "the instruction is empty (column 'instruction')"),
        ({"text": "t", "label": "joyy"}, ["joy"], "the answer 'joyy' is not in [data] labels; did you mean 'joy'?"),
        ({"messages": []}, (), "column 'messages' holds no list of turns"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, (), "the conversation has no assistant turn"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, (), "no user turn before the last assistant turn"),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, (), "turn 1 has the role 'tool'"),
        ({"messages": [{"role": "user", "content": None}]}, (), "turn 1 has no text"),
        ({"messages": ["Hi"]}, (), "turn 1 is not an object with a role and a content"),
    ],
)
def test_rows_that_are_no_record(table, labels, why):
    with pytest.raises(Unusable) as error:
        record(table, labels=labels)
    assert why in str(error.value)


def test_a_row_without_the_column():
    with pytest.raises(Unusable, match="column 'text' is missing"):
        to_record({"label": "l"}, find_shape(["text", "label"]))


def test_one_empty_input_of_two_is_kept():
    got = record({"subject": "", "body": "b", "label": "l"}, input=["subject", "body"])
    assert dict(got.fields) == {"subject": "", "body": "b"}


def test_records_to_predict_need_no_answer():
    assert record({"text": "t"}, answered=False).target == ""
    assert record({"text": "t"}, input=["text"], answer="label", answered=False).target == ""
    assert record({"text": "t", "label": "l"}, answered=False).target == "l"


def test_unknown_column_and_unknown_shape():
    with pytest.raises(DataError) as error:
        find_shape(["text", "label"], input=["text"], answer="lable", where="a.csv")
    assert "unknown column 'lable'" in str(error.value)
    assert "a.csv" in str(error.value)
    assert "columns 'text', 'label'" in str(error.value)
    assert "did you mean 'label'?" in str(error.value)
    with pytest.raises(DataError, match="cannot tell the input columns from the answer"):
        find_shape(["foo", "bar"])

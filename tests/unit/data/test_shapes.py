"""Rows become records: the recognised shapes, the person's own columns, and what is refused."""

import math

import pytest

from tuneoff.core.errors import DataError
from tuneoff.data.record import Message, Unusable
from tuneoff.data.shapes import find_shape, label_texts, settle, to_record


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
    [(3, "3"), (3.0, "3"), (2.5, "2.5"), (True, "true"), (" x \n", "x"), (10**20, "1" + "0" * 20), (math.inf, "inf")],
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
        ({"text": b"\xff", "label": "l"}, (), "column 'text' holds a value of the type bytes, where a text is wanted"),
        ({"text": "t", "label": {"a": 1}}, (), "column 'label' holds a dict, where a text is wanted"),
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


def test_a_list_or_an_object_is_shown_as_json():
    got = record({"text": [["Rome", "capital of", "Italy"]], "meta": {"k": "ü"}, "label": "l"}, input=["text", "meta"])
    assert dict(got.fields) == {"text": '[["Rome", "capital of", "Italy"]]', "meta": '{"k": "ü"}'}


@pytest.mark.parametrize(
    ("labels", "texts"),
    [([1, 5], ["1", "5"]), ([1.0, 2.5, True], ["1", "2.5", "true"]), ({3: 7, "x": False}, {"3": "7", "x": "false"})],
)
def test_labels_are_read_as_answers_are(labels, texts):
    assert label_texts(labels) == texts
    target = next(iter(labels))
    assert record({"text": "t", "label": target}, labels=label_texts(labels)).target in ("1", "7")


ALPACA = {"instruction": "And two?", "input": "", "output": "Arr, two."}


def test_system_and_history_columns_become_turns():
    got = record({**ALPACA, "system": "You are a pirate.", "history": [["Hello", "Ahoy"]]})
    assert got.turns == (Message("system", "You are a pirate."), Message("user", "Hello"), Message("assistant", "Ahoy"))
    assert (got.instruction, dict(got.fields), got.target) == ("And two?", {}, "Arr, two.")


@pytest.mark.parametrize("empty", [None, "", []])
def test_an_empty_system_or_history_is_no_turn(empty):
    assert record({**ALPACA, "system": empty if empty != [] else "", "history": empty}).turns == ()


@pytest.mark.parametrize("name", ["system", "system_prompt", "system_message"])
@pytest.mark.parametrize(
    "rest", [{"prompt": "p", "completion": "c"}, {"question": "q", "response": "r"}, {"question": "q", "answer": "a"}]
)
def test_system_columns_of_other_shapes(name, rest):
    got = record({name: "Be brief.", **rest})
    assert (got.turns, list(got.fields)) == ((Message("system", "Be brief."),), [next(iter(rest))])


def test_named_system_and_history_columns_become_turns_too():
    table = {"system": "S", "history": [["a", "b"]], "mail": "m", "reply": "r"}
    got = record(table, input=["system", "history", "mail"], answer="reply")
    assert [turn.content for turn in got.turns] == ["S", "a", "b"]
    assert dict(got.fields) == {"mail": "m"}
    alone = record({"system": "Windows", "label": "l"}, input=["system"], answer="label")
    assert (dict(alone.fields), alone.turns) == ({"system": "Windows"}, ())


def test_the_system_column_of_a_chat_stands_first_and_once():
    said = [{"role": "system", "content": "S"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    for turns in (said, said[1:]):
        assert record({"messages": turns, "system": "S"}).turns == (Message("system", "S"), Message("user", "u"))


def test_a_conversation_that_is_asked_about_is_a_transcript():
    said = [{"role": "user", "content": "Refund!"}, {"role": "assistant", "content": "Why?"}]
    got = record({"messages": said, "label": "angry"}, input=["messages"], answer="label")
    assert dict(got.fields) == {"messages": "user: Refund!\nassistant: Why?"}


def test_every_column_of_a_record_is_known_to_its_shape():
    shape = find_shape(["id", "system", "tools", "instruction", "input", "output", "history"])
    assert shape.columns == ("system", "history", "instruction", "input", "output")
    chat = find_shape(["conversations", "system", "tools"])
    assert chat.columns == ("system", "conversations")


def settled(tables, **named):
    return settle(find_shape(list(tables[0]), **named), tables, named=bool(named.get("input")))


def asked(tables, **named):
    return [to_record(table, settled(tables, **named)) for table in tables]


OPTIONS = {"A": "three", "B": "four", "C": "five"}


@pytest.mark.parametrize(
    "answers",
    [["B", "C"], ["b", "c"], ["(B)", "C."], ["four", "five"], [1, 2, 0], [2, 3], ["2", "3"]],
    ids=["letters", "small letters", "brackets", "texts", "from 0", "from 1", "from 1, as text"],
)
@pytest.mark.parametrize(
    "columns",
    [
        OPTIONS,
        {"option_a": "three", "option_b": "four", "option_c": "five"},
        {"answer1": "three", "answer2": "four", "answer3": "five"},
        {"choices": ["three", "four", "five"]},
        {"choices": {"text": ["three", "four", "five"], "label": ["A", "B", "C"]}},
    ],
    ids=["letters", "option_a", "answer1", "list", "ARC"],
)
def test_options_are_shown_under_letters_and_the_answer_is_a_letter(columns, answers):
    tables = [{"question": "2 + 2?", **columns, "answer": answer} for answer in answers]
    got = asked(tables)
    assert dict(got[0].fields) == {"question": "2 + 2?", **OPTIONS}
    assert [record.target for record in got][:2] == ["B", "C"]
    named = asked(tables, input=["question", *columns], answer="answer")
    assert [record.id for record in named] == [record.id for record in got]


def test_numbers_that_may_count_from_both_are_refused():
    with pytest.raises(DataError, match="may count from 0 as well as from 1") as error:
        asked([{"question": "q", **OPTIONS, "answer": n} for n in (1, 2)])
    assert "write letters (A, B, ...)" in str(error.value)


def test_an_answer_that_is_no_option_is_a_bad_row():
    tables = [{"question": "q", **OPTIONS, "answer": answer} for answer in ("A", "B", "D")]
    with pytest.raises(Unusable, match="the answer 'D' is none of the options A, B, C"):
        asked(tables)


def test_a_row_may_have_fewer_options():
    tables = [{"question": "q", "A": "x", "B": "y", "C": third, "answer": "B"} for third in ("z", "", None, math.nan)]
    assert [list(record.fields) for record in asked(tables)] == [["question", "A", "B", "C"]] + 3 * [
        ["question", "A", "B"]
    ]


def test_columns_that_only_look_like_options():
    tables = [{"text": "t", "A": 0.5, "B": 0.1, "label": label} for label in ("spam", "ham")]
    assert [dict(record.fields) for record in asked(tables)] == 2 * [{"text": "t"}]
    named = asked(tables, input=["text", "A", "B"], answer="label")
    assert [(list(record.fields), record.target) for record in named] == [
        (["text", "A", "B"], "spam"), (["text", "A", "B"], "ham"),
    ]  # fmt: skip


def test_with_options_the_answer_is_the_column_that_names_one():
    tables = [{"category": "age", "input": "Who?", "choices": ["x", "y"], "answer": answer} for answer in "xy"]
    assert [record.target for record in asked(tables)] == ["A", "B"]


def test_a_list_of_answers_is_several_references():
    got = record({"text": "Who?", "answer": ["Ann", " Ben ", "Ann", 7]})
    assert (got.target, got.alternatives, got.references) == ("Ann", ("Ben", "7"), ("Ann", "Ben", "7"))
    assert got.id != record({"text": "Who?", "answer": "Ann"}).id
    one = record({"text": "Who?", "answer": ["Ann"]})
    assert (one, one.references) == (record({"text": "Who?", "answer": "Ann"}), ("Ann",))


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([], "the list of answers is empty (column 'answer')"),
        (["a", ""], "answer 2 of the list in column 'answer' is empty"),
        (["a", None], "answer 2 of the list in column 'answer' is null"),
        (["a", ["b"]], "answer 2 of the list in column 'answer' is a list, not a text"),
        ([{"b": 1}], "answer 1 of the list in column 'answer' is a dict, not a text"),
    ],
)
def test_lists_that_hold_no_answers(answers, why):
    with pytest.raises(Unusable) as error:
        record({"text": "Who?", "answer": answers})
    assert str(error.value) == why


def test_answers_in_the_form_of_squad():
    answers = {"text": ["in 1969", "1969"], "answer_start": [4, 7]}
    got = record({"question": "When?", "answers": answers}, input=["question"], answer="answers")
    assert got.references == ("in 1969", "1969")


def test_the_answer_is_not_shown():
    with pytest.raises(DataError, match="the answer column 'label' is also shown"):
        find_shape(["text", "label"], input=["text", "label"], answer="label")

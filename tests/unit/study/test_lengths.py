"""Lengths are known from the tokenizer alone, before any weight is read; all records that do not fit are listed."""

import pytest

from tiny_study import put_model, put_rows, put_study, rows
from tuneoff.core.errors import DataError
from tuneoff.models.load import load_chat
from tuneoff.study.conduct import open_checked
from tuneoff.study.lengths import check_lengths
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import read_spec

EVERYTHING = {"train_records": 0, "validation_records": 0, "test_records": 0}
LONG = {"text": "far too long " * 50, "label": "good"}
LATER = {"text": "also longer than it can be " * 30, "label": "bad"}


def plan_of(folder, tables, arms=("zero_shot",), **more):
    put_rows(folder / "data.jsonl", tables)
    data = {**EVERYTHING, **more.pop("data", {})}
    return make_plan(read_spec(put_study(folder, arms, data=data, **more)))


def check(plan, folder):
    return check_lengths(plan, *load_chat("model", folder=folder))


@pytest.fixture
def folder(tmp_path):
    put_model(tmp_path)
    return tmp_path


def test_all_records_that_are_too_long_are_listed_in_the_order_of_their_file(folder):
    with pytest.raises(DataError, match="2 of 122 records are longer than the model can read") as caught:
        check(plan_of(folder, [LONG, *rows(), LATER]), folder)
    said = str(caught.value)
    assert "where:   data.jsonl\n" in said
    assert said.index("data.jsonl:1  ") < said.index("data.jsonl:122  ")
    assert "data.jsonl:1  7" in said, "650 letters and the instruction"
    assert "tokens with its prompt" in said
    assert "allowed: 512 tokens\n" in said
    assert 'write too_long = "truncate_right"' in said


def test_no_weights_are_needed_to_find_them(folder):
    (folder / "model" / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(DataError, match="1 of 121 records is longer"):
        open_checked(plan_of(folder, [*rows(), LONG]))


def test_learned_positions_take_room_and_are_named(folder):
    plan = plan_of(folder, rows(), train={"max_length": 150})
    assert check(plan, folder) == ()
    longest = 150 - 20
    with pytest.raises(DataError, match="records are longer than the model can read") as caught:
        check(plan_of(folder, rows(), ("soft_prompt",), train={"max_length": 100}), folder)
    assert "allowed: 80 tokens (of 100, 20 are learned positions)" in str(caught.value)
    assert check(plan_of(folder, rows(), ("soft_prompt",), train={"max_length": longest}), folder) == ()


def test_what_may_be_cut_is_counted(folder):
    plan = plan_of(folder, [*rows(), LONG, LATER], data={"too_long": "truncate_right"})
    (remark,) = check(plan, folder)
    assert remark.startswith(
        "2 of 122 records will be cut (truncate_right) to 512 tokens; the longest, data.jsonl:122, has "
    )


def test_what_cannot_be_cut_to_fit_says_why(folder):
    tables = [{"question": f"Tell story {at}", "answer": f"once {at} " * (60 if at < 3 else 1)} for at in range(40)]
    text = {"kind": "text", "too_long": "truncate_right"}
    with pytest.raises(DataError, match=r"the answer is longer than the model can read.*: 3 of 40 records") as caught:
        check(plan_of(folder, tables, data=text, train={"max_length": 120}), folder)
    assert "data.jsonl:1  answer 420, conversation 0, instruction and template " in str(caught.value)
    talks = [
        {
            "messages": [
                {"role": "user", "content": "so " * (100 if at < 2 else 1) + str(at)},
                {"role": "assistant", "content": f"{at}"},
            ]
        }
        for at in range(40)
    ]
    with pytest.raises(DataError, match=r"the conversation is longer than the model can read.*: 2 of 40 records"):
        check(plan_of(folder, talks, data=text, train={"max_length": 120}), folder)


def test_answers_longer_than_what_is_written_at_most_are_counted(folder):
    put_model(folder / "wide", max_position_embeddings=4096)
    tables = [{"question": f"Tell story {at}", "answer": f"once {at} " * (100 if at == 3 else 1)} for at in range(40)]
    plan = plan_of(folder / "wide", tables, data={"kind": "text"})
    (remark,) = check(plan, folder / "wide")
    assert (
        remark
        == "the answers of 1 of 40 records are longer than the 512 tokens that are written at most: first data.jsonl:4"
    )


def test_answers_that_the_template_changes_are_told(folder):
    template = folder / "model" / "chat_template.jinja"
    template.write_text(template.read_text().replace("message['content']", "message['content'].split('</think>')[-1]"))
    tables = [
        {"question": f"What is {at}?", "answer": f"{'<think>hm</think>' if at == 7 else ''}{at}"} for at in range(40)
    ]
    (remark,) = check(plan_of(folder, tables, data={"kind": "text"}), folder)
    said = "the chat template writes 1 of 40 answers otherwise than the data (such as data.jsonl:8)"
    assert remark == f"{said}; they are trained as they stand"


def test_records_that_the_template_refuses_are_listed(folder):
    template = folder / "model" / "chat_template.jinja"
    template.write_text(
        "{% if messages[0]['role'] == 'assistant' %}{{ raise_exception('user first') }}{% endif %}"
        + template.read_text()
    )
    turns = [[("user", f"What is {at}?"), ("assistant", f"It is {at}.")] for at in range(40)]
    turns[4].insert(0, ("assistant", "Hello"))
    turns[9].insert(0, ("assistant", "Hello"))
    tables = [{"messages": [{"role": role, "content": text} for role, text in talk]} for talk in turns]
    with pytest.raises(DataError, match="the model's chat template refuses a conversation: 2 of 40 records") as caught:
        check(plan_of(folder, tables), folder)
    said = str(caught.value)
    assert "data.jsonl:5  assistant, user: user first\n" in said
    assert "data.jsonl:10  assistant, user: user first\n" in said
    assert "data.jsonl:6" not in said
    assert 'write template = "plain" under [model]' in said

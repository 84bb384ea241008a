"""Code keeps the indentation of its first line, as answer and as input; labels have none."""

import json

import pytest

from tuneoff.data.load import load_data
from tuneoff.data.read import read_records
from tuneoff.data.white_space import indented, trimmed

BODY = "    y = x + 1\n    return y"


@pytest.mark.parametrize(
    ("text", "answer", "input"),
    [
        (f"{BODY}\n", BODY, BODY),
        (f" \n\n{BODY}  \n\n", BODY, BODY),
        ("\tx = 1", "\tx = 1", "x = 1"),
        ("  yes \n", "  yes", "yes"),
        ("yes", "yes", "yes"),
        (" yes", "yes", "yes"),
        (" yes\n and no", " yes\n and no", " yes\n and no"),
        (" \n ", "", ""),
        ("", "", ""),
    ],
)
def test_what_is_kept(text, answer, input):
    assert trimmed(text) == answer
    assert indented(text) == input


def put(folder, tables):
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(table) + "\n" for table in tables))
    return str(file)


def test_answers_and_inputs_of_code_keep_their_indentation(tmp_path):
    rows = [{"prompt": f"    if {at}:\n", "completion": f"{BODY}\n"} for at in range(2)]
    (record, _) = read_records(put(tmp_path, rows))
    assert record.target == BODY
    assert record.fields == {"prompt": "if 0:"}
    rows = [{"prompt": f"    if {at}:\n        pass\n", "completion": [BODY, "\tpass"]} for at in range(2)]
    (record, _) = read_records(put(tmp_path, rows), kind="text")
    assert record.references == (BODY, "\tpass")
    assert record.fields == {"prompt": "    if 0:\n        pass"}


def test_so_do_the_answers_of_conversations(tmp_path):
    said = [
        ("user", " one "),
        ("assistant", f"{BODY}\n"),
        ("user", BODY),
        ("assistant", [{"type": "text", "text": BODY}]),
    ]
    rows = [{"messages": [{"role": role, "content": text} for role, text in said]}] * 2
    record, *_ = read_records(put(tmp_path, rows))
    assert [turn.content for turn in record.turns] == ["one", BODY, BODY]
    assert record.target == BODY
    record, *_ = read_records(
        put(tmp_path, [{"history": [[" hi ", BODY]], "instruction": f"go {at}", "output": BODY} for at in (1, 2)])
    )
    assert [turn.content for turn in record.turns] == ["hi", BODY]


@pytest.mark.parametrize("labels", [(), ("yes", "no")])
def test_labels_have_none(tmp_path, labels):
    rows = [{"text": f"text {at}", "label": f"{'  ' if at < 20 else ''}{('yes', 'no')[at % 2]} "} for at in range(40)]
    data = load_data(path=put(tmp_path, rows), labels=labels)
    assert data.kind == "choice"
    assert set(data.labels) == {"yes", "no"}
    assert {record.target for record in data.train} == {"yes", "no"}

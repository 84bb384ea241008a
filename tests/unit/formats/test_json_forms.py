"""JSON is read in whichever form the file holds, whatever its name ends in; rows know their lines."""

import json

import pandas as pd
import pytest

from tuneoff.core import plugins
from tuneoff.core.errors import DataError

ROWS = [{"text": "a", "label": "x"}, {"text": "b\u2028\x85", "label": "y"}]
LINES = '{"text": "a", "label": "x"}\n\n{"text": "b\u2028\x85", "label": "y"}\n'
ARRAY = '[\n{"text": "a",\n "label": "x"},\n{"text": "b\u2028\x85", "label": "y"}\n]\n'
STREAM = '{\n"text": "a", "label": "x"\n}\n{"text": "b\u2028\x85",\n"label": "y"}\n'
ARRAYS = '[{"text": "a", "label": "x"}]\n\n[\n{"text": "b\u2028\x85", "label": "y"}]'
FORMS = {"lines": (LINES, [1, 3]), "array": (ARRAY, [2, 4]), "stream": (STREAM, [1, 4]), "arrays": (ARRAYS, [1, 4])}


def read(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return list(plugins.load("formats", name.partition(".")[2])().read(path))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("form", "name"),
    [(form, name) for form in FORMS for name in ("a.json", "a.jsonl") if (form, name) != ("arrays", "a.jsonl")],
)
def test_each_form_under_each_name(tmp_path, form, end, name):
    text, lines = FORMS[form]
    rows = read(tmp_path, name, text.replace("\n", end))
    assert [row.table for row in rows] == ROWS
    assert [row.line for row in rows] == lines


def test_an_object_that_holds_one_array(tmp_path):
    rows = read(tmp_path, "a.json", '{"n": 1, "data": [\n{"a": 1},\n\n{"a":\n 2}, 3], "z": {}}')
    assert [(row.table, row.line) for row in rows] == [({"a": 1}, 2), ({"a": 2}, 4), ({}, 5)]
    assert rows[2].broken == "a JSON int, where an object {...} is wanted"


def test_a_lone_object_is_a_row_of_lines_only(tmp_path):
    assert [row.table for row in read(tmp_path, "a.jsonl", '{"data": [{"a": 1}]}')] == [{"data": [{"a": 1}]}]
    assert [row.table for row in read(tmp_path, "a.jsonl", '{\n"data": [{"a": 1}]\n}')] == [{"data": [{"a": 1}]}]
    assert [row.table for row in read(tmp_path, "a.json", '{"data": [{"a": 1}]}')] == [{"a": 1}]


def test_reading_goes_on_after_broken_lines(tmp_path):
    for name in ("a.jsonl", "a.json"):
        rows = read(tmp_path, name, '{"a": 1}\n\n{"a": \n[1]\n{"a": 2}\n')
        assert [(row.line, bool(row.broken)) for row in rows] == [(1, False), (3, True), (4, True), (5, False)]
        assert rows[1].broken == "not valid JSON: Expecting value at column 7"
        assert rows[2].broken == "a JSON list, where an object {...} is wanted"


@pytest.mark.parametrize("text", ['{"a": \n{"a": 2}\n', 'a, b\n{"a": 2}\n', '[1]\n{"a": 2}\n', '7\n{"a": 2}\n'])
def test_a_broken_first_line_of_lines(tmp_path, text):
    rows = read(tmp_path, "a.jsonl", text)
    assert [(row.line, bool(row.broken)) for row in rows] == [(1, True), (2, False)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"a": 1},\n{"a": 2},\n]', ["not valid JSON", "a.json:3", "fix that line", "one object {...} a line"]),
        ('[{"a": 1},\n{"a": 2', ["not valid JSON", "a.json:2"]),
        ('{"train": [{"a": 1}], "test": [{"a": 2}]}', ["arrays under train, test", "save each array as a file"]),
        ('{"a": [1], "b": [1, 2]}', ["arrays under a, b"]),
        ('{"a": 1}', ["found:   no array", "an object that holds one array"]),
    ],
)
def test_json_that_holds_no_rows(tmp_path, text, words):
    with pytest.raises(DataError) as error:
        read(tmp_path, "a.json", text)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_broken_array_in_a_file_of_lines_is_one_mistake(tmp_path):
    with pytest.raises(DataError) as error:
        read(tmp_path, "a.jsonl", '[\n {\n  "a": 1\n },\n {\n  "a" 2\n }\n]\n')
    assert "a.jsonl:6" in str(error.value)


def test_values_that_are_no_objects(tmp_path):
    assert [row.broken for row in read(tmp_path, "a.json", '"text"')] == ["a JSON str, where an object {...} is wanted"]


def test_a_key_that_stands_twice_loses_no_value(tmp_path):
    row, good = read(tmp_path, "a.jsonl", '{"text": "a", "text": "b"}\n{"text": "c"}\n')
    assert row.broken == "not valid JSON: the key 'text' stands twice in an object"
    assert good.table == {"text": "c"}
    with pytest.raises(DataError, match="the key 'n' stands twice"):
        read(tmp_path, "a.json", '[{"text": {"n": 1, "n": 2}}]')


@pytest.mark.parametrize("orient", ["columns", "split", "table", "records", "index", "list"])
def test_columns_as_pandas_writes_them(tmp_path, orient):
    frame = pd.DataFrame(ROWS)
    text = json.dumps(frame.to_dict("list")) if orient == "list" else frame.to_json(orient=orient)
    rows = read(tmp_path, "a.json", text)
    wanted = [{"index": at, **row} for at, row in enumerate(ROWS)] if orient == "table" else ROWS
    assert [row.table for row in rows] == wanted
    assert not any(row.broken for row in rows)


@pytest.mark.parametrize("by_row", [True, False])
def test_rows_or_columns_by_names(tmp_path, by_row):
    tables = {f"q{n}": {"text": f"t{n}", "label": "x"} for n in range(5)}
    columns = {name: {key: table[name] for key, table in tables.items()} for name in ("text", "label")}
    rows = read(tmp_path, "a.json", json.dumps(tables if by_row else columns))
    assert [row.table for row in rows] == list(tables.values())

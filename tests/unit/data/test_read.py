"""Files are found, their format is told by the name, and all bad rows are reported together."""

import json
import os

import pytest

from tuneoff.core.errors import ConfigError, DataError
from tuneoff.data.read import read_records, write_rows


@pytest.fixture
def put(tmp_path):
    def write(name, *lines):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def message(path, folder, **named):
    with pytest.raises(DataError) as error:
        read_records(path, folder=folder, **named)
    return str(error.value)


def test_source_is_file_and_line(put):
    folder = put("sub/a.jsonl", {"text": "x", "label": "l"}, "", {"text": "y", "label": "l"})
    assert [record.source for record in read_records("sub/a.jsonl", folder=folder)] == [
        "sub/a.jsonl:1",
        "sub/a.jsonl:3",
    ]


def test_all_formats_give_the_same_records(put, tmp_path):
    from tuneoff.core import plugins

    tables = [{"text": "x y", "label": "l"}, {"text": "ü", "label": "m"}]
    for name in ("a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet"):
        plugin = name.partition(".")[2].replace("tsv", "csv")
        plugins.load("formats", plugin)().write(tmp_path / name, tables)
    plugins.load("formats", "hf_dataset")().write(tmp_path / "saved", tables)
    read = [
        read_records(name, folder=tmp_path)
        for name in ("a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet", "saved", "saved#train")[:6]
    ]
    assert all([record.id for record in records] == [record.id for record in read[0]] for records in read)


def test_the_format_can_be_named(put):
    folder = put("a.txt", {"text": "x", "label": "l"})
    assert len(read_records("a.txt", folder=folder, format="jsonl")) == 1
    text = message("a.txt", folder)
    assert "cannot tell the format of 'a.txt'" in text
    assert ".jsonl" in text
    assert "[data] format" in text
    with pytest.raises(ConfigError, match="unknown format 'jsnl'"):
        read_records("a.txt", folder=folder, format="jsnl")


def test_bad_rows_come_together(put):
    good = {"text": "x", "label": "l"}
    bad = [
        "{",
        {"text": "", "label": "l"},
        {"text": "x"},
        {"text": "x", "label": None},
        {"text": 1, "label": []},
        "7",
        "8",
    ]
    text = message("a.jsonl", put("a.jsonl", good, *bad, good))
    assert text.startswith("7 of 9 rows cannot be used")
    assert "a.jsonl:2  not valid JSON: Expecting property name enclosed in double quotes at column 2" in text
    assert "a.jsonl:3  the text is empty (column 'text')" in text
    assert "a.jsonl:4  column 'label' is missing" in text
    assert "a.jsonl:5  column 'label' is null" in text
    assert "a.jsonl:6  the list of answers is empty (column 'label')" in text
    assert "a.jsonl:7" not in text
    assert "and 2 more:" in text
    assert "  2  a JSON int, where an object {...} is wanted" in text


def test_many_bad_rows_are_counted_by_their_reason(put):
    text = message("a.jsonl", put("a.jsonl", *[{"text": "x", "label": None}] * 1200, *[{"text": "", "label": "l"}] * 3))
    assert text.startswith("1,203 of 1,203 rows cannot be used")
    assert text.count("a.jsonl:") == 5
    assert "and 1,198 more:" in text
    assert "  1,195  column 'label' is null" in text
    assert "  3  the text is empty (column 'text')" in text


def test_half_a_character_is_a_bad_row_like_others(put):
    half = '{"text": "so happy \\ud83d", "label": "l"}'
    text = message("a.jsonl", put("a.jsonl", {"text": "whole 😀", "label": "l"}, half, {"text": "x", "label": None}))
    assert text.startswith("2 of 3 rows cannot be used")
    assert "a.jsonl:2  half a character (\\ud83d, of an emoji for example) in column 'text'" in text
    text.encode()


@pytest.mark.parametrize("path", ["a\udce4.jsonl", "."])
def test_a_name_that_is_no_text(tmp_path, path):
    name = os.fsencode(tmp_path) + b"/a\xe4.jsonl"
    try:
        with open(name, "w") as file:
            file.write('{"text": "x", "label": "l"}\n')
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    text = message(path, tmp_path)
    assert "the name of the file is not UTF-8 text" in text
    assert "a\\udce4.jsonl" in text
    text.encode()


def test_a_file_of_broken_lines_only(put):
    assert message("a.jsonl", put("a.jsonl", "{", "{")).startswith("2 of 2 rows cannot be used")


def test_unknown_group_column(put):
    text = message("a.jsonl", put("a.jsonl", {"text": "x", "label": "l", "customer": 1}), group="costumer")
    assert "unknown column 'costumer'" in text
    assert "did you mean 'customer'?" in text


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize("content", ["", "\n\n"])
def test_empty_file(put, name, content):
    text = message(name, put(name, content))
    assert text.startswith("no records in it")
    assert name in text


@pytest.mark.parametrize(("name", "content"), [("a.csv", "text,label"), ("a.json", "[]"), ("a.json", '{"data": []}')])
def test_file_without_rows(put, name, content):
    assert message(name, put(name, content)).startswith("no records in it")


def test_missing_file_names_the_nearest(put):
    folder = put("tickets.jsonl", {"text": "x", "label": "l"})
    text = message("tikets.jsnl", folder)
    assert text.startswith("file not found")
    assert str(folder / "tikets.jsnl") in text
    assert "tickets.jsonl" in text
    assert "did you mean 'tickets.jsonl'?" in text


@pytest.mark.parametrize("format", ["auto", "jsonl"])
def test_missing_folder_and_missing_files_are_no_hub_ids(put, format):
    folder = put("data/tickets.jsonl", {"text": "x", "label": "l"})
    assert "folder not found" in message("dta/tickets.jsonl", folder, format=format)
    assert "file not found" in message("data/tickets", folder, format=format)
    assert "owner/name#split" in message("zzzz", folder, format=format)


def test_a_hub_id_reaches_the_dataset_plugin(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list([{"text": "x", "label": "l"}])
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config: {"train": data} if name == "ann/tickets" else {})
    (record,) = read_records("ann/tickets#train", folder=tmp_path)
    assert (record.target, record.source) == ("l", "ann/tickets#train:1")


def test_records_to_predict(put):
    folder = put("a.jsonl", {"text": "x"}, {"text": "y"})
    assert [record.target for record in read_records("a.jsonl", folder=folder, answered=False)] == ["", ""]
    assert "cannot tell the input columns" in message("a.jsonl", folder)


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.parquet", "hub"])
def test_lists_of_answers_come_from_every_format_that_has_lists(tmp_path, name):
    tables = [{"question": f"q {n}", "answer": [f"a {n}", f"b {n}"]} for n in range(3)]
    if name == "hub":
        datasets = pytest.importorskip("datasets")
        datasets.Dataset.from_list(tables).save_to_disk(tmp_path / name)
    else:
        write_rows(tmp_path / name, tables)
    assert [record.references for record in read_records(name, folder=tmp_path)] == [
        (f"a {n}", f"b {n}") for n in range(3)
    ]

"""Rows from a program: mappings, frames, datasets, Arrow tables; what cannot be a row is reported with its number."""

import sqlite3
from collections import namedtuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tuneoff.core.errors import DataError
from tuneoff.data.in_memory import rows_of, tables_of

Ticket = namedtuple("Ticket", "text label")


def test_a_frame_of_many_column_types():
    frame = pd.DataFrame({
        "text": ["a", "b"],
        "single": np.array([4.4, np.nan], np.float32),
        "half": np.array([4.4, 1], np.float16),
        "nullable": pd.Series([4.4, None], dtype="Float32"),
        "arrow": pd.Series([4.4, None], dtype="float[pyarrow]"),
        "count": [3, None],
        "whole": pd.Series([3, None], dtype="Int64"),
        "flag": [True, None],
        "kind": pd.Categorical(["x", None]),
        "when": pd.to_datetime(["2024-01-02", None]),
        "mixed": [1, "x"],
        7: [0, 1],
    })  # fmt: skip
    assert rows_of(frame) == [
        {"text": "a", "single": 4.4, "half": 4.4, "nullable": 4.4, "arrow": 4.4, "count": 3.0, "whole": 3, "flag": True,
         "kind": "x", "when": "2024-01-02 00:00:00", "mixed": 1, "7": 0},
        {"text": "b", "single": None, "half": 1.0, "nullable": None, "arrow": None, "count": None, "whole": None,
         "flag": None, "kind": None, "when": None, "mixed": "x", "7": 1},
    ]  # fmt: skip


def test_a_named_index_is_a_column_and_a_number_is_none():
    frame = pd.DataFrame({"text": ["a", "b"]})
    assert rows_of(frame[1:]) == [{"text": "b"}]
    assert rows_of(frame.set_index(pd.Index([8, 9], name="customer"))) == [
        {"customer": 8, "text": "a"},
        {"customer": 9, "text": "b"},
    ]


def test_a_frame_with_two_columns_of_one_name():
    with pytest.raises(DataError, match="two columns of one name: 'text'"):
        rows_of(pd.DataFrame([["a", "b"]], columns=["text", "text"]))


def test_datasets():
    datasets = pytest.importorskip("datasets")
    kinds = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["ham", "spam"]),
             "score": datasets.Value("float32")}  # fmt: skip
    columns = {"text": ["a", "b"], "label": [1, -1], "score": [4.4, None]}
    data = datasets.Dataset.from_dict(columns, datasets.Features(kinds))
    wanted = [{"text": "a", "label": "spam", "score": 4.4}, {"text": "b", "label": None, "score": None}]
    assert rows_of(data) == wanted
    assert rows_of(data.select([1])) == wanted[1:]
    assert rows_of(data.with_format("torch")) == wanted
    assert rows_of(data.to_iterable_dataset()) == wanted
    with pytest.raises(DataError, match=r"give one of its parts: data\['train'\]"):
        rows_of(datasets.DatasetDict({"train": data}))


def test_rows_of_other_kinds():
    assert rows_of(pa.table({"score": pa.array([4.4], pa.float32())})) == [{"score": 4.4}]
    assert rows_of([Ticket("a", np.int64(1)), pd.Series({"text": "b"}), {"text": np.float32(0.1)}]) == [
        {"text": "a", "label": 1},
        {"text": "b"},
        {"text": 0.1},
    ]
    assert rows_of(row for row in [{"text": "a"}]) == [{"text": "a"}]
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    assert rows_of(db.execute("select 'a' as text, 1 as label")) == [{"text": "a", "label": 1}]


def test_texts_stay_texts():
    assert rows_of(["a", {"text": "b"}]) == ["a", {"text": "b"}]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"text": ["a"], "label": ["b"]}, ["a dict with 'text', 'label'", "pandas.DataFrame(data)"]),
        ({"text": "a", "label": "b"}, ["a mapping is no list of rows", "put the one row into a list"]),
        ("a.csv", ["these are no rows", "a str", "a DataFrame or a Dataset", "put it into a list"]),
        (5, ["these are no rows", "a int"]),
    ],
)
def test_what_is_no_list_of_rows(data, words):
    with pytest.raises(DataError) as error:
        rows_of(data)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_all_bad_rows_are_reported_together():
    good = {"text": "a", "label": "b"}
    with pytest.raises(DataError) as error:
        tables_of([good, "text", {**good, "photo": b"\xff\x00"}, {"text": "x \ud83d"}, {"x": [{"y": object()}]}])
    text = str(error.value)
    assert text.startswith("4 of 5 rows cannot be used")
    assert "given rows:2  a str, where a mapping of column to value is wanted" in text
    assert "given rows:3  column 'photo' holds a bytes, which no text can stand for: leave the column out" in text
    assert "given rows:4  half a character (\\ud83d" in text
    assert "given rows:5  column 'x' holds a object" in text


def test_half_a_character_in_what_is_asked():
    with pytest.raises(DataError) as error:
        rows_of(["whole 😀", "cut \ud83d", {"text": "cut \ud83d"}])
    assert "2 of 3 rows cannot be used" in str(error.value)
    assert "given rows:3  half a character (\\ud83d" in str(error.value)


def test_no_rows_at_all():
    with pytest.raises(DataError, match="no rows were given"):
        tables_of(pd.DataFrame({"text": []}))

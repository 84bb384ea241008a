"""Values of any library become what JSON has, and numbers the text that their own type spells."""

import datetime
import decimal
import json
import math
from pathlib import PurePosixPath
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from tuneoff.core import plugins
from tuneoff.core.errors import DataError
from tuneoff.data.arrow import arrow_rows, arrow_table, kept_class_names
from tuneoff.data.read import read_records
from tuneoff.data.values import as_text, half_character, json_value


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.float32(4.4), 4.4),
        (np.float16(4.4), 4.4),
        (np.float64(0.1), 0.1),
        (torch.tensor(4.4), 4.4),
        (np.int64(3), 3),
        (np.uint64(2**63), 2**63),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([4.4, math.nan], np.float32), [4.4, None]),
        (math.nan, None),
        (np.float32("nan"), None),
        (np.datetime64("NaT"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (decimal.Decimal("4.40"), "4.40"),
        (decimal.Decimal("1E+2"), "100"),
        (decimal.Decimal("NaN"), None),
        (datetime.date(2024, 1, 2), "2024-01-02"),
        (datetime.time(9, 30), "09:30:00"),
        (datetime.datetime(2024, 1, 2, 9, 30), "2024-01-02 09:30:00"),
        (pd.Timestamp("2024-01-02 09:30", tz="UTC"), "2024-01-02 09:30:00+00:00"),
        (np.datetime64("2024-01-02T09:30", "ns"), "2024-01-02 09:30:00"),
        (np.datetime64("2024-01-02"), "2024-01-02"),
        (pd.Timedelta(days=1), "1 day, 0:00:00"),
        (np.timedelta64(1, "D"), "1 day, 0:00:00"),
        (pd.Period("2024-01", "M"), "2024-01"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("a/b"), "a/b"),
        ("café".encode(), "café"),
        (b"\xff", b"\xff"),
        ({1: (np.int8(2), {"x": np.float32(0.1)})}, {"1": [2, {"x": 0.1}]}),
    ],
    ids=repr,
)
def test_a_value_as_json_has_it(value, wanted):
    got = json_value(value)
    assert (got, type(got)) == (wanted, type(wanted))


def test_cells_of_text():
    assert [as_text(value) for value in (None, True, 3, 4.4, "x", ["ü", 1], {"a": None})] == [
        "", "true", "3", "4.4", "x", '["ü", 1]', '{"a": null}',
    ]  # fmt: skip


@pytest.mark.parametrize(
    "table", [{"a": "x \ud83d"}, {"a": ["ok", {"b": "\udc00"}]}, {"a": {"\ud83d": 1}}, {"\ud83d": 1}]
)
def test_half_a_character_is_found_anywhere(table):
    assert half_character(table).startswith("half a character (\\ud")
    half_character(table).encode()
    assert not half_character({"a": "whole 😀 é", "b": [1, None, "x"]})


NUMBERS = {
    "half": pa.array([4.4, None], pa.float16()),
    "single": pa.array([4.4, None], pa.float32()),
    "double": pa.array([0.1, None], pa.float64()),
    "list": pa.array([[4.4, 1], None], pa.list_(pa.float32())),
    "struct": pa.array(
        [{"x": 4.4, "y": "z"}, {"x": None, "y": None}], pa.struct({"x": pa.float32(), "y": pa.string()})
    ),
    "text": pa.array([b"caf\xc3\xa9", None], pa.binary()),
    "image": pa.array([b"\x89PNG\xff", None], pa.binary()),
    "money": pa.array([decimal.Decimal("4.40"), None], pa.decimal128(5, 2)),
    "day": pa.array([datetime.date(2024, 1, 2), None]),
    "exact": pa.array([1, None], pa.timestamp("ns")),
    "lasted": pa.array([1_000_000_001, None], pa.duration("ns")),
    "at": pa.array([1001, None], pa.time64("ns")),
}


def test_columns_of_arrow_tables():
    first, second = arrow_rows(pa.table(NUMBERS))
    assert first == {
        "half": 4.4,
        "single": 4.4,
        "double": 0.1,
        "list": [4.4, 1.0],
        "struct": {"x": 4.4, "y": "z"},
        "text": "café",
        "image": b"\x89PNG\xff",
        "money": decimal.Decimal("4.40"),
        "day": datetime.date(2024, 1, 2),
        "exact": datetime.datetime(1970, 1, 1),
        "lasted": datetime.timedelta(seconds=1),
        "at": datetime.time(0, 0, 0, 1),
    }
    assert second == {**dict.fromkeys(NUMBERS), "struct": {"x": None, "y": None}}


def test_a_text_column_that_is_no_utf8():
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 2, 4], np.int32).tobytes()), pa.py_buffer(b"\xff\xfeab")]
    )
    assert [row["x"] for row in arrow_rows(pa.table({"x": bad}))] == [b"\xff\xfe", "ab"]


@pytest.mark.parametrize("features", [
    {"label": {"names": ["ham", "spam"], "_type": "ClassLabel"}},
    {"label": [{"names": ["ham", "spam"], "_type": "ClassLabel"}]},
    {"label": {"feature": {"names": ["ham", "spam"], "_type": "ClassLabel"}, "_type": "List"}, "n": {"dtype": "int64"}},
])  # fmt: skip
def test_class_numbers_get_the_names_that_the_file_keeps(features):
    schema = pa.schema({"label": pa.int64()}, {"huggingface": json.dumps({"info": {"features": features}})})
    assert kept_class_names(schema) == {"label": ["ham", "spam"]}
    table = pa.table({"label": pa.array([[0, 1], [-1], None])})
    got = [row["label"] for row in arrow_rows(table, kept_class_names(schema))]
    assert got == [["ham", "spam"], [None], None]
    assert kept_class_names(pa.schema({"label": pa.int64()})) == {}


def test_a_column_of_several_types_is_written_as_text():
    assert arrow_table([{"x": 1}, {"x": "one", "y": 2}, {"x": None}]).to_pydict() == {
        "x": ["1", "one", None],
        "y": [None, 2, None],
    }


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        (pa.array([4.4], pa.float32()), "4.4"),
        (pa.array([4.4], pa.float16()), "4.4"),
        (pa.array([3.0]), "3"),
        (pa.array([1e23]), "1e+23"),
        (pa.array([2**62]), str(2**62)),
        (pa.array([decimal.Decimal("4.40")]), "4.40"),
        (pa.array([datetime.date(2024, 1, 2)]), "2024-01-02"),
        (pa.array([True]), "true"),
        (pa.array(["x"]).dictionary_encode(), "x"),
        (pa.array([b"x"], pa.binary()), "x"),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
@pytest.mark.parametrize("kind", ["parquet", "saved"])
def test_answers_of_every_column_type(tmp_path, values, answer, kind):
    table = pa.table({"text": ["t"], "label": values})
    if kind == "saved":
        datasets = pytest.importorskip("datasets")
        datasets.Dataset(table).save_to_disk(str(tmp_path / "a"))
        (record,) = read_records("a", folder=tmp_path)
    else:
        pa.parquet.write_table(table, tmp_path / "a.parquet")
        (record,) = read_records("a.parquet", folder=tmp_path)
    assert record.target == answer


def test_class_names_of_a_parquet_file_from_a_hub(tmp_path):
    names = json.dumps({"info": {"features": {"label": {"names": ["ham", "spam"], "_type": "ClassLabel"}}}})
    table = pa.table({"text": ["a", "b"], "label": [1, 0]}).replace_schema_metadata({"huggingface": names})
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    assert [row.table["label"] for row in plugins.load("formats", "parquet")().read(tmp_path / "a.parquet")] == [
        "spam",
        "ham",
    ]


def test_two_columns_of_one_name(tmp_path):
    pa.parquet.write_table(pa.table([["a"], ["b"]], names=["text", "text"]), tmp_path / "a.parquet")
    with pytest.raises(DataError) as error:
        read_records("a.parquet", folder=tmp_path)
    assert "two columns have one name: 'text'" in str(error.value)
    assert "a.parquet" in str(error.value)

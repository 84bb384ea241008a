"""Values of columns as plain ones, whoever handed them over: Python, numpy, pandas or Arrow.

numpy.float32(4.4)          4.4       the shortest text that gives the same number in its own type; widened to
                                      64 bits it would read 4.400000095367432
numpy.int64(3)              3
Decimal("4.40")             "4.40"
Timestamp("2024-01-01")     "2024-01-01 00:00:00"
NaN, NaT, NA                None
"""

import datetime
import decimal
import json
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any

__all__ = ["as_text", "half_character", "json_value"]

WRITTEN_OUT = (datetime.date, datetime.time, uuid.UUID, pathlib.PurePath)
HALVES = range(0xD800, 0xE000)  # UTF-16 writes a character beyond the first 65,536 as two of these


def json_value(value: Any) -> Any:
    """A value as JSON has it: None, bool, int, float, str, list or dict. Dates, times and decimals become text.

    What fits none of these (an image, bytes that are no text) is given back as it is.
    """
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    if hasattr(value, "__array__"):  # numpy's own, and what turns into it: tensors, series
        return _from_numpy(value)
    return None if _missing(value) else _text(value)


def _from_numpy(value: Any) -> Any:
    import numpy as np

    array = np.asarray(value)
    if array.ndim:
        return [json_value(inner) for inner in array]
    scalar, kind = array[()], array.dtype.kind
    if kind == "f":
        return None if np.isnan(scalar) else float(str(scalar))
    if kind in "mM":  # to microseconds: Python's own times have no nanoseconds
        unit = "us" if np.datetime_data(array.dtype)[0] == "ns" else np.datetime_data(array.dtype)[0]
        return json_value(array.astype(f"{kind}8[{unit}]").item())
    return json_value(array.item()) if kind in "biuSUO" else value


def _missing(value: Any) -> bool:
    """NaN and NaT are not equal to themselves; pandas' NA does not even say so."""
    own = isinstance(value, float | decimal.Decimal | datetime.date)
    return type(value).__name__ == "NAType" or (own and value != value)


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value
    if isinstance(value, datetime.datetime):
        return datetime.datetime.isoformat(value, " ")  # pandas' own way to write it has nanoseconds
    if isinstance(value, datetime.timedelta):
        return datetime.timedelta.__str__(value)  # "1 day, 0:00:00", where pandas writes "1 days 00:00:00"
    if isinstance(value, decimal.Decimal):
        return f"{value:f}"  # never 1E+2
    pandas = type(value).__module__.partition(".")[0] == "pandas"  # a period, an interval
    return str(value) if pandas or isinstance(value, WRITTEN_OUT) else value


def as_text(value: Any) -> str:
    """A value as one cell of a table of texts: true, 3, 4.4; lists and objects as JSON; None is an empty cell."""
    value = json_value(value)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


def half_character(table: Mapping[str, Any]) -> str:
    """Why a row cannot be used: half a character (a cut emoji) stands alone somewhere in it; "" where all is whole.

    JSON's escapes can hold one ("so happy \\ud83d"), and neither UTF-8 nor a tokenizer can.
    """
    for column, value in table.items():
        if half := _half(value) or _half(column):
            return f"half a character (\\u{ord(half):04x}, of an emoji for example) in column {column!a}"
    return ""


def _half(value: Any) -> str:
    if isinstance(value, str):
        return "" if value.isascii() else next((letter for letter in value if ord(letter) in HALVES), "")
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    return next(filter(None, map(_half, value)), "") if isinstance(value, list | tuple) else ""

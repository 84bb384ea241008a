"""Rows of Arrow tables: what Parquet files, saved datasets and most frames hold.

Numbers of fewer than 64 bits become the number that they spell in their own type (4.4, not 4.400000095367432), and
class numbers become the names that the `datasets` library keeps with them:

    {"label": {"names": ["ham", "spam"], "_type": "ClassLabel"}}   and 1 is "spam", -1 is a hidden answer: None
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuneoff.core.errors import DataError
from tuneoff.data.values import as_text, json_value

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_rows", "arrow_table", "class_names", "kept_class_names"]

Change = Callable[[Any], Any]


def arrow_rows(
    table: "pa.Table | pa.RecordBatch", names: Mapping[str, Sequence[str]] | None = None, where: object = None
) -> Iterator[dict[str, Any]]:
    """Column to value, row by row. names: columns of class numbers, to their classes' names.

    Raises DataError for two columns of one name. where: what is read, for that error.
    """
    columns = table.schema.names
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise DataError(f"two columns have one name: {', '.join(map(repr, twice))}", where=where, fix="rename one")
    values = [_column(table.column(at), (names or {}).get(name)) for at, name in enumerate(columns)]
    return (dict(zip(columns, row)) for row in zip(*values))


def arrow_table(tables: Sequence[Mapping[str, Any]]) -> "pa.Table":
    """The inverse. A column of several types, which Arrow has not, becomes one of texts."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for table in tables for name in table))
    return pa.table({name: _array([table.get(name) for table in tables]) for name in names})


def _array(values: list[Any]) -> "pa.Array":
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else as_text(value) for value in values])


def _column(array: "pa.Array | pa.ChunkedArray", names: Sequence[str] | None) -> list[Any]:
    if names is not None:
        return [_named(value, names) for value in array.to_pylist()]
    values, change = _values(array), _change(array.type)
    return [None if value is None else change(value) for value in values] if change else values


def _values(array: "pa.Array | pa.ChunkedArray") -> list[Any]:
    """Python's own values, whose times have no nanoseconds; bytes where a text is no UTF-8."""
    import pyarrow as pa

    shorter = _microseconds(array.type)
    array = array.cast(shorter, safe=False) if shorter else array
    try:
        return array.to_pylist()
    except UnicodeDecodeError:
        return [json_value(value) for value in array.cast(pa.binary()).to_pylist()]


def _microseconds(kind: "pa.DataType") -> "pa.DataType | None":
    import pyarrow as pa

    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    return pa.time64("us") if pa.types.is_time64(kind) and kind.unit == "ns" else None


def _change(kind: "pa.DataType") -> Change | None:
    """What becomes of each value of a type that is not None; None: it stays."""
    import numpy as np
    import pyarrow.types as types

    if types.is_float16(kind) or types.is_float32(kind):
        number = np.float16 if types.is_float16(kind) else np.float32
        return lambda value: json_value(number(value))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        change = _change(kind.value_type)
        return change and (lambda values: [value if value is None else change(value) for value in values])
    if types.is_struct(kind):
        return _parts({field.name: change for field in kind if (change := _change(field.type))})
    return json_value if types.is_binary(kind) or types.is_large_binary(kind) else None  # old writers' texts


def _parts(changes: Mapping[str, Change]) -> Change | None:
    def change(row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: changes[name](v) if name in changes and v is not None else v for name, v in row.items()}

    return change if changes else None


def kept_class_names(schema: "pa.Schema") -> dict[str, list[str]]:
    """The names that the `datasets` library writes into the schema of a Parquet file; see class_names."""
    kept = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    return class_names((kept.get("info") or {}).get("features") or {})


def class_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Column to the names of its classes, from features in the form that the `datasets` library stores."""
    inner = {column: _innermost(feature) for column, feature in features.items()}
    return {column: found["names"] for column, found in inner.items() if found.get("_type") == "ClassLabel"}


def _innermost(feature: Any) -> Mapping[str, Any]:
    """What a list of lists is made of; a list is stored as [feature] or as {"feature": feature}."""
    if isinstance(feature, list) and feature:
        return _innermost(feature[0])
    if isinstance(feature, Mapping):
        return _innermost(feature["feature"]) if "feature" in feature else feature
    return {}


def _named(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_named(inner, names) for inner in value]
    if value is None or value < 0:
        return None  # -1 marks a hidden answer
    return names[value] if value < len(names) else value

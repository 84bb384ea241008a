"""Rows that a person hands over from a program: mappings, a pandas frame, a dataset, an Arrow table.

    rows_of(pandas.DataFrame({"text": ["late again"], "score": numpy.float32([4.4])}))
    == [{"text": "late again", "score": 4.4}]

What these libraries hold is told by what an object can do, so that none of them is imported.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tuneoff.core.errors import DataError
from tuneoff.data.arrow import arrow_rows, class_names
from tuneoff.data.read import report_bad_rows
from tuneoff.data.values import half_character, json_value

__all__ = ["rows_of", "tables_of"]

BATCH = 1000  # rows
GIVEN = "given rows"  # stands for the file in file:line
ROWS = "a list of mappings such as {'text': ..., 'label': ...}, a DataFrame or a Dataset"


def rows_of(data: Any) -> list[Any]:
    """One mapping per row, its values as JSON has them (see json_value); a row that is no mapping stays as it is.

    Raises DataError where the whole is no list of rows, and for rows with half a character in them, all together.
    """
    rows = _rows(data)
    _refuse(rows, lambda row: half_character(row if isinstance(row, Mapping) else {"text": row}))
    return rows


def tables_of(data: Any) -> list[dict[str, Any]]:
    """The same, where every row must be a mapping of values that a file of JSON can hold."""
    rows = _rows(data)
    if not rows:
        raise DataError("no rows were given", allowed=ROWS)
    _refuse(rows, _unusable)
    return rows


def _rows(data: Any) -> list[Any]:
    if isinstance(data, str | bytes | Mapping):
        raise _no_rows(data)
    tables = _from_library(data)
    if tables is not None:
        return [json_value(table) for table in tables]
    if not hasattr(data, "__iter__"):
        raise _no_rows(data)
    return [_mapping(row) for row in data]


def _refuse(rows: Sequence[Any], why_not: Callable[[Any], str]) -> None:
    """Report the rows that cannot be used, counted from 1."""
    bad = [(f"{GIVEN}:{number}", why) for number, row in enumerate(rows, start=1) if (why := why_not(row))]
    report_bad_rows(GIVEN, bad, len(rows))


def _unusable(row: Any) -> str:
    if not isinstance(row, Mapping):
        return f"a {type(row).__name__}, where a mapping of column to value is wanted"
    for column, value in row.items():
        if name := _foreign(value):
            return f"column {column!r} holds a {name}, which no text can stand for: leave the column out"
    return half_character(row)


def _foreign(value: Any) -> str:
    """The type of something in a value that JSON has no form for."""
    if isinstance(value, Mapping | list):
        inner = value.values() if isinstance(value, Mapping) else value
        return next(filter(None, map(_foreign, inner)), "")
    return "" if value is None or isinstance(value, str | int | float) else type(value).__name__


def _from_library(data: Any) -> Iterator[Mapping[str, Any]] | None:
    library = type(data).__module__.partition(".")[0]
    if library == "pandas" and hasattr(data, "columns"):
        return _frame_rows(data)
    if library == "datasets":
        names = class_names(data.features.to_dict() if data.features else {})
        return (row for table in data.with_format("arrow").iter(BATCH) for row in arrow_rows(table, names))
    if hasattr(data, "__arrow_c_stream__"):  # pyarrow, polars, duckdb
        import pyarrow

        return arrow_rows(pyarrow.table(data))
    return None


def _frame_rows(frame: Any) -> Iterator[dict[str, Any]]:
    frame = frame if frame.index.names == [None] else frame.reset_index()  # an index with a name is a column
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"the frame has two columns of one name: {', '.join(map(repr, twice))}", fix="rename one")
    columns = [_series(frame[name]) for name in frame.columns]
    return (dict(zip(names, row)) for row in zip(*columns))


def _series(column: Any) -> list[Any]:
    """A column's values; pandas itself widens floating-point numbers to 64 bits."""
    if column.dtype.kind != "f":
        return list(column)
    import pyarrow

    return [row["x"] for row in arrow_rows(pyarrow.table({"x": pyarrow.array(column, from_pandas=True)}))]


def _mapping(row: Any) -> Any:
    if hasattr(row, "_asdict"):  # a named tuple
        row = row._asdict()
    elif not isinstance(row, Mapping) and hasattr(row, "keys") and hasattr(row, "__getitem__"):
        row = dict(row)  # a database's row, a pandas series
    return json_value(row) if isinstance(row, Mapping) else row


def _no_rows(data: Any) -> DataError:
    if not isinstance(data, Mapping):
        fix = "put it into a list" if isinstance(data, str) else None
        return DataError("these are no rows", found=f"a {type(data).__name__}", allowed=ROWS, fix=fix)
    found = f"a {type(data).__name__} with {', '.join(map(repr, list(data)[:10]))}"
    return DataError("a mapping is no list of rows", found=found, allowed=ROWS, fix=_rows_instead(data))


def _rows_instead(data: Mapping[str, Any]) -> str:
    """What to write where a mapping was given: of splits, of columns, or one row."""
    parts = [key for key, part in data.items() if hasattr(part, "features")]
    if parts:
        return f"give one of its parts: data[{parts[0]!r}]"
    columns = all(hasattr(part, "__len__") and not isinstance(part, str) for part in data.values())
    return "make rows of columns: pandas.DataFrame(data)" if columns else "put the one row into a list"

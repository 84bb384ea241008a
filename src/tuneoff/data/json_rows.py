"""Rows of JSON text, in whichever form a file holds them; its name's ending does not matter.

{"text": "hi", "label": "x"}                     one object a line
[{"text": "hi", "label": "x"}, {...}]            one array
{"version": "1.0", "data": [{...}, {...}]}       an object that holds one array
{...} {...}                                      objects one behind the other, each over as many lines as it takes
{"text": ["hi", "ho"], "label": ["x", "y"]}      columns, as lists or, as pandas writes them, {"0": "hi", "1": "ho"}
{"q1": {"text": "hi", "label": "x"}, ...}        rows by their names
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.errors import DataError
from tuneoff.data.format import Row
from tuneoff.data.values import json_value

__all__ = ["as_json", "json_rows"]

SPACE = re.compile(r"[ \t\n]*")
FORMS = 'an array [{...}, {...}], one object {...} a line, or an object that holds one array {"data": [{...}, {...}]}'


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of its (key, value) pairs. Python would keep the last of two values under one key, and say nothing."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!r} stands twice in an object")
    return made


DECODER = json.JSONDecoder(object_pairs_hook=_object)
DECODE = DECODER.raw_decode


def as_json(table: Mapping[str, Any]) -> str:
    """A row as one line of JSON. What JSON has no form for is written as Python shows it."""
    return json.dumps(json_value(table), ensure_ascii=False, default=str)


def json_rows(text: str, path: str | Path, *, lined: bool) -> Iterator[Row]:
    """The rows of a file's text; a row's line is where its object begins.

    lined: one object a line is expected, so that a lone object is a row, and what has no form is reported line by line.
    Raises DataError where the text as a whole is no JSON, or holds no rows.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        return
    yield from _lines(text) if _one_a_line(text, lined) else _document(text, path, lined)


def _one_a_line(text: str, lined: bool) -> bool:
    """Told by the first line that is not empty, and whether more stands behind it."""
    first, _, rest = text.lstrip().partition("\n")
    more = bool(rest.strip())
    if isinstance(_parsed(first), dict):
        return lined or more
    if first.startswith("["):
        return lined and more and _parsed(first) is not None
    return lined and not (first.startswith("{") and _values(text))


def _parsed(line: str) -> Any:
    """None where it is no JSON."""
    try:
        return DECODER.decode(line)
    except (ValueError, RecursionError):
        return None


def _lines(text: str) -> Iterator[Row]:
    # split at "\n" only: splitlines() would also cut at U+2028, which may stand inside a JSON string
    for line, part in enumerate(text.split("\n"), start=1):
        if part.strip():
            yield _line(part, line)


def _line(text: str, line: int) -> Row:
    try:
        return _row(DECODER.decode(text), line)
    except json.JSONDecodeError as error:
        return Row({}, line, f"not valid JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets without end
        return Row({}, line, f"not valid JSON: {error}")


def _row(value: Any, line: int) -> Row:
    if isinstance(value, dict):
        return Row(value, line)
    return Row({}, line, f"a JSON {type(value).__name__}, where an object {{...}} is wanted")


def _document(text: str, path: str | Path, lined: bool) -> Iterator[Row]:
    values = _values(text) or _refuse(text, path)
    columns = [] if lined or len(values) > 1 else _rows_of_columns(values[0][0])
    if columns:
        yield from (Row(table, number) for number, table in enumerate(columns, start=1))
        return
    line, seen = 1, 0
    for value, at in _in_document(text, values, path, lined):
        line, seen = line + text.count("\n", seen, at), at
        yield _row(value, line)


def _values(text: str) -> list[tuple[Any, int]]:
    """(value, where it begins), one behind the other; empty where some of the text is no JSON."""
    values, at = [], _skip(text, 0)
    try:
        while at < len(text):
            value, end = DECODE(text, at)
            values.append((value, at))
            at = _skip(text, end)
    except (ValueError, RecursionError):
        return []
    return values


def _refuse(text: str, path: str | Path) -> None:
    """Raise what is wrong with a text that is no JSON."""
    at = _skip(text, 0)
    try:
        while at < len(text):
            at = _skip(text, DECODE(text, at)[1])
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        raise DataError(f"not valid JSON: {error.msg}", where=where, allowed=FORMS, fix="fix that line") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {error}", where=path, allowed=FORMS) from None


def _in_document(
    text: str, values: Sequence[tuple[Any, int]], path: str | Path, lined: bool
) -> Iterator[tuple[Any, int]]:
    """(row, where it begins). Several values are rows, or arrays of rows, such as files put together by hand."""
    if len(values) == 1 and isinstance(values[0][0], dict) and not lined:
        yield from _items(text, _array(text, values[0][1], path))
        return
    for value, at in values:
        yield from _items(text, at) if isinstance(value, list) else [(value, at)]


def _rows_of_columns(whole: Any) -> list[dict[str, Any]]:
    """The rows of an object of columns, all of one length, or of rows by their names; empty where it is neither."""
    if not isinstance(whole, dict) or len(whole) < 2:
        return []
    if set(whole) == {"columns", "index", "data"}:  # pandas, orient="split"
        return [dict(zip(whole["columns"], row)) for row in whole["data"]]
    first, *_ = whole.values()
    if all(isinstance(column, dict) and list(column) == list(first) for column in whole.values()):
        if _by_row(list(whole), list(first)):
            return list(whole.values())
        return [{name: column[key] for name, column in whole.items()} for key in first]
    lists = all(isinstance(column, list) and len(column) == len(first) for column in whole.values())
    if not lists or any(isinstance(value, dict) for column in whole.values() for value in column):
        return []  # arrays of objects are splits
    return [dict(zip(whole, row)) for row in zip(*whole.values())]


def _by_row(outer: Sequence[str], inner: Sequence[str]) -> bool:
    """Whether the outer keys name the rows: rows are numbered, or more than the columns."""
    numbered = [all(key.isdecimal() for key in keys) for keys in (outer, inner)]
    return numbered[0] if numbered[0] != numbered[1] else len(outer) > len(inner)


def _array(text: str, at: int, path: str | Path) -> int:
    """Where the one array of an object opens."""
    members = {key: (value, start) for key, value, start in _members(text, at)}
    arrays = [key for key, (value, _) in members.items() if isinstance(value, list)]
    if len(arrays) == 1:
        return members[arrays[0]][1]
    raise DataError(
        "cannot tell which part of the JSON holds the rows",
        where=path,
        found=f"arrays under {', '.join(arrays)}" if arrays else "no array",
        allowed=FORMS,
        fix="save each array as a file of its own; [data] train, validation and test take one each" if arrays else None,
    )


def _members(text: str, at: int) -> Iterator[tuple[str, Any, int]]:
    """(key, value, where the value begins) of a valid object that opens at `at`."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = DECODE(text, at)
        start = _skip(text, _skip(text, at) + 1)
        value, at = DECODE(text, start)
        yield key, value, start
        at = _next(text, at)


def _items(text: str, at: int) -> Iterator[tuple[Any, int]]:
    """(item, where it begins) of a valid array that opens at `at`."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        start = at
        item, at = DECODE(text, at)
        yield item, start
        at = _next(text, at)


def _next(text: str, at: int) -> int:
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    return SPACE.match(text, at).end()

"""JSON: an array of objects, or an object that holds one array of them.

{"version": "1.0", "data": [{"question": "What is 2 + 2?", "answer": "4"}]}
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.errors import DataError
from tuneoff.core.files import write_text
from tuneoff.data.format import Format, Row, read_text

__all__ = ["Json"]

DECODE = json.JSONDecoder().raw_decode
FORMS = 'an array [{...}, {...}], or an object that holds one array {"data": [{...}, {...}]}'


class Json(Format):
    """One array of objects; a row's line is where its object begins."""

    suffixes = (".json", ".json.gz")

    def read(self, path: str | Path) -> Iterator[Row]:
        text = read_text(path)
        if not text.strip():
            return
        _check(text, path)
        line, seen = 1, 0
        for item, start in _items(text, _array(text, path)):
            line, seen = line + text.count("\n", seen, start), start
            wrong = "" if isinstance(item, dict) else f"a JSON {type(item).__name__}, where an object {{...}} is wanted"
            yield Row({} if wrong else item, line, wrong)

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        write_text(Path(path), json.dumps([dict(table) for table in tables], ensure_ascii=False, indent=1) + "\n")


def _check(text: str, path: str | Path) -> None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        lines = 'fix that line; if each line is an object of its own, set format = "jsonl"'
        raise DataError(
            f"not valid JSON: {error.msg}", where=f"{path}:{error.lineno}", allowed=FORMS, fix=lines
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {error}", where=path, allowed=FORMS) from None


def _array(text: str, path: str | Path) -> int:
    """Where the one array of a valid document opens."""
    at = _skip(text, 0)
    if text[at] == "[":
        return at
    arrays = _members(text, at) if text[at] == "{" else {}
    if len(arrays) != 1:
        found = f"arrays under {', '.join(arrays)}" if arrays else "no array"
        raise DataError("cannot tell which part of the JSON holds the rows", where=path, found=found, allowed=FORMS)
    return next(iter(arrays.values()))


def _members(text: str, at: int) -> dict[str, int]:
    """The keys of an object whose values are arrays, and where each array opens."""
    arrays = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = DECODE(text, at)
        start = _skip(text, _skip(text, at) + 1)
        value, at = DECODE(text, start)
        if isinstance(value, list):
            arrays[key] = start
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
    return arrays


def _items(text: str, at: int) -> Iterator[tuple[Any, int]]:
    at = _skip(text, at + 1)
    while text[at] != "]":
        start = at
        item, at = DECODE(text, at)
        yield item, start
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at

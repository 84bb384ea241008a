"""JSON: an array of objects, or an object that holds one array of them. One object a line is read as well.

{"version": "1.0", "data": [{"question": "What is 2 + 2?", "answer": "4"}]}
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.data.format import Format, Row, read_text, write_text
from tuneoff.data.json_rows import as_json, json_rows

__all__ = ["Json"]


class Json(Format):
    """One array of objects; a row's line is where its object begins."""

    suffixes = (".json", ".json.gz")

    def read(self, path: str | Path) -> Iterator[Row]:
        yield from json_rows(read_text(path), path, lined=False)

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        write_text(path, "[\n" + ",\n".join(map(as_json, tables)) + "\n]\n")

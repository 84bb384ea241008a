"""JSON lines: one object on each line. Empty lines are skipped. One array of objects is read as well.

{"text": "card not arrived yet", "label": "card_arrival"}
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.data.format import Format, Row, read_text, write_text
from tuneoff.data.json_rows import as_json, json_rows

__all__ = ["Jsonl"]


class Jsonl(Format):
    """One JSON object a line."""

    suffixes = (".jsonl", ".ndjson", ".jsonl.gz")

    def read(self, path: str | Path) -> Iterator[Row]:
        yield from json_rows(read_text(path), path, lined=True)

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        write_text(path, "".join(as_json(table) + "\n" for table in tables))

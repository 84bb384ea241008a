"""JSON Lines: one object a line. Blank lines are passed over.

{"text": "card not arrived yet", "label": "card_arrival"}
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.files import write_text
from tuneoff.data.format import Format, Row, read_text

__all__ = ["Jsonl"]


class Jsonl(Format):
    """One JSON object a line."""

    suffixes = (".jsonl", ".ndjson", ".jsonl.gz")

    def read(self, path: str | Path) -> Iterator[Row]:
        # split at "\n" only: splitlines() would also cut at U+2028, which may stand inside a JSON string
        for line, text in enumerate(read_text(path).split("\n"), start=1):
            if text.strip():
                yield _row(text, line)

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        write_text(Path(path), "".join(json.dumps(dict(table), ensure_ascii=False) + "\n" for table in tables))


def _row(text: str, line: int) -> Row:
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        return Row({}, line, f"not valid JSON: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets without end
        return Row({}, line, f"not valid JSON: {error}")
    if not isinstance(table, dict):
        return Row({}, line, f"a JSON {type(table).__name__}, where an object {{...}} is wanted")
    return Row(table, line)

"""Files of one folder must write one answer in one way.

    shards/part-0.jsonl  {"text": "...", "label": 1}     shards/part-1.jsonl  {"text": "...", "label": "praise"}

Read together, they would make two classes of one.
"""

from collections.abc import Sequence
from typing import Any

from tuneoff.core.errors import DataError
from tuneoff.data.format import Row

__all__ = ["check_answers"]


def check_answers(rows: Sequence[Row], column: str, path: str) -> None:
    """Raise DataError where a label column holds numbers in some files, and words in others."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        if row.file and row.table.get(column) is not None:
            values.setdefault(row.file, []).append(row.table[column])
    labels = {file: found for file, found in values.items() if _come_back(found)}
    numbers = [file for file, found in labels.items() if all(map(_is_number, found))]
    words = [file for file, found in labels.items() if not any(map(_is_number, found))]
    if numbers and words:
        raise DataError(
            f"column {column!r} holds numbers in some files and words in others",
            where=path,
            found=f"{labels[numbers[0]][0]!r} in {numbers[0]}, {labels[words[0]][0]!r} in {words[0]}",
            fix="write each answer in one way in all files, or say what each means under [data.labels]",
        )


def _come_back(values: Sequence[Any]) -> bool:
    """Whether they are labels: each stands there twice or more on average."""
    return len({str(value) for value in values}) * 2 <= len(values)


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value) == float(value)
    except (TypeError, ValueError):
        return False

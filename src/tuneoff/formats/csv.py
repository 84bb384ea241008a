"""CSV and TSV with a header line. A .tsv is cut at tabs; a .csv at whichever of , ; tab | its lines agree on.

text,label
"hello, is my card on its way?",card_arrival

A first line `sep=;`, which spreadsheets write, names the separator. Columns without a name and without a cell, and
rows of empty cells, are what spreadsheets leave around a table: they are passed over.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.errors import DataError
from tuneoff.data.format import Format, Row, read_text, write_text
from tuneoff.data.quoting import Cells, cut_lines
from tuneoff.data.values import as_text

__all__ = ["Csv"]

SEPARATORS = ",;\t|"
LOOKED_AT = 50  # lines that tell the separator
SEPARATOR_LINE = re.compile(r'"?sep=([^"])"?[\s,;]*', re.IGNORECASE)
TABBED = (".tsv", ".tab", ".tsv.gz")


class Csv(Format):
    """Separated values; every value is text. A quoted cell may run over several lines."""

    suffixes = (".csv", ".csv.gz", *TABBED)

    def read(self, path: str | Path) -> Iterator[Row]:
        lines = list(io.StringIO(read_text(path), newline=""))
        separator, start = _separator(str(path), lines)
        if start == len(lines):
            return
        header, *rows = cut_lines(lines, separator, start)
        rows = [row for row in rows if row.broken or len(row.cells) == 1 or any(map(str.strip, row.cells))]
        names = _names(header, rows, path)
        for row in rows:
            yield _row(names, row)

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        columns = list(dict.fromkeys(name for table in tables for name in table))
        cells = [[as_text(table.get(name)) for name in columns] for table in tables]
        long = any("\n" in cell or "\r" in cell for row in cells for cell in row)
        text = io.StringIO(newline="")
        delimiter = "\t" if str(path).lower().endswith(TABBED) else ","
        quoting = csv.QUOTE_ALL if long else csv.QUOTE_MINIMAL  # names in quotation marks say that they quote
        csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows([columns, *cells])
        write_text(path, text.getvalue())


def _separator(path: str, lines: Sequence[str]) -> tuple[str, int]:
    """(separator, where the header stands among the lines)."""
    start = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    if start == len(lines):
        return "", start
    named = SEPARATOR_LINE.fullmatch(lines[start].rstrip("\r\n"))
    if named:
        return named[1], _separator(path, ["", *lines[start + 1 :]])[1] + start
    return "\t" if path.lower().endswith(TABBED) else _likeliest(lines[start : start + LOOKED_AT]), start


def _likeliest(lines: Sequence[str]) -> str:
    """Of the separators that the header has, the one that most lines have as often; then the header's most frequent."""
    outside = ["".join(line.split('"')[::2]) for line in lines if line.strip()]
    there = [mark for mark in SEPARATORS if mark in outside[0]]
    alike = {mark: sum(line.count(mark) == outside[0].count(mark) for line in outside) for mark in there}
    return max(there, key=lambda mark: (alike[mark], outside[0].count(mark)), default=SEPARATORS[0])


def _names(header: Cells, rows: Sequence[Cells], path: str | Path) -> dict[int, str]:
    """Place to name, of the columns that have a name or a cell."""
    where = f"{path}:{header.line}"
    if header.broken:
        raise DataError(header.broken, where=where, fix="fix the header line")
    named = {at: name.strip() for at, name in enumerate(header.cells)}
    filled = {at for at, name in named.items() if not name and any(map(str.strip, _column(rows, at)))}
    used = {at: name for at, name in named.items() if name or at in filled}
    if len(filled) > 1:
        places = ", ".join(str(at + 1) for at in sorted(filled))
        raise DataError(f"columns without a name: {places}", where=where, found=header.cells, fix="name them")
    twice = sorted({name for name in used.values() if list(used.values()).count(name) > 1})
    if twice:
        names = ", ".join(repr(name) for name in twice)
        raise DataError(f"the header names a column twice: {names}", where=where, found=header.cells, fix="rename one")
    return used


def _column(rows: Sequence[Cells], at: int) -> list[str]:
    return [row.cells[at] for row in rows if len(row.cells) > at]


def _row(names: Mapping[int, str], row: Cells) -> Row:
    """Empty cells behind the last column, and cells left out where no column has a name, are no mistake."""
    last = max(names)
    if row.broken or len(row.cells) <= last or any(map(str.strip, row.cells[last + 1 :])):
        return Row({}, row.line, row.broken or f"cells: {len(row.cells)}, where the header has {len(names)}")
    return Row({name: row.cells[at] for at, name in names.items()}, row.line)

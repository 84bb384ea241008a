"""CSV and TSV with a header line. A .tsv is cut at tabs; a .csv at whichever of , ; tab | its header holds most.

text,label
"hello, is my card on its way?",card_arrival
"""

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.errors import DataError
from tuneoff.core.files import write_text
from tuneoff.data.format import Format, Row, read_text

__all__ = ["Csv"]

SEPARATORS = ",;\t|"
TABBED = (".tsv", ".tab", ".tsv.gz")


class Csv(Format):
    """Separated values; every value is text. A quoted cell may run over several lines."""

    suffixes = (".csv", ".csv.gz", *TABBED)

    def read(self, path: str | Path) -> Iterator[Row]:
        text = read_text(path).lstrip("\r\n")
        if not text.strip():
            return
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default refuses cells above 128 KB
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(str(path), text), strict=True)
        header = _header(reader, path)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row({}, line, f"not valid CSV: {error}")
                continue
            if cells:
                yield _row(header, cells, line)

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        columns = list(dict.fromkeys(name for table in tables for name in table))
        text = io.StringIO(newline="")
        delimiter = "\t" if str(path).lower().endswith(TABBED) else ","
        writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(tables)
        write_text(Path(path), text.getvalue())


def _separator(path: str, text: str) -> str:
    if path.lower().endswith(TABBED):
        return "\t"
    head = text.partition("\n")[0]
    outside = "".join(head.split('"')[::2])
    return max(SEPARATORS, key=outside.count)


def _header(reader: Iterator[list[str]], path: str | Path) -> list[str]:
    try:
        header = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise DataError(f"not valid CSV: {error}", where=f"{path}:1", fix="fix the header line") from None
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        names = ", ".join(repr(name) for name in twice)
        raise DataError(f"the header names a column twice: {names}", where=f"{path}:1", found=header, fix="rename one")
    return header


def _row(header: list[str], cells: list[str], line: int) -> Row:
    if len(cells) != len(header):
        return Row({}, line, f"cells: {len(cells)}, where the header has {len(header)}")
    return Row(dict(zip(header, cells)), line)

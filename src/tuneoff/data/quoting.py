r"""Lines of separated values cut into cells: does a quotation mark quote here, or is it a character of the text?

    text,label                               it quotes: the cell is one, and its end is marked
    "hello, is my card on its way?",lost

    text        label                        it is a character: nothing closes it before the next text that has one,
    "Great lamp, they said       praise      five rows further on, and all rows between would become one text
    ...

A file is read as quoted first. Where that fails, or a quoted cell runs over lines that look like rows, each line is cut
by itself, if that explains the file better; else the line where the cell opens is a broken row, and reading goes on
behind it. A header whose names are all in quotation marks says that they quote.
"""

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["Cells", "cut_lines"]

QUOTE = '"'
TWICE = f"in a quoted cell a quotation mark is written twice ({QUOTE}{QUOTE})"

Swallows = Callable[[int, int], bool]  # (first, last) line of one row, from 0: does it hold other rows?


class Cells(NamedTuple):
    """One row. line: where it begins, and last: where it ends, both from 1. broken: why it has no cells."""

    line: int
    last: int
    cells: list[str]
    broken: str = ""


def cut_lines(lines: Sequence[str], separator: str, start: int) -> list[Cells]:
    """The rows of lines[start:], the header first; lines with nothing on them are passed over."""
    if not any(QUOTE in line for line in lines):
        return _alone(lines, separator, start)
    quoted = list(_quoted(lines, separator, start, lambda first, last: False))
    width = len(quoted[0].cells)
    odd = sum(line.count(separator) != width - 1 for line in lines[start:] if line.strip())
    if any(row.last > row.line for row in quoted) and not _names_quoted(lines[start], width):
        swallows = _swallows(lines, separator, quoted, plain=odd == 0 and width > 1)
        quoted = list(_quoted(lines, separator, start, swallows))
    if width < 2 or not any(row.broken for row in quoted):
        return quoted
    wrong = sum(len(row.cells) != width for row in quoted)
    better = odd == 0 or (separator == "\t" and odd < wrong)
    return _unwrapped(_alone(lines, separator, start)) if better else quoted


def _alone(lines: Sequence[str], separator: str, start: int) -> list[Cells]:
    """Each line by itself; a quotation mark is a character."""
    cut = (
        (at, line.rstrip("\r\n").split(separator)) for at, line in enumerate(lines[start:], start + 1) if line.strip()
    )
    return [Cells(at, at, cells) for at, cells in cut]


def _quoted(lines: Sequence[str], separator: str, start: int, swallows: Swallows) -> Iterator[Cells]:
    """Rows as the csv module reads them. Behind a broken one it begins anew in the line after its first."""
    base, reader = start, _reader(lines, separator, start)
    while True:
        first = base + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells, why = [], _why(error, base + reader.line_num)
        else:
            why = _why(None, base + reader.line_num) if swallows(first, base + reader.line_num - 1) else ""
        if cells or why:
            yield Cells(first + 1, base + reader.line_num, [] if why else cells, why)
        if why:
            base, reader = first + 1, _reader(lines, separator, first + 1)


def _reader(lines: Sequence[str], separator: str, start: int) -> Iterator[list[str]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # the default refuses cells above 128 KB
    return csv.reader((lines[at] for at in range(start, len(lines))), delimiter=separator, strict=True)


def _why(error: csv.Error | None, last: int) -> str:
    if error is None:
        return f"the quoted cell that opens here runs to line {last}, over what look like rows: close it; {TWICE}"
    if "unexpected end of data" in str(error):
        return f"not valid CSV: a quotation mark opens a cell here that is never closed; {TWICE}"
    return f"not valid CSV: {error}, in line {last}; {TWICE}"


def _names_quoted(header: str, width: int) -> bool:
    return header.count(QUOTE) >= 2 * width and header.startswith(QUOTE)


def _swallows(lines: Sequence[str], separator: str, rows: Sequence[Cells], *, plain: bool) -> Swallows:
    """plain: every line by itself has as many cells as the header, so that no cell needs a second line."""
    width = len(rows[0].cells)
    values = _coming_back(rows, width)

    def as_row(line: str, behind: int) -> bool:
        """As many cells as the header, and one of those from `behind` on stands in that column elsewhere."""
        cells = line.rstrip("\r\n").split(separator)
        known = (cell.strip().strip(QUOTE) in values[at] for at, cell in enumerate(cells[:width]) if at >= behind)
        return len(cells) == width and any(known)

    def swallows(first: int, last: int) -> bool:
        if last == first or plain:
            return last > first
        if separator == "\t":  # a text seldom holds tabs, and never so regularly
            return all(lines[at].count(separator) == width - 1 > 0 for at in range(first, last + 1))
        opened = lines[first].rstrip("\r\n").split(separator)
        behind = 1 + max((at for at, cell in enumerate(opened) if cell.count(QUOTE) % 2), default=width)
        return as_row(lines[first], behind) or any(as_row(lines[at], 0) for at in range(first + 1, last))

    return swallows


def _coming_back(rows: Sequence[Cells], width: int) -> list[set[str]]:
    """Per column the values that stand in it more than once, as labels do."""
    counts = [Counter(row.cells[at].strip() for row in rows[1:] if len(row.cells) == width) for at in range(width)]
    return [{value for value, count in column.items() if value and count > 1} for column in counts]


def _unwrapped(rows: list[Cells]) -> list[Cells]:
    """Without the marks around cells, in columns where every cell has them."""
    width = len(rows[0].cells)
    even = [row.cells for row in rows[1:] if len(row.cells) == width]
    wrapped = {at for at in range(width) if even and all(_wrapped(cells[at]) for cells in even)}
    header = [_bare(name) if _wrapped(name) else name for name in rows[0].cells]
    body = [
        [_bare(cell) if at in wrapped and _wrapped(cell) else cell for at, cell in enumerate(r.cells)] for r in rows[1:]
    ]
    return [row._replace(cells=cells) for row, cells in zip(rows, [header, *body])]


def _wrapped(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == QUOTE


def _bare(cell: str) -> str:
    return cell[1:-1].replace(QUOTE * 2, QUOTE)

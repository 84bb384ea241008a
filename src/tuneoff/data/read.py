"""From a file to records: find it, read its rows, and report every bad row at once with its line.

read_records("tickets.jsonl", folder="/home/ann/support")[16].source == "tickets.jsonl:17"
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tuneoff.core import plugins
from tuneoff.core.errors import DataError, nearest
from tuneoff.data.format import Format, Row, check_name
from tuneoff.data.labels import refuse_label_sets
from tuneoff.data.record import Record, Unusable
from tuneoff.data.shapes import Shape, find_shape, listed, settle, to_record, unknown_column
from tuneoff.data.shards import check_answers
from tuneoff.data.values import half_character

__all__ = [
    "Table",
    "columns_of",
    "read_records",
    "read_rows",
    "read_shape",
    "read_table",
    "report_bad_rows",
    "to_records",
    "write_rows",
]

SHOWN = 5  # bad rows, one by one
KINDS = 5  # of reasons, for the others


class Table(NamedTuple):
    """What a file gave. unused: columns that no record is made from, in order of appearance."""

    records: list[Record]
    shape: Shape
    unused: tuple[str, ...]


def read_records(
    path: str,
    *,
    folder: str | Path = ".",
    format: str = "auto",
    input: Sequence[str] = (),
    answer: str = "",
    group: str = "",
    labels: Mapping[str, str] | Sequence[str] = (),
    kind: str = "auto",
    answered: bool = True,
) -> list[Record]:
    """All records of a file, a folder or a hub id, in its order, duplicates included; see read_table."""
    how = {"input": input, "answer": answer, "group": group, "labels": labels, "kind": kind, "answered": answered}
    return read_table(path, folder=folder, format=format, **how).records


def read_table(
    path: str,
    *,
    folder: str | Path = ".",
    format: str = "auto",
    input: Sequence[str] = (),
    answer: str = "",
    group: str = "",
    labels: Mapping[str, str] | Sequence[str] = (),
    kind: str = "auto",
    answered: bool = True,
) -> Table:
    """The records of a file, a folder or a hub id, with the shape they were read in.

    folder: where a relative path starts. input, answer: columns; empty means recognised by their names. labels:
    allowed answers, or code to word. kind: with "text", lists of answers are several right answers whatever they
    hold. answered: False reads records to predict, whose target may be "".
    Raises DataError for a missing or empty file, an unknown column, sets of labels, and bad rows (all together).
    """
    rows = list(read_rows(path, folder=folder, format=format))
    shape = read_shape(rows, path, input=input, answer=answer, answered=answered)
    used = {*shape.columns, group}
    unused = tuple(name for name in columns_of(rows) if name not in used)
    records = _records(rows, path, shape, group=group, labels=labels, kind=kind, answered=answered)
    return Table(records, shape, unused)


def to_records(
    rows: Sequence[Row],
    path: str,
    *,
    input: Sequence[str] = (),
    answer: str = "",
    group: str = "",
    labels: Mapping[str, str] | Sequence[str] = (),
    kind: str = "auto",
    answered: bool = True,
    shape: Shape | None = None,
) -> list[Record]:
    """One record per row that was read from `path`; see read_table. shape: the columns' parts, where known."""
    shape = shape or read_shape(rows, path, input=input, answer=answer, answered=answered)
    return _records(rows, path, shape, group=group, labels=labels, kind=kind, answered=answered)


def _records(
    rows: Sequence[Row],
    path: str,
    shape: Shape,
    *,
    group: str,
    labels: Mapping[str, str] | Sequence[str],
    kind: str,
    answered: bool,
) -> list[Record]:
    if group and group not in columns_of(rows):
        raise unknown_column(group, columns_of(rows), path)
    if answered and shape.answer:
        refuse_label_sets([listed(row.table.get(shape.answer)) for row in rows], "choice" if labels else kind, path)
        if not labels:
            check_answers(rows, shape.answer, path)
    records, bad = [], []
    for row in rows:
        try:
            if row.broken:
                raise Unusable(row.broken)
            source = row.place(path)
            records.append(to_record(row.table, shape, group=group, labels=labels, answered=answered, source=source))
        except Unusable as why:
            bad.append((row.place(path), str(why)))
    report_bad_rows(path, bad, len(rows))
    return records


def read_shape(
    rows: Sequence[Row], path: str, *, input: Sequence[str] = (), answer: str = "", answered: bool = True
) -> Shape:
    """The shape of rows that were read from `path`."""
    if not columns_of(rows):
        report_bad_rows(path, [(row.place(path), row.broken or "no columns") for row in rows], len(rows))
    shape = find_shape(columns_of(rows), input=input, answer=answer, answered=answered, where=path)
    return settle(shape, [row.table for row in rows], named=bool(input), where=path)


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Every column that some row has, in order of appearance."""
    return list(dict.fromkeys(name for row in rows for name in row.table))


def report_bad_rows(path: str, bad: Sequence[tuple[str, str]], total: int) -> None:
    """Raise one DataError for all (file:line, why) of what was read; the first five are shown, the others counted."""
    if not bad:
        return
    lines = [f"{place}  {why}" for place, why in bad[:SHOWN]] + _more([why for _, why in bad[SHOWN:]])
    rows = "row" if total == 1 else "rows"
    problem = f"{len(bad):,} of {total:,} {rows} cannot be used"
    raise DataError(
        problem, where=path, found="\n".join(lines), fix="correct or remove them; nothing was left out silently"
    )


def _more(reasons: Sequence[str]) -> list[str]:
    """What is not shown row by row, by its reason."""
    if not reasons:
        return []
    kinds = Counter(reasons).most_common(KINDS)
    rest = len(reasons) - sum(count for _, count in kinds)
    each = [f"  {count:,}  {why}" for why, count in kinds] + ([f"  {rest:,}  for other reasons"] if rest else [])
    return [f"and {len(reasons):,} more:", *each]


def read_rows(path: str, *, folder: str | Path = ".", format: str = "auto") -> Iterator[Row]:
    """The rows of a file, a folder or a hub id, broken ones included. Raises DataError where there are none."""
    check_name(path)
    place = _place(path, Path(folder))
    empty = True
    for row in _format(path, place, Path(folder), format).read(place):
        empty = False
        yield _whole(row)
    if empty:
        raise DataError("no records in it", where=place, fix="check that it is the right file")


def _whole(row: Row) -> Row:
    why = half_character(row.table)
    return row._replace(table={}, broken=why) if why else row


def write_rows(path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
    """Write tables in the format that the name's ending says. Raises DataError where no format has that ending."""
    format_to_write(path)().write(path, tables)


def format_to_write(path: str | Path) -> type[Format]:
    """The format that the name's ending says. Raises DataError where no format has that ending."""
    formats = [plugins.load("formats", name) for name in plugins.names("formats")]
    taking = [cls for cls in formats if cls.suffixes and cls.accepts(str(path))]
    if not taking:
        endings = sorted(ending for cls in formats for ending in cls.suffixes)
        raise DataError("cannot tell the format to write", where=path, allowed=endings, fix="end the name in one")
    return taking[0]


def _place(path: str, folder: Path) -> str:
    """The path on this disk; a name that stands nowhere in `folder` is left as it is, for it may be a hub id."""
    name, mark, part = path.partition("#")
    whole, full = Path(folder, path).expanduser(), Path(folder, Path(name).expanduser())
    if whole.is_file():
        return str(whole)
    beside = full.parent != folder and full.parent.is_dir()  # data/x is no hub id where the folder data is here
    return f"{full}{mark}{part}" if full.exists() or beside else path


def _format(path: str, place: str, folder: Path, format: str) -> Format:
    known = [plugins.load("formats", name) for name in (plugins.names("formats") if format == "auto" else [format])]
    taking = [cls for cls in known if format != "auto" or cls.accepts(place)]
    here = Path(place).exists() or Path(place.partition("#")[0]).is_dir()
    if not here and not any(cls.remote(place) for cls in taking):
        raise _missing(path, folder)
    if not taking:
        endings = sorted(ending for cls in known for ending in cls.suffixes)
        raise DataError(
            f"cannot tell the format of {Path(path).name!r}",
            where=place,
            allowed=endings,
            fix='save it as one of these, or name the format in the study file: [data] format = "csv"',
        )
    return taking[0]()


def _missing(path: str, folder: Path) -> DataError:
    full = Path(folder, path)
    if not full.parent.is_dir():
        return DataError(
            "folder not found", where=full.parent, fix="check the path; it starts at the study file's folder"
        )
    names = sorted(entry.name for entry in full.parent.iterdir() if not entry.name.startswith("."))
    few = [*names[:10], f"and {len(names) - 10} more"] if len(names) > 10 else names
    hint = nearest(full.name, names) or "check the path; a hub dataset is written owner/name#split"
    return DataError("file not found", where=full, found=few or "an empty folder", fix=hint)

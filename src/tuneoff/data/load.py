"""The one call from a study's [data] table to three clean splits, with a report of all that was done on the way.

    data = load_data(path="tickets.jsonl", folder="/home/ann/support")
    data.report.summary()[0] == "1,204 train, 301 validation, 498 test records"

The order: read, join labels that look alike, drop duplicates, join equal contents to one group, remove from train (and
validation) what stands in the test file, check the labels, cut what has no file of its own, apply the limits.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_uppercase
from typing import Literal

from tuneoff.core.errors import DataError
from tuneoff.data.dedup import drop_duplicates, drop_leaked, join_groups
from tuneoff.data.labels import check_labels, check_sides, guess_kind, label_set, labels_listed
from tuneoff.data.notes import counted, label_notes, size_notes, spelling_notes
from tuneoff.data.read import Table, read_table
from tuneoff.data.record import Record
from tuneoff.data.shapes import Shape, label_texts
from tuneoff.data.spelling import one_spelling
from tuneoff.data.split import complete, cut, in_order

__all__ = ["SPLITS", "Data", "DataReport", "load_data"]

SPLITS = ("train", "validation", "test")

Parts = dict[str, list[Record]]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataReport:
    """What was read, removed and left. All counts are records unless they say otherwise.

    read: per file, before anything was removed. sizes: per split, at the end. labels: per split, label to count
    (empty for free text). duplicates: removed; alike: how many of them differ from the record that is kept in case
    or white space. contradicting: contents, equal to the letter, that stand with more than one answer. leaked,
    leaked_groups: removed from train or validation because their group stands in a split that is judged on. moved: into
    a split that would have lacked their label. unused: per file, the columns that no record is made from.
    """

    read: Mapping[str, int]
    sizes: Mapping[str, int]
    duplicates: int = 0
    alike: int = 0
    contradicting: int = 0
    leaked: int = 0
    leaked_groups: int = 0
    moved: int = 0
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unused: Mapping[str, Sequence[str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def summary(self) -> list[str]:
        """Plain sentences: sizes, what was removed, then the warnings."""
        train, validation, test = (self.sizes[name] for name in SPLITS)
        lines = [f"{train:,} train, {validation:,} validation, {test:,} test records"]
        if self.duplicates:
            lines.append(_duplicates(self.duplicates, self.alike))
        if self.leaked:
            lines.append(
                f"{counted(self.leaked, 'record')} ({counted(self.leaked_groups, 'group')}) removed from training or "
                "validation: also in what is judged on"
            )
        if self.moved:
            lines.append(f"{counted(self.moved, 'record')} moved to splits that would have lacked a label")
        return [*lines, *_unused(self.unused), *self.warnings]


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """Three splits that share no group. Every beginning of a split is a fair sample of it (see split.in_order).

    shape: the part that each column of the training rows plays.
    """

    train: tuple[Record, ...]
    validation: tuple[Record, ...]
    test: tuple[Record, ...]
    kind: Literal["choice", "text"]
    labels: tuple[str, ...]
    shape: Shape
    report: DataReport


def load_data(
    *,
    folder: str | Path = ".",
    path: str = "",
    train: str = "",
    validation: str = "",
    test: str = "",
    format: str = "auto",
    input: Sequence[str] = (),
    answer: str = "",
    group: str = "",
    kind: Literal["auto", "choice", "text"] = "auto",
    labels: Mapping[str, str] | Sequence[str] = (),
    train_records: int = 0,
    validation_records: int = 0,
    test_records: int = 0,
    shares: Sequence[float] = (0.6, 0.15, 0.25),
) -> Data:
    """Read, clean and split a study's data; the keywords are the keys of its [data] table.

    folder: where relative paths start. Raises DataError with what to change.
    """
    files, labels = _files(path, train, validation, test), label_texts(labels)
    columns = {"format": format, "input": input, "answer": answer, "group": group, "labels": labels, "kind": kind}
    read = {name: read_table(file, folder=folder, **columns) for name, file in files.items()}
    shape = read["train"].shape
    labels = labels or _letters(read.values(), kind)
    kind = _kind(kind, labels, [table.records for table in read.values()])
    records, spelled = _one_spelling(read, labels) if kind == "choice" else _as_read(read)
    distinct = {name: drop_duplicates(part) for name, part in records.items()}
    parts = join_groups({name: part.records for name, part in distinct.items()}, named=bool(group))
    parts, leaked, leaked_groups = _without_leaks(parts)
    everything = [record for part in parts.values() for record in part]
    where = ", ".join(files.values())
    words = _labels(everything, labels, where) if kind == "choice" else ()
    parts, moved = _split(parts, shares, where, stratified=kind == "choice")
    limits = {"train": train_records, "validation": validation_records, "test": test_records}
    used = {name: _limited(parts[name], limits[name], kind) for name in SPLITS}
    if kind == "choice":
        check_sides(used, where)
    contradicting = sum(part.contradicting for part in distinct.values())
    report = DataReport(
        read={files[name]: len(table.records) for name, table in read.items()},
        unused={files[name]: table.unused for name, table in read.items()},
        sizes={name: len(used[name]) for name in SPLITS},
        duplicates=sum(part.removed for part in distinct.values()),
        alike=sum(part.alike for part in distinct.values()),
        contradicting=contradicting,
        leaked=leaked,
        leaked_groups=leaked_groups,
        moved=moved,
        labels={name: _counts(used[name], words) for name in SPLITS} if kind == "choice" else {},
        warnings=(
            *spelled,
            *_contradictions(contradicting, kind),
            *size_notes(parts, used, limits),
            *label_notes(used, words, listed=bool(labels)),
        ),
    )
    return Data(**{name: tuple(used[name]) for name in SPLITS}, kind=kind, labels=words, shape=shape, report=report)


def _files(path: str, train: str, validation: str, test: str) -> dict[str, str]:
    """Split name to file; what is missing is cut from train."""
    if not (path or train):
        raise DataError(
            "the study names no data", fix='[data] path = "yours.jsonl"  (tuneoff splits it)\nor train and test'
        )
    if path and train:
        raise DataError(
            "[data] has both path and train",
            found=[path, train],
            fix="keep path (tuneoff splits it), or train and test",
        )
    if train and not test:
        raise DataError(
            "[data] train stands without test",
            found=f'train = "{train}"',
            fix=f'add test = "...", or let tuneoff cut the test set off: path = "{train}"',
        )
    named = {"train": path or train, "validation": validation, "test": test}
    files = {name: file for name, file in named.items() if file}
    if len(set(files.values())) < len(files):
        raise DataError("[data] names one file twice", found=list(files.values()), fix="give each split its own file")
    return files


def _letters(tables: Collection[Table], kind: str) -> list[str]:
    """The labels of questions with options: the letters that stand before them."""
    if kind == "text" or not all(table.shape.options and table.shape.options.coding for table in tables):
        return []
    shown = {name for table in tables for record in table.records for name in record.fields}
    return [letter for letter in ascii_uppercase if letter in shown]


def _unused(unused: Mapping[str, Sequence[str]]) -> list[str]:
    """One sentence; a column that only some of the files have is named with those files."""
    names = list(dict.fromkeys(name for columns in unused.values() for name in columns))
    having = {name: [file for file, columns in unused.items() if name in columns] for name in names}
    each = [name if len(having[name]) == len(unused) else f"{name} ({', '.join(having[name])})" for name in names]
    return [f"columns not used: {', '.join(each)}"] if each else []


def _without_leaks(parts: Parts) -> tuple[Parts, int, int]:
    """Test keeps all; validation loses what stands in test; train loses what stands in either."""
    sealed: list[Record] = []
    kept: Parts = {}
    leaked = groups = 0
    for name in reversed(SPLITS):
        if name in parts:
            kept[name], records, whole = drop_leaked(parts[name], sealed)
            sealed += kept[name]
            leaked, groups = leaked + records, groups + whole
    return {name: kept[name] for name in SPLITS if name in kept}, leaked, groups


def _kind(kind: str, labels: Mapping[str, str] | Sequence[str], parts: Sequence[Sequence[Record]]) -> str:
    if kind == "text" and labels:
        raise DataError('[data] has labels, and kind = "text"', fix='remove the labels, or write kind = "choice"')
    if kind != "auto":
        return kind
    if labels:
        return "choice"
    return guess_kind([record.target for part in parts for record in drop_duplicates(part).records])


def _as_read(read: Mapping[str, Table]) -> tuple[Parts, list[str]]:
    return {name: table.records for name, table in read.items()}, []


def _one_spelling(read: Mapping[str, Table], labels: Mapping[str, str] | Sequence[str]) -> tuple[Parts, list[str]]:
    """(the records, with one spelling for labels that look alike, what to say of it)."""
    bare = {name: [_without_indentation(record) for record in table.records] for name, table in read.items()}
    found = [record.target for records in bare.values() for record in records]
    spelled = one_spelling(found, labels_listed(labels))
    parts = {
        name: [
            replace(record, target=spelled[record.target], id="") if record.target in spelled else record
            for record in records
        ]
        for name, records in bare.items()
    }
    return parts, spelling_notes(spelled, found)


def _without_indentation(record: Record) -> Record:
    """A text may begin with white space that says something; a label may not."""
    bare, *others = (answer.strip() for answer in record.references)
    if (bare, *others) == record.references:
        return record
    return replace(record, target=bare, alternatives=tuple(others), id="")


def _labels(records: Sequence[Record], labels: Mapping[str, str] | Sequence[str], where: str) -> tuple[str, ...]:
    check_labels(records, where)
    return label_set(records, labels)


def _split(parts: Parts, shares: Sequence[float], where: str, stratified: bool) -> tuple[Parts, int]:
    """(all splits, how many records were moved so that none lacks a label)."""
    if len(shares) != 3 or abs(sum(shares) - 1) > 1e-6:
        raise DataError(
            "[data] shares must be three numbers that add up to 1 (train, validation, test)",
            found=list(shares),
            fix="shares = [0.6, 0.15, 0.25]",
        )
    wanted = {name: share for name, share in zip(SPLITS, shares) if name == "train" or name not in parts}
    own = cut(parts["train"], wanted)
    own, moved = complete(own) if stratified else (own, 0)
    whole = {**parts, **own}
    empty = [name for name in SPLITS if not whole[name]]
    if empty:
        sizes = ", ".join(f"{name} {len(whole[name])}" for name in SPLITS)
        raise DataError(
            f"no records are left for {' and '.join(empty)}",
            where=where,
            found=f"{sizes}, in {len({r.group for part in whole.values() for r in part})} groups that stay whole",
            fix="add records, change [data] shares, or name a group column with more values",
        )
    return whole, moved


def _limited(records: list[Record], limit: int, kind: str) -> list[Record]:
    ordered = in_order(records, stratified=kind == "choice")
    return ordered[:limit] if limit else ordered


def _counts(records: Sequence[Record], labels: Sequence[str]) -> dict[str, int]:
    counts = Counter(record.target for record in records)
    return {label: counts[label] for label in labels}


def _contradictions(count: int, kind: str) -> list[str]:
    if not count:
        return []
    several = "" if kind == "choice" else "; a list of answers in one row makes each of them right"
    return [f"more than one answer for {counted(count, 'text')}: no arm can get all of them right{several}"]


def _duplicates(count: int, alike: int) -> str:
    if not alike:
        return f"{counted(count, 'exact duplicate')} removed"
    return f"{counted(count, 'duplicate')} removed, {alike:,} of them different in capitals or white space only"

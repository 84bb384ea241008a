"""A folder of data files, read as one: each file by the format that its ending says, so that files may differ.

shards                 shards/part-0.jsonl and shards/part-1.jsonl; one of them may have a column more
tickets#train          tickets/train-0.parquet and tickets/train-1.parquet
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.errors import DataError, nearest
from tuneoff.data.folder import data_files, format_of, is_of_files, split_named
from tuneoff.data.format import Format, Row, check_name

__all__ = ["Folder"]


class Folder(Format):
    """`NAME`, or `NAME#SPLIT` where the names of the files say their splits. A row has its file and line."""

    @classmethod
    def accepts(cls, path: str) -> bool:
        return is_of_files(path)

    def read(self, path: str | Path) -> Iterator[Row]:
        name, _, split = str(path).partition("#")
        for file in _files(Path(name), split):
            check_name(file)
            for row in format_of(file)().read(file):
                yield row._replace(file=file.relative_to(name).as_posix())

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        file = Path(path, "data.jsonl")
        format_of(file)().write(file, tables)


def _files(folder: Path, split: str) -> list[Path]:
    splits = data_files(folder) if folder.is_dir() else {}
    if not splits:
        raise _no_files(folder)
    if list(splits) == [""]:
        split = "" if split == "train" else split
    split = split_named(split)
    if not split and len(splits) == 1:
        split = next(iter(splits))
    if split not in splits or (not split and len(splits) > 1):
        raise _which(folder, split, splits)
    formats = sorted({format_of(file).__name__ for file in splits[split]})
    if len(formats) > 1:
        names = [file.relative_to(folder).as_posix() for file in splits[split]]
        raise DataError(
            "the folder holds files of several formats",
            where=folder,
            found=_few(names),
            fix=f'name the one that is meant, such as "{folder.name}/{names[0]}"',
        )
    return splits[split]


def _no_files(folder: Path) -> DataError:
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    fix = "put .parquet, .jsonl or .csv files in it, or name one of its files"
    return DataError("no data files in the folder", where=folder, found=_few(names) or "an empty folder", fix=fix)


def _which(folder: Path, split: str, splits: Mapping[str, Sequence[Path]]) -> DataError:
    """Several splits and none named, or one that is not there."""
    named = [name for name in splits if name]
    found = [f"{name or 'no split named'}: {_few([file.name for file in files])}" for name, files in splits.items()]
    problem = f"no split {split!r} in the folder" if split else "the folder holds several splits"
    first = named[0] if named else ""
    each = f'name one, such as "{folder.name}#{first}"; [data] train, validation and test take one each'
    fix = nearest(split, named) if split else each
    return DataError(problem, where=folder, found="\n".join(found), fix=fix or f'write "{folder.name}" alone')


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

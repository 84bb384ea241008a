"""A dataset of the Hugging Face hub, or a folder that the library `datasets` saved, or whose README.md names configs.

    stanfordnlp/imdb#train        a hub id and a split
    nyu-mll/glue#sst2/train       with a configuration
    mydata#train                  a folder and a split

The part after # may be left out where there is one split only. Class numbers become the names that the dataset
gives them. Needs the package `datasets` (the extra `hub`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.errors import DataError, MissingExtra, nearest
from tuneoff.data.arrow import arrow_rows, arrow_table, class_names
from tuneoff.data.folder import is_of_files
from tuneoff.data.format import Format, Row

__all__ = ["HfDataset"]

BATCH = 1000  # rows
REASON = 4  # lines of an exception
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
ENDING = re.compile(r"\.[A-Za-z]\w{1,6}$")  # tickets.xlsx is a file that is not there, not a hub id


class HfDataset(Format):
    """A hub id or a folder, `NAME`, `NAME#SPLIT` or `NAME#CONFIG/SPLIT`. A row's line is its number, from 1."""

    @classmethod
    def accepts(cls, path: str) -> bool:
        name = path.partition("#")[0]
        return (Path(name).is_dir() and not is_of_files(path)) or ("/" in name and cls.remote(path))

    @classmethod
    def remote(cls, path: str) -> bool:
        name = path.partition("#")[0]
        return bool(HUB_ID.fullmatch(name)) and not ENDING.search(name)

    def read(self, path: str | Path) -> Iterator[Row]:
        name, _, part = str(path).partition("#")
        config, _, split = part.rpartition("/")
        data = _split(_load(name, config), name, split)
        names = class_names(data.features.to_dict())
        batches = data.with_format("arrow").iter(BATCH)
        tables = (table for batch in batches for table in arrow_rows(batch, names))
        yield from (Row(table, line) for line, table in enumerate(tables, start=1))

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        _datasets().Dataset(arrow_table(tables)).save_to_disk(str(path))


def _datasets():
    try:
        import datasets
    except ImportError:
        raise MissingExtra("datasets", "hub", "reading a Hugging Face dataset or a folder") from None
    return datasets


def _load(name: str, config: str):
    datasets = _datasets()
    folder = Path(name)
    saved = (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()
    try:
        return datasets.load_from_disk(name) if saved else datasets.load_dataset(name, config or None)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        local = "put .parquet, .jsonl or .csv files in it, or name one of its files"
        hub = "check the id (owner/name#config/split) and the network; a private one needs: hf auth login"
        raise DataError(
            "the dataset cannot be loaded", where=name, found=_reason(error), fix=local if folder.exists() else hub
        ) from None


def _split(loaded: Any, name: str, split: str):
    if not isinstance(loaded, dict):
        if split not in ("", str(loaded.split)):
            raise DataError(f"no split {split!r}: this dataset has one part only", where=name, fix=f'write "{name}"')
        return loaded
    if not split and len(loaded) == 1:
        return next(iter(loaded.values()))
    if split in loaded:
        return loaded[split]
    problem = f"no split {split!r} in the dataset" if split else "the dataset has several splits"
    each = f'name one, such as "{name}#{next(iter(loaded), "train")}"; [data] train, validation and test take one each'
    raise DataError(problem, where=name, allowed=list(loaded), fix=nearest(split, loaded) or each)


def _reason(error: BaseException) -> str:
    """What an exception was raised from says more than its own words: the file and the columns that differ."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "\n".join(lines[:REASON]) or type(error).__name__

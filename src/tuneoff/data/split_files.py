"""Which files belong together: the train, validation and test file of one data set, found by their names.

    train.jsonl.gz  dev.jsonl  test.jsonl  schema.csv    ->  {train, validation, test}; schema.csv is another set
    emotion_train.jsonl  emotion_val.jsonl  irony_train.jsonl    ->  two sets
    train-00000-of-00002.parquet  train-00001-of-00002.parquet   ->  one set in parts, read as FOLDER#train
    part-0.jsonl  part-1.jsonl                                    ->  one set in parts, read as FOLDER

A set without a training file is trained on its validation file, else on the one file that there is.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tuneoff.data.folder import SPLIT_OF, data_files, format_of

__all__ = ["DataSet", "data_sets", "name_of", "set_of"]

SPLITS = ("train", "validation", "test")
WORD = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLIT_OF, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)
PART = re.compile(r"[-_]\d+(-of-\d+)?$")
SAVED = "dataset_dict.json"


class DataSet(NamedTuple):
    """files: train, validation, test, as far as they are there, to names; "" for a file that names no split."""

    files: dict[str, str]

    @property
    def trained(self) -> str:
        """The split whose file is trained on."""
        return next(split for split in ("train", "", "validation", "test") if split in self.files)

    @property
    def main(self) -> str:
        return self.files[self.trained]

    @property
    def neighbours(self) -> dict[str, str]:
        return {split: self.files[split] for split in SPLITS if split in self.files and split != self.trained}


def data_sets(folder: Path) -> list[DataSet]:
    """The data sets in a folder, by name. Names start with the folder's. A set with a training file hides others
    without; so does a file that names its split those that do not."""
    if (folder / SAVED).is_file():
        return [_saved(folder)]
    if (folder / "state.json").is_file():  # one split, saved with save_to_disk
        return [DataSet({"": folder.as_posix()})]
    names = _known(folder)
    if not names:
        return data_sets(folder / "data") if (folder / "data").is_dir() else _below(folder)
    sets = _sets(folder, names)
    for splits in (("train",), ("validation", "test")):
        having = [found for found in sets if any(split in found.files for split in splits)]
        if having:
            return having
    return sets


def set_of(file: Path) -> DataSet:
    """The set of a training file: the file with its neighbours. Any other file stands alone."""
    key, split = _family(file.name)
    if split != "train" or not file.is_file():
        return DataSet({"": file.as_posix()})
    alike = [name for name in _known(file.parent) if _family(name)[0] == key and _family(name)[1] != "train"]
    found = _sets(file.parent, alike)
    neighbours = found[0].files if found else {}
    return DataSet({"train": file.as_posix(), **neighbours})


def name_of(path: str) -> str:
    """What the data is called: its file's name without the split's, or its folder's where that says nothing."""
    place = Path(os.path.abspath(Path(path.partition("#")[0]).expanduser()))
    if place.is_dir():
        return place.name
    stem = place.name.removesuffix(_ending(place.name)).partition(".")[0]
    rest = re.sub(r"[\W_]*\*[\W_]*", " ", _family(stem)[0]).strip()
    return place.parent.name if rest in ("", "data") else rest


def _saved(folder: Path) -> DataSet:
    parts = [entry.name for entry in sorted(folder.iterdir()) if (entry / "state.json").is_file()]
    return DataSet({SPLIT_OF.get(part.lower(), ""): f"{folder.as_posix()}#{part}" for part in reversed(parts)})


def _known(folder: Path) -> list[str]:
    """Files of a format that can be read, hidden ones left out."""
    files = (entry for entry in sorted(folder.iterdir()) if entry.is_file() and not entry.name.startswith((".", "_")))
    return [file.name for file in files if _ending(file.name)]


def _ending(name: str) -> str:
    """The ending that says the format; "" for a file of none."""
    known = format_of(name)
    suffixes = sorted(known.suffixes, key=len, reverse=True) if known else ()
    return next((name[-len(suffix) :] for suffix in suffixes if name.lower().endswith(suffix)), "")


def _sets(folder: Path, names: Sequence[str]) -> list[DataSet]:
    families: dict[str, dict[str, list[str]]] = {}
    for name in names:
        key, split = _family(name)
        families.setdefault(key, {}).setdefault(split, []).append(name)
    return [
        DataSet({split: _named(folder, split, found) for split, found in each.items()}) for each in families.values()
    ]


def _named(folder: Path, split: str, names: Sequence[str]) -> str:
    """One file by its name; files in parts through their folder."""
    if len(names) > 1 and all(PART.search(name.removesuffix(_ending(name))) for name in names):
        return _part(folder, split)
    return (folder / min(names, key=len)).as_posix()  # test.csv before test.csv.gz, dev before development


def _part(folder: Path, split: str) -> str:
    return f"{folder.as_posix()}#{split}" if split else folder.as_posix()


def _below(folder: Path) -> list[DataSet]:
    """Files that lie in sub-folders called train, test and the like."""
    splits = data_files(folder)
    return [DataSet({split: _part(folder, split) for split in splits})] if splits else []


def _family(name: str) -> tuple[str, str]:
    """(what the files of one set share, the split that this one names)."""
    stem = PART.sub("", name.removesuffix(_ending(name)))
    word = WORD.search(stem)
    return (f"{stem[: word.start()]}*{stem[word.end() :]}", SPLIT_OF[word[1].lower()]) if word else (stem, "")

"""The data files of a folder, and which split each belongs to by its name.

    shards/part-0.jsonl, shards/part-1.jsonl                          {"": both}
    tickets/train-0.parquet, tickets/train-1.parquet, tickets/dev.parquet     {"train": two, "validation": one}
    tickets/data/train/0.csv, tickets/data/test/0.csv                 {"train": one, "test": one}

Files of the folder itself come first; only where there are none are its sub-folders looked into.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tuneoff.core import plugins
from tuneoff.data.format import Format

__all__ = ["SPLIT_OF", "data_files", "format_of", "is_of_files", "split_named"]

WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "heldout", "eval", "evaluation"),
}
SPLIT_OF = {word: split for split, words in WORDS.items() for word in words}
"what a split is called in names of files, to the split"
SAVED = ("dataset_dict.json", "state.json", "dataset_infos.json", "dataset_info.json")  # by the library `datasets`
CONFIGS = re.compile(r"^configs:", re.MULTILINE)  # in the head of a README: parts that the library knows by name


def is_of_files(path: str) -> bool:
    """Whether a path, NAME or NAME#SPLIT, is a folder that is read file by file, without the library `datasets`."""
    name, _, part = path.partition("#")
    folder = Path(name)
    if not folder.is_dir() or "/" in part or any((folder / mark).is_file() for mark in SAVED[:2]):
        return False
    return not _has_configs(folder / "README.md")


def _has_configs(card: Path) -> bool:
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    return text.startswith("---") and bool(CONFIGS.search(text.partition("\n---")[0]))


def data_files(folder: Path) -> dict[str, list[Path]]:
    """Split to files, in the order of their names; "" for files that name no split."""
    found = _known(folder.iterdir()) or _known(folder.rglob("*"), folder)
    splits: dict[str, list[Path]] = {}
    for file in found:
        splits.setdefault(_split(file.relative_to(folder)), []).append(file)
    return splits


def _known(files: Iterator[Path], folder: Path | None = None) -> list[Path]:
    """Files of a known format. Hidden ones, and what the library `datasets` notes, are none."""
    inside = [(file, file.relative_to(folder or file.parent).parts) for file in files if file.is_file()]
    shown = [file for file, parts in inside if not any(part.startswith((".", "_")) for part in parts)]
    return sorted(file for file in shown if file.name not in SAVED and format_of(file) is not None)


def _split(file: Path) -> str:
    """The split that the file's name says, else the folder's that it lies in."""
    for part in reversed(file.parts):
        for word in re.split(r"[^a-z]+", part.partition(".")[0].lower()):
            if word in SPLIT_OF:
                return SPLIT_OF[word]
    return ""


def split_named(name: str) -> str:
    """A split as a person names it: "dev" is "validation"."""
    return SPLIT_OF.get(name, name)


def format_of(path: str | Path) -> type[Format] | None:
    """The format that the name's ending says."""
    formats = (plugins.load("formats", name) for name in plugins.names("formats"))
    return next((cls for cls in formats if cls.suffixes and cls.accepts(str(path))), None)

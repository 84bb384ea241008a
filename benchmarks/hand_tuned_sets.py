"""The sets of `hand_tuned`: public classification with readable labels, few records, drawn the same way every time.

    drawn("snips", folder).train[0]      Row(id="5c0e2d9f41a7", text="play the newest song by ...", label="play music")

160 training, 80 validation and 300 test records: the pool in the order of (label, hash of the text), 540 of it at
even distances, and of each 27 in a row 8 train, 4 validation, 15 test; so every label has its share of each. Texts
that are alike but for case and white space are one record.

The recipes (docs/recipes.md) are never looked for on snips, clinc150 banking and query_wellformedness: this was said
before the first run, so that at least three sets are new to them.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tuneoff.core.errors import DataError, nearest
from tuneoff.data.dedup import content_key
from tuneoff.data.record import Record

__all__ = ["HELD_OUT", "SETS", "Drawn", "Row", "TaskSet", "draw", "drawn", "read_rows"]

HELD_OUT = ("snips", "clinc150_banking", "query_wellformedness")
RECORDS = 540
IN_A_ROW, TRAIN, VALIDATION = 27, 8, 4  # the other 15 are test records


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSet:
    """files: of the data folder. label: a row's label in words, or None where the row is not taken."""

    files: tuple[str, ...]
    label: Callable[[dict], str | None] = field(default=lambda row: row["label"])


@dataclass(frozen=True, slots=True)
class Row:
    """id: hash of the text, the same whoever draws it."""

    id: str
    text: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """One set as both sides get it. labels: in the order of the alphabet."""

    name: str
    labels: tuple[str, ...]
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]

    @property
    def key(self) -> str:
        """The hash of all records in their order: results of other records are not taken for these."""
        rows = (self.train, self.validation, self.test)
        return _hash(json.dumps([[(row.id, row.label) for row in each] for each in rows]))


def _words(row: dict) -> str:
    """AddToPlaylist is "add to playlist"."""
    return " ".join(re.findall("[A-Z][a-z]*", row["label"])).lower()


def _banking(row: dict) -> str | None:
    return row["label"].replace("_", " ") if row["domain"] == "banking" else None


def _clear_rating(row: dict) -> str | None:
    """What most raters agreed on."""
    return row["label"] if row["rating"] <= 0.2 or row["rating"] >= 0.8 else None


SETS = {
    "snips": TaskSet(files=("snips/train.jsonl.gz",), label=_words),
    "csabstruct": TaskSet(files=("csabstruct/train.jsonl.gz",)),
    "emotion": TaskSet(files=("tweet_eval/emotion_train.jsonl",)),
    "clinc150_banking": TaskSet(files=("clinc150/train.jsonl",), label=_banking),
    "query_wellformedness": TaskSet(files=("query_wellformedness/train.jsonl",), label=_clear_rating),
    "ag_news": TaskSet(files=("ag_news/train.jsonl.gz",)),
}


def drawn(name: str, folder: Path, records: int = RECORDS) -> Drawn:
    """The set's records. records: all together, a multiple of 27. Raises DataError where its file is not there."""
    if name not in SETS:
        raise DataError(f"no set {name!r} in this benchmark", allowed=list(SETS), fix=nearest(name, SETS))
    return draw(name, SETS[name], folder, records)


def draw(name: str, task: TaskSet, folder: Path, records: int = RECORDS) -> Drawn:
    """The records of a set that need not be one of this benchmark."""
    pool = _pool(task, folder)
    chosen = [pool[at * len(pool) // records] for at in range(records)]
    parts = {"train": [], "validation": [], "test": []}
    for at, row in enumerate(chosen):
        place = at * TRAIN % IN_A_ROW  # spread over the row, so that a label of few records has its share
        parts["train" if place < TRAIN else "validation" if place < TRAIN + VALIDATION else "test"].append(row)
    rows = {part: tuple(sorted(some, key=lambda row: row.id)) for part, some in parts.items()}
    return Drawn(name=name, labels=tuple(sorted({row.label for row in chosen})), **rows)


def _pool(task: TaskSet, folder: Path) -> Sequence[Row]:
    alike: dict[str, Row] = {}
    for row in (row for file in task.files for row in read_rows(folder / file)):
        label, text = task.label(row), " ".join(row["text"].split())
        if label is not None:
            alike.setdefault(content_key(Record(fields={"text": text}, target=label)), Row(_hash(text), text, label))
    return sorted(alike.values(), key=lambda row: (row.label, row.id))


def read_rows(path: Path) -> list[dict]:
    """The lines of a set's file. Raises DataError where it is not there."""
    if not path.is_file():
        raise DataError("this set's file is not there", where=path, fix="--data FOLDER, one that holds the public sets")
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]

"""What the values of a column say of it: a text, a list of texts, an identifier, the name of a split.

query_split   train, test, train, ...        the name of a split
paper_id      SysEexbRb, H1lFZnR9K7, ...     an identifier
sql           SELECT ..., SELECT ...         a text: may be the answer
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean
from typing import Any

from tuneoff.data.folder import SPLIT_OF
from tuneoff.data.format import Row
from tuneoff.data.labels import guess_kind
from tuneoff.data.read import columns_of
from tuneoff.data.shapes import listed, text_of

__all__ = ["ABOUT_RECORD", "Column", "look_at", "words"]

EXAMPLES = 2
ABOUT_RECORD = "about the record"
SHOWN_CHARACTERS = 60
SPLIT_NAMES = {"split", "fold", "subset", "partition"}
IDENTIFIERS = {"id", "ids", "uuid", "guid", "idx", "index", "nr", "number", "key", "hash", "url", "uri", "link", "path",
               "file", "filename", "md5", "sha1", "sha256"}  # fmt: skip
ABOUT = {"source", "sources", "dataset", "generator", "model", "annotator", "author", "user", "at", "date", "time",
         "timestamp", "created", "updated", "version", "license", "licence", "lang", "language", "position",
         "count", "split", "tags", "metadata", "meta"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Column:
    """values: of the good rows, without those that are missing. missing: how many these are."""

    name: str
    values: tuple[Any, ...]
    missing: int

    @cached_property
    def texts(self) -> list[str]:
        return [text_of(value) for value in self.values]

    @property
    def plain(self) -> bool:
        """Whether it holds a text, a number or a truth value in every row."""
        return bool(self.values) and not self.missing and all(isinstance(v, str | int | float) for v in self.values)

    @property
    def lists(self) -> bool:
        """Whether it holds a list of texts in every row; some may be empty."""
        values = [listed(value) for value in self.values]
        return any(values) and all(
            isinstance(value, list | tuple) and all(isinstance(text, str) for text in value) for value in values
        )

    @property
    def may_answer(self) -> bool:
        """Whether each row has a text or a list of texts here, and nothing speaks against its being the answer."""
        return (self.plain or (self.lists and not self.missing)) and not self.doubt

    @property
    def spoken(self) -> bool:
        """Whether its texts have letters in them, most of them."""
        return sum(any(map(str.isalpha, text)) for text in self.texts) > 0.5 * len(self.texts)

    @property
    def records(self) -> bool:
        """Whether it holds a list of objects in every row."""
        return bool(self.values) and all(
            isinstance(value, list | tuple) and value and all(isinstance(each, dict) for each in value)
            for value in self.values
        )

    @cached_property
    def distinct(self) -> int:
        return len(set(self.texts))

    @property
    def length(self) -> float:
        """Characters on average."""
        return mean(map(len, self.texts)) if self.values else 0.0

    @cached_property
    def repeats(self) -> bool:
        """Whether few short values come back, as labels do."""
        return self.plain and guess_kind(self.texts) == "choice"

    @cached_property
    def doubt(self) -> str:
        """Why it is hardly the answer; "" where nothing speaks against it."""
        last = words(self.name).split()[-1:]
        if not self.values:
            return "empty"
        if self.distinct == 1:
            return "the same in every row"
        if self.plain and ({*last} & SPLIT_NAMES or {text.lower() for text in self.texts} <= {*SPLIT_OF}):
            return "the name of a split"
        if {*last} & IDENTIFIERS or "id" in words(self.name).split() or self._numbered:
            return "an identifier"
        if {*last} & ABOUT or words(self.name).split()[:1] in (["n"], ["num"]):
            return ABOUT_RECORD
        return ""

    @property
    def _numbered(self) -> bool:
        """Whether every row has its own value, of one word with a digit in it: 17, task664-e5a1, 2-15621965-20."""
        texts = self.texts
        if not self.plain or len(set(texts)) < len(texts) or len(texts) < EXAMPLES:
            return False
        if any(isinstance(value, float) and value % 1 for value in self.values):
            return False  # a measure
        numbers = [int(text) for text in texts if re.fullmatch(r"\d{1,18}", text)]
        if len(numbers) == len(texts):
            return numbers == sorted(numbers)
        return all(re.fullmatch(r"\S*\d\S*", text) and len(text) >= 6 for text in texts)

    @property
    def groups(self) -> bool:
        """Whether it may say which records belong together: an identifier whose values come back."""
        if not {*words(self.name).split()[-1:]} & IDENTIFIERS or not self.plain:
            return False
        counts = Counter(self.texts)
        return 10 <= len(counts) <= 0.8 * len(self.values)

    @property
    def examples(self) -> list[str]:
        """A few different values, cut to fit a line."""
        few = list(dict.fromkeys(" ".join(text.split()) for text in self.texts[:50]))[:EXAMPLES]
        return [text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..." for text in few]


def look_at(rows: Sequence[Row]) -> dict[str, Column]:
    """The columns of a file, in order of appearance."""
    tables = [row.table for row in rows if not row.broken]
    columns = {}
    for name in columns_of(rows):
        found = [table.get(name) for table in tables]
        values = tuple(value for value in found if not _missing(value))
        columns[name] = Column(name=name, values=values, missing=len(found) - len(values))
    return columns


def words(column: str) -> str:
    """A column's name in words: Ticket_Text and ticketText are "ticket text"."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column)
    return re.sub(r"[\W_]+", " ", apart).strip().lower() or column


def _missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))

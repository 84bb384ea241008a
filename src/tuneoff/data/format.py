"""The contract of a data format: a name in, rows out, each with the line it stands on.

    {"text": "card not arrived yet", "label": "card_arrival"}   in line 17 of tickets.jsonl is
    Row({"text": "card not arrived yet", "label": "card_arrival"}, 17)

A row that cannot be read is handed on as a row with `broken` set, so that reading goes on and all bad rows
of a file are reported together. Only a file that cannot be read at all is an error at once.
"""

import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from tuneoff.core.errors import DataError
from tuneoff.core.files import written
from tuneoff.core.text import decode

__all__ = ["Format", "Row", "check_name", "read_text", "write_text"]


class Row(NamedTuple):
    """table: column to value. line: counted from 1; the row's number where the format has no lines.

    broken: why the row cannot be read (its table is then empty); "" for a good one. file: which one of a folder.
    """

    table: Mapping[str, Any]
    line: int
    broken: str = ""
    file: str = ""

    def place(self, path: str) -> str:
        """file:line, where `path` is what was read: a file, a folder or a hub id."""
        place = Path(path.partition("#")[0], self.file).as_posix() if self.file else path
        return f"{place}:{self.line}"


class Format:
    """One class per file of formats/. suffixes: endings of the names it reads, in small letters."""

    suffixes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def accepts(cls, path: str) -> bool:
        """Whether `format = "auto"` gives it this name."""
        return bool(cls.suffixes) and path.lower().endswith(cls.suffixes)

    @classmethod
    def remote(cls, path: str) -> bool:
        """Whether this name can be fetched where no such file is on the disk."""
        return False

    def read(self, path: str | Path) -> Iterator[Row]:
        """The rows in their order. Raises DataError where the file as a whole cannot be read."""
        raise NotImplementedError

    def write(self, path: str | Path, tables: Sequence[Mapping[str, Any]]) -> None:
        """The inverse of read, so that answers go back in the form that the records came in."""
        raise NotImplementedError


def check_name(path: str | Path) -> None:
    """Raise DataError where a file's name is no text: it could be written neither into a study file nor a report."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise DataError("the name of the file is not UTF-8 text", where=ascii(str(path)), fix="rename it") from None


def read_text(path: str | Path) -> str:
    """A text file, whole; .gz is unpacked and a byte order mark dropped. Raises DataError if it is not UTF-8."""
    return decode(_bytes(Path(path)), path, "the file", DataError)


def write_text(path: str | Path, text: str) -> None:
    """The inverse: UTF-8, packed where the name ends in .gz; whole, or the old file stays as it was."""
    data = text.encode("utf-8")
    with written(Path(path)) as temporary:
        temporary.write_bytes(gzip.compress(data) if str(path).lower().endswith(".gz") else data)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix.lower() == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            "the file cannot be read", where=path, found=error, fix="check the file and its rights"
        ) from None

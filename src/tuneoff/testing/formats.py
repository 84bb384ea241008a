"""What every data format must do. Each check takes a Format class and an empty folder, and raises AssertionError.

for name in plugins.names("formats"):
    for check in CHECKS:
        check(plugins.load("formats", name), folder)
"""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from tuneoff.core.errors import DataError
from tuneoff.data.format import Format
from tuneoff.data.values import as_text

__all__ = [
    "CHECKS",
    "check_bad_bytes",
    "check_contract",
    "check_empty",
    "check_light_import",
    "check_round_trip",
    "check_values",
]

SAMPLE = [
    {"text": "card not arrived yet", "label": "card_arrival"},
    {"text": 'he said "no", then; left|quietly\tat once', "label": "complaint"},
    {"text": "two\nlines, Grüße, 你好, 🙂", "label": "greeting"},
    {"text": "a line separator \u2028 inside", "label": "greeting"},
    {"text": "007", "label": "code"},
    {"text": '"Great lamp, they said', "label": "praise"},
]
VALUES = [
    {"text": "a", "whole": 3, "part": 4.4, "mixed": 1, "none": None},
    {"text": "b", "whole": None, "part": 0.1, "mixed": "one", "none": None},
    {"text": "c", "whole": 5, "part": 1e-5, "mixed": 1.5, "none": None},
]
HEAVY = ("datasets", "pandas", "pyarrow", "torch", "transformers")


def check_contract(cls: type[Format], folder: Path) -> None:
    """A documented subclass; its endings are small letters behind a dot; what it writes it also accepts."""
    assert issubclass(cls, Format), f"{cls} is no Format"
    assert cls.__doc__, f"{cls} has no docstring"
    assert all(ending.startswith(".") and ending == ending.lower() for ending in cls.suffixes)
    path = _sample(cls, folder)
    assert cls.accepts(str(path)), f"{cls.__name__} does not accept {path.name}, which it wrote"
    assert not cls.accepts("notes.unknown"), f"{cls.__name__} accepts a name that is not its own"


def check_round_trip(cls: type[Format], folder: Path) -> None:
    """Under each ending reading gives what was written, text by text, with rising lines, and gives it twice."""
    for ending in cls.suffixes or ("",):
        path = folder / f"sample{ending}"
        cls().write(path, SAMPLE)
        rows = list(cls().read(path))
        assert [dict(row.table) for row in rows] == SAMPLE
        assert all(not row.broken for row in rows)
        lines = [row.line for row in rows]
        assert lines[0] >= 1
        assert all(a < b for a, b in pairwise(lines)), f"lines do not rise: {lines}"
        assert list(cls().read(path)) == rows


def check_values(cls: type[Format], folder: Path) -> None:
    """Numbers, missing values and columns of several types come back as the texts that they are."""
    path = _path(cls, folder)
    cls().write(path, VALUES)
    read = [{name: as_text(value) for name, value in row.table.items()} for row in cls().read(path)]
    assert read == [{name: as_text(value) for name, value in table.items()} for table in VALUES]


def check_empty(cls: type[Format], folder: Path) -> None:
    """A file of no bytes has no rows, or is a DataError."""
    assert not _read_or_refuse(cls, folder, b"")


def check_bad_bytes(cls: type[Format], folder: Path) -> None:
    """Bytes that mean nothing give broken rows or a DataError: never a good row, never another exception."""
    for bad in (b"\xff\xfe\x00garbage\x9d", b"[[[[", b'{"a": ', b"PAR1 not really PAR1"):
        assert all(row.broken for row in _read_or_refuse(cls, folder, bad)), f"a good row from {bad!r}"


def check_light_import(cls: type[Format], folder: Path) -> None:
    """The module imports no heavy library before it reads."""
    code = f"import sys, {cls.__module__}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", f"{cls.__module__} imports {done.stdout.strip()} at once"


CHECKS = (check_contract, check_round_trip, check_values, check_empty, check_bad_bytes, check_light_import)


def _path(cls: type[Format], folder: Path) -> Path:
    return folder / f"sample{cls.suffixes[0] if cls.suffixes else ''}"


def _sample(cls: type[Format], folder: Path) -> Path:
    path = _path(cls, folder)
    cls().write(path, SAMPLE)
    return path


def _read_or_refuse(cls: type[Format], folder: Path, data: bytes) -> list:
    path = _path(cls, folder)
    path.write_bytes(data)
    try:
        return list(cls().read(path))
    except DataError:
        return []

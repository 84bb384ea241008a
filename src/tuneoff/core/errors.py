"""Errors that teach: what went wrong, what was found, what is allowed, what to type next.

    TuneoffError
    ├── DataError        a file, a row, a column, a split
    ├── ConfigError      a study file, a knob, a method's name
    ├── ModelError       a model that cannot be found, loaded or adapted as asked
    ├── StudyError       a run folder that does not fit what is asked of it
    ├── ResourceError    disk, memory
    └── MissingExtra     an optional package that is not installed

The command line prints one of these without a traceback and leaves with status 2; any other exception is
a bug of ours and keeps its traceback.
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "BrokenPathWarning",
    "ConfigError",
    "DataError",
    "MissingExtra",
    "ModelError",
    "ResourceError",
    "StudyError",
    "TuneoffError",
    "nearest",
]


class TuneoffError(Exception):
    """A mistake that the person can fix.

    problem: one sentence. where: file, or file:line. found / allowed: what was given, what may be given.
    fix: what to type or change next.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: object = None,
        found: object = None,
        allowed: object = None,
        fix: object = None,
    ):
        self.problem = problem
        parts = [("where", where), ("found", found), ("allowed", allowed), ("fix", fix)]
        lines = [f"  {name + ':':<9}{_flat(value)}" for name, value in parts if value not in (None, "", [], ())]
        super().__init__("\n".join([problem, *lines]))


class DataError(TuneoffError):
    """A file, a row, a column or a split is not as it must be."""


class ConfigError(TuneoffError):
    """A study file, a knob or a name in it is not known."""


class ModelError(TuneoffError):
    """A model cannot be found, loaded or adapted as asked."""


class StudyError(TuneoffError):
    """A run folder does not fit what is asked of it."""


class ResourceError(TuneoffError):
    """The disk or the memory is used up."""


class MissingExtra(TuneoffError):
    """An optional package is needed and is not installed."""

    def __init__(self, package: str, extra: str, why: str):
        super().__init__(f"{why} needs the package {package!r}", fix=f"pip install 'tuneoff[{extra}]'")


class BrokenPathWarning(RuntimeWarning):
    """A fast path failed with an exception that nobody expects there, and the slower plain path is taken."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The allowed name most like `name`, as a question to print, or the empty string."""
    close = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


def _flat(value: object) -> str:
    if isinstance(value, str):
        return value.replace("\n", "\n" + " " * 11)
    if isinstance(value, Iterable):
        return ", ".join(str(item) for item in value)
    return str(value)

"""Warnings of libraries stand in one line at the end; our own are said at once."""

import subprocess
import sys
import warnings

import pytest

from tuneoff.cli import library_warnings
from tuneoff.cli.library_warnings import held_back


@pytest.fixture
def unasked(monkeypatch):
    """Nobody asked Python for warnings, whatever these tests were started with."""
    monkeypatch.setattr(sys, "warnoptions", [])


def told(*calls):
    """What is said when each of (category, text, file) is warned of, in between them `work`."""
    said = []
    with held_back(lambda word, text: said.append(f"{word} {text}")):
        warnings.simplefilter("always")
        for number, (category, text, file) in enumerate(calls):
            warnings.warn_explicit(text, category, file, 1 + number)
            said.append("work")
    return said


def test_libraries_are_counted_at_the_end(unasked):
    deprecated = (
        FutureWarning,
        "`past_key_values` is deprecated and will be removed in version 5.40.0 of all",
        "/lib/a.py",
    )
    other = (DeprecationWarning, "old", "/lib/b.py")
    assert told(deprecated, deprecated, other) == [
        "work",
        "work",
        "work",
        "note: 2 warnings of libraries are not shown (PYTHONWARNINGS=default shows them), "
        "FutureWarning: `past_key_values` is deprecated and will be removed ...",
    ]
    assert told(other)[-1].startswith("note: 1 warning of a library is not shown")


def test_our_own_is_said_at_once(unasked):
    assert told((UserWarning, "the cache is off", library_warnings.__file__)) == ["note: the cache is off", "work"]


def test_nothing_is_said_of_nothing(unasked):
    assert told() == []


def test_who_asks_python_for_warnings_gets_them():
    code = (
        "import warnings\nfrom tuneoff.cli.library_warnings import held_back\n"
        "with held_back(lambda word, text: print(text)):\n    warnings.warn('shown', FutureWarning)\n"
    )
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True)
    assert "FutureWarning: shown" in done.stderr
    assert done.stdout == ""

"""Errors teach: the parts of a message, the nearest name, one tree."""

from pathlib import Path

import pytest

from tuneoff.core import errors
from tuneoff.core.errors import DataError, MissingExtra, TuneoffError, nearest


def test_parts_stand_under_the_problem_in_their_order():
    error = DataError("broken line", where=Path("a.jsonl:3"), found="x", allowed=["b", "c"], fix="fix that line")
    assert str(error).splitlines() == [
        "broken line",
        "  where:   a.jsonl:3",
        "  found:   x",
        "  allowed: b, c",
        "  fix:     fix that line",
    ]
    assert error.problem == "broken line"


def test_what_is_not_given_is_not_printed():
    assert str(DataError("broken", where=None, found="", allowed=[], fix=())) == "broken"


def test_zero_is_something_found():
    assert "found:   0" in str(DataError("none", found=0))


def test_a_text_of_several_lines_keeps_its_margin():
    assert str(DataError("p", found="one\ntwo")) == "p\n  found:   one\n           two"


@pytest.mark.parametrize(
    ("name", "said"),
    [("lroa", "did you mean 'lora'?"), ("soft_prompts", "did you mean 'soft_prompt'?"), ("zzzz", ""), ("", "")],
)
def test_nearest(name, said):
    assert nearest(name, ["lora", "soft_prompt", "prefix"]) == said


def test_a_missing_package_prints_its_install_line():
    error = MissingExtra("datasets", "hub", "reading owner/name")
    assert str(error) == "reading owner/name needs the package 'datasets'\n  fix:     pip install 'tuneoff[hub]'"


def test_all_errors_are_of_one_tree():
    kinds = [getattr(errors, name) for name in errors.__all__ if name not in ("nearest", "BrokenPathWarning")]
    assert len(kinds) == 7
    assert all(issubclass(kind, TuneoffError) for kind in kinds)

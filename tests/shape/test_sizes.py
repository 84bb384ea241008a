"""Small: functions that fit a screen, files that fit a sitting, few parameters, nothing passed on unseen."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tuneoff

ROOT = Path(tuneoff.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.parent.rglob("*.py"))

FUNCTION_LINES = 60
FILE_LINES = 400
POSITIONAL = 7  # parameters that may be given without their name
PARAMETERS = 16  # all of them; load_data has one for each key of [data]

# `knob` hands its limits (ge, gt, le, lt) on to pydantic as they are: a thin pass-through. What stands in for a layer's
# forward takes whatever its architecture gives it, a cache whatever its release of transformers does. 2026-11.
FORWARDS = {f"engine/{file}.py:forward" for file in ("again", "below", "last_layer")} | {
    "engine/packed.py:_attention",
    "engine/packed.py:update",
}
PASS_THROUGH = {"core/config.py:knob", *FORWARDS}
# One test of a whole article may be long. Looked at 2026-07: none is.
LONG = set()


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def where(path: Path, function: ast.FunctionDef) -> str:
    return f"{path.relative_to(ROOT).as_posix()}:{function.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_source_file(path):
    own = list(functions(path))
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES
    long = {where(path, f): f.end_lineno - f.lineno + 1 for f in own if f.end_lineno - f.lineno >= FUNCTION_LINES}
    assert {name: lines for name, lines in long.items() if name not in LONG} == {}
    wide = {where(path, f): len(f.args.posonlyargs + f.args.args) for f in own}
    assert {name: count for name, count in wide.items() if count > POSITIONAL} == {}
    many = {where(path, f): len(f.args.posonlyargs + f.args.args + f.args.kwonlyargs) for f in own}
    assert {name: count for name, count in many.items() if count > PARAMETERS} == {}
    assert [where(path, f) for f in own if f.args.kwarg and where(path, f) not in PASS_THROUGH] == []


def test_the_allowances_are_still_needed():
    passing = {where(path, f) for path in FILES for f in functions(path) if f.args.kwarg}
    assert passing >= PASS_THROUGH


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_test_file(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES
    assert [f.name for f in functions(path) if f.end_lineno - f.lineno >= FUNCTION_LINES] == []


def test_test_files_have_names_of_their_own():
    names = [path.name for path in TESTS]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []

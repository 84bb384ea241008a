"""What the source says of itself: every file opens with its purpose, and speaks of the project alone."""

import ast
import re
from pathlib import Path

import pytest

import tuneoff

ROOT = Path(tuneoff.__file__).parent
REPOSITORY = Path(__file__).parents[2]
FILES = sorted(ROOT.rglob("*.py"))
DOCUMENTS = [
    path
    for folder in ("docs", "benchmarks", "scripts", "tests")
    for path in (REPOSITORY / folder).rglob("*")
    if path.suffix in (".py", ".md", ".toml", ".sh")
]
SOURCES = [path for path in ROOT.rglob("*") if path.suffix in (".py", ".toml", ".html", ".css", ".js", ".md")]

FOREIGN = re.compile(r"/(work|root|tmp/dev-venv)/|\b(TODO|FIXME|XXX)\b")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_opens_with_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = ast.get_docstring(tree) or ""
    assert len(said.split()) >= 3 or path.name == "__main__.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_exported_exists(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exported = [n for n in tree.body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__"]
    if not exported or (path.parent == ROOT and path.stem == "__init__"):
        return
    names = ast.literal_eval(exported[0].value)
    own = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    own |= {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    own |= {n.target.id for n in tree.body if isinstance(n, ast.AnnAssign)}
    if path.stem == "__init__":  # a package may hand on what its files define
        own |= {each.name for n in tree.body if isinstance(n, ast.ImportFrom) for each in n.names}
    own |= {word.id for word in ast.walk(tree) if isinstance(word, ast.Name) and isinstance(word.ctx, ast.Store)}
    assert set(names) <= own
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", SOURCES + DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_the_project_speaks_of_itself_alone(path):
    if path == Path(__file__):
        return  # it names what it looks for
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FOREIGN.search(line)
    ]
    assert found == []

"""The house stands on floors: imports go down, never sideways or up, and no plugin is known by name."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import tuneoff

ROOT = Path(tuneoff.__file__).parent

FLOORS = {
    "core": 0,
    "data": 1,
    "stats": 1,
    "models": 2,
    "engine": 3,
    "evaluation": 4,
    "study": 5,
    "report": 6,
    "serve": 6,
    "cli": 7,
    "api": 7,
}
CONTRACTS = {
    "formats": ("tuneoff.data.format",),
    "metrics": ("tuneoff.evaluation.metric",),
    "methods": ("tuneoff.models",),
}
PLUGIN_FLOOR = 2  # what a plugin may stand on, beside its own contract
TOP = ("__init__", "__main__")  # the doors of the house


class Import(NamedTuple):
    """One import statement: who, of whom, on which line, and whether it runs when the module is imported."""

    of: str
    line: int
    at_once: bool


def module_name(path: Path) -> str:
    parts = ("tuneoff", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
PLUGINS = sorted(
    name for name in FILES if name.split(".")[1:2] and name.split(".")[1] in CONTRACTS and name.count(".") > 1
)


def folder_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(name: str) -> Iterator[Import]:
    """Imports of modules of the house, wherever they stand in the file."""
    late = {
        id(node)
        for function in ast.walk(TREES[name])
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno} imports by dots; write the whole name"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [each if each in FILES else node.module for each in inside]
        elif isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        else:
            continue
        for module in found:
            if module == "tuneoff" or module.startswith("tuneoff."):
                yield Import(module, node.lineno, id(node) not in late)


def test_every_folder_has_its_floor():
    known = {*FLOORS, *CONTRACTS, "testing", *TOP}
    assert {folder_of(name) for name in FILES} <= known


@pytest.mark.parametrize("name", [n for n in FILES if folder_of(n) in FLOORS])
def test_imports_go_down(name):
    here = folder_of(name)
    wrong = [
        f"{name}:{line} imports {of}"
        for of, line, _ in imports(name)
        if of != "tuneoff" and folder_of(of) != here and FLOORS.get(folder_of(of), 99) >= FLOORS[here]
    ]
    assert not wrong


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_stands_on_its_contract_and_the_floors_below(name):
    folder = folder_of(name)
    wrong = [
        f"{name}:{line} imports {of}"
        for of, line, _ in imports(name)
        if FLOORS.get(folder_of(of), 99) > PLUGIN_FLOOR and not of.startswith(CONTRACTS[folder])
    ]
    assert not wrong


@pytest.mark.parametrize("folder", sorted(CONTRACTS))
def test_a_plugin_folder_holds_plugins_only(folder):
    plugins = [name for name in PLUGINS if folder_of(name) == folder]
    assert plugins
    for name in plugins:
        exported = [
            ast.literal_eval(node.value)
            for node in TREES[name].body
            if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
        ]
        classes = [node.name for node in TREES[name].body if isinstance(node, ast.ClassDef)]
        assert len(exported) == 1, f"{name} has no __all__"
        assert len(exported[0]) == 1, f"{name} exports {exported[0]}"
        assert exported[0][0] in classes, f"{name} exports what it does not define"


def test_the_kits_are_for_tests_only():
    users = [
        name
        for name in FILES
        if any(folder_of(i.of) == "testing" for i in imports(name)) and folder_of(name) != "testing"
    ]
    assert users == []


def test_nobody_imports_a_plugin_by_name():
    wrong = [f"{name}:{i.line} imports {i.of}" for name in FILES for i in imports(name) if i.of in PLUGINS]
    assert wrong == []


def test_nobody_asks_for_a_plugin_by_a_name_of_its_own():
    """plugins.load("methods", "lora") in shared code would know a plugin; names come from the study file."""
    wrong = []
    for name, tree in TREES.items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            asked = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            words = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
            if asked == "load" and len(words) == 2 and words[0] in CONTRACTS:
                wrong.append(f"{name}:{call.lineno} loads {words}")
    assert wrong == []


def test_nobody_tests_for_a_plugin_class():
    """isinstance against a contract (AdapterMethod) is fine; against a plugin's class it is not."""
    classes = {name for plugin in PLUGINS for name in ast.literal_eval(_exported(plugin))}
    wrong = []
    for name, tree in TREES.items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if getattr(call.func, "id", "") in ("isinstance", "issubclass"):
                against = {node.id for node in ast.walk(call.args[1]) if isinstance(node, ast.Name)}
                wrong += [f"{name}:{call.lineno} asks for {found}" for found in against & classes]
    assert wrong == []


def _exported(name: str) -> ast.expr:
    return next(n.value for n in TREES[name].body if isinstance(n, ast.Assign) and n.targets[0].id == "__all__")


def test_nobody_branches_on_a_plugin_name():
    """`if method == "lora"` would be a registry in disguise. (The study floor names defaults: an arm without a prompt
    method is asked by zero_shot, a choice table holds majority and tfidf. It puts them in; it does not branch on them.)
    """
    stems = {name.rpartition(".")[2] for name in PLUGINS if folder_of(name) in ("methods", "metrics")}
    wrong = []
    for name, tree in TREES.items():
        compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare | ast.MatchValue)]
        words = [(part.value, node.lineno) for node in compared for part in ast.walk(node) if is_text(part)]
        wrong += [f"{name}:{line} asks for {word!r}" for word, line in words if word in stems]
    assert wrong == []


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_no_cycles():
    """Modules that import each other when they are imported."""
    edges = {name: {i.of for i in imports(name) if i.at_once and i.of in FILES} for name in FILES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in sorted(edges):
        visit(name, ())

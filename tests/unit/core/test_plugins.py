"""The folder is the registry, and a plugin may come from a file or from another package."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tuneoff.core import plugins
from tuneoff.core.errors import ConfigError
from tuneoff.core.plugins import load, names


@pytest.fixture(autouse=True)
def _fresh():
    load.cache_clear()
    yield
    load.cache_clear()


def message(folder, name):
    with pytest.raises(ConfigError) as caught:
        load(folder, name)
    return str(caught.value)


def test_names_are_the_files():
    folder = Path(plugins.ROOT) / "methods"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert set(names("methods")) == files
    assert names("methods") == sorted(names("methods"))


@pytest.mark.parametrize("folder", ["methods", "metrics", "formats"])
def test_every_name_loads_a_class(folder):
    for name in names(folder):
        assert isinstance(load(folder, name), type)
        assert load(folder, name).__module__ == f"tuneoff.{folder}.{name}"


def test_unknown_name():
    said = message("methods", "lroa")
    assert said.startswith("unknown method 'lroa'")
    assert "allowed: " in said
    assert "prefix" in said
    assert "did you mean 'lora'?" in said


def test_unknown_name_like_no_other():
    assert "path/to/file.py:Class for a metric of your own" in message("metrics", "qqqq")


def test_a_hidden_file_is_no_plugin():
    assert "unknown method '__init__'" in message("methods", "__init__")


def test_a_class_of_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    metal = 'gold'\n")
    assert load("methods", f"{file}:Mine").metal == "gold"


def test_a_file_with_dataclasses(tmp_path):
    """dataclasses look their module up by name while the class is made."""
    file = tmp_path / "data_mine.py"
    lines = ["from __future__ import annotations", "from dataclasses import dataclass", "@dataclass", "class Mine:"]
    file.write_text("\n".join([*lines, "    a: int = 3"]))
    assert load("methods", f"{file}:Mine")().a == 3


def test_a_file_that_is_not_there(tmp_path):
    said = message("methods", f"{tmp_path}/none.py:Mine")
    assert "plugin file not found" in said
    assert "the form is path/to/file.py:Class" in said


def test_a_class_that_is_not_in_the_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    pass\n")
    said = message("methods", f"{file}:Mien")
    assert "no 'Mien' in the plugin file" in said
    assert "did you mean 'Mine'?" in said


def test_an_installed_entry_point(monkeypatch):
    point = EntryPoint("fractions_one", "fractions:Fraction", "tuneoff.methods")

    def points(*, group, name=None):
        return [point] if group == "tuneoff.methods" and name in (None, point.name) else []

    monkeypatch.setattr(plugins, "entry_points", points)
    assert "fractions_one" in names("methods")
    assert load("methods", "fractions_one").__name__ == "Fraction"


@pytest.mark.parametrize("exports", ["", "__all__ = []", '__all__ = ["One", "Two"]'])
def test_a_plugin_file_exports_one_class(tmp_path, monkeypatch, exports):
    package = tmp_path / "tuneoff" / "odd"
    package.mkdir(parents=True)
    (package / "two.py").write_text(f"{exports}\nclass One: pass\nclass Two: pass\n")
    monkeypatch.setattr(plugins, "ROOT", tmp_path / "tuneoff")
    import tuneoff

    monkeypatch.setattr(tuneoff, "__path__", [str(tmp_path / "tuneoff")])
    try:
        said = message("odd", "two")
    finally:
        sys.modules.pop("tuneoff.odd.two", None)
        sys.modules.pop("tuneoff.odd", None)
    assert "a plugin file exports exactly one class" in said
    assert '__all__ = ["TheClass"]' in said

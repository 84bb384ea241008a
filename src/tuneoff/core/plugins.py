"""The folder is the registry: a plugin is the one class that a file of a plugin folder exports.

    methods/lora.py        __all__ = ["Lora"]        load("methods", "lora") is Lora

A study may also name `path/to/file.py:Class`, or the name of an installed entry point of the group
`tuneoff.methods` (`tuneoff.metrics`, ...). Nothing else lists the plugins, so adding one is adding one file.
"""

import importlib
import importlib.util
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tuneoff.core.errors import ConfigError, nearest
from tuneoff.core.identity import content_hash

__all__ = ["load", "names"]

ROOT = Path(__file__).resolve().parent.parent


def names(folder: str) -> list[str]:
    """The names a plugin folder offers, installed entry points included. Imports none of them."""
    own = [path.stem for path in (ROOT / folder).glob("*.py") if not path.stem.startswith("_")]
    return sorted({*own, *(point.name for point in entry_points(group=f"tuneoff.{folder}"))})


@cache
def load(folder: str, name: str) -> Any:
    """The class behind a name. Raises ConfigError with the nearest name where there is none."""
    if ".py:" in name:
        return _from_file(name)
    if (ROOT / folder / f"{name}.py").is_file() and not name.startswith("_"):
        return _exported(importlib.import_module(f"tuneoff.{folder}.{name}"))
    for point in entry_points(group=f"tuneoff.{folder}", name=name):
        return point.load()
    allowed = names(folder)
    kind = folder.rstrip("s")
    raise ConfigError(
        f"unknown {kind} {name!r}",
        allowed=allowed,
        fix=nearest(name, allowed) or f"use one of these, or path/to/file.py:Class for a {kind} of your own",
    )


def _exported(module: ModuleType) -> Any:
    exported = getattr(module, "__all__", [])
    if len(exported) != 1:
        raise ConfigError(
            "a plugin file exports exactly one class",
            where=module.__file__,
            found=exported or "no __all__",
            fix='write __all__ = ["TheClass"] in it',
        )
    return getattr(module, exported[0])


def _from_file(name: str) -> Any:
    path, _, attribute = name.rpartition(":")
    file = Path(path)
    if not file.is_file():
        raise ConfigError("plugin file not found", where=name, fix="check the path; the form is path/to/file.py:Class")
    spec = importlib.util.spec_from_file_location(f"tuneoff_plugin_{content_hash(str(file.resolve()))}", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pydantic look annotations up there
    spec.loader.exec_module(module)
    if not hasattr(module, attribute):
        public = [key for key in vars(module) if not key.startswith("_")]
        raise ConfigError(f"no {attribute!r} in the plugin file", where=path, fix=nearest(attribute, public) or None)
    return getattr(module, attribute)

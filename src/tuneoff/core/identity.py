"""Content hashes: the same content has the same name on every machine, so nothing is paid for twice."""

import hashlib
import json
from pathlib import Path
from typing import Any

__all__ = ["canonical", "content_hash", "file_hash"]


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def content_hash(value: Any, length: int = 16) -> str:
    """The first `length` hex digits of SHA-256 over the canonical JSON of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:length]


def file_hash(path: Path) -> str:
    """SHA-256 of a file, whole, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)

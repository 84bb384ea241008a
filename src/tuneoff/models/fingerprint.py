"""What a model is, as one hash over its content: weights, configuration, tokenizer.

The same files have the same fingerprint wherever they lie; another adapter merged in, another chat template or
another special token gives another one. Hashes of files are remembered by size and time of change, so a 10 GB
model is read once, not at every start.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tuneoff.core.files import cache_folder, write_text
from tuneoff.core.identity import content_hash, file_hash

__all__ = ["folder_fingerprint", "remembered_hash"]

FILES = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "vocab.*",
    "merges.txt",
    "*.py",
)


def folder_fingerprint(folder: Path, files: Sequence[str] = FILES) -> str:
    """64 hex digits over the files that make the model; a README or an optimizer's state beside them has no say."""
    paths = sorted({path for pattern in files for path in folder.glob(pattern) if path.is_file()})
    return content_hash([[path.name, remembered_hash(path)] for path in paths], length=64)


def remembered_hash(path: Path) -> str:
    """SHA-256 of a file, from memory where size and time of change are as they were."""
    memory_file = cache_folder() / "hashes.json"
    memory = _read(memory_file)
    real = path.resolve()
    state = real.stat()
    seen = [state.st_size, state.st_mtime_ns]
    known = memory.get(str(real))
    if known and known[:2] == seen:
        return known[2]
    digest = file_hash(real)
    # read again: another process may have added to it while this one was hashing
    write_text(memory_file, json.dumps(_read(memory_file) | {str(real): [*seen, digest]}))
    return digest


def _read(memory_file: Path) -> dict[str, list]:
    try:
        return json.loads(memory_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}

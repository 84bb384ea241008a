"""Where converted models are kept, and which ones are there."""

from pathlib import Path

from tuneoff.core.files import cache_folder

__all__ = ["CONVERSION", "converted_folder", "kept_models"]

# Goes up when the conversion gives other weights or another tokenizer, so that neither an old folder nor an old
# fingerprint passes for the new one.
CONVERSION = 1


def converted_folder(name: str, sha256: str) -> Path:
    """Where the model made from the GGUF file of that hash is kept."""
    return cache_folder() / "models" / f"{name}-{sha256[:8]}-v{CONVERSION}"


def kept_models() -> dict[Path, int]:
    """Bytes of each converted model in the cache, by folder."""
    folders = (cache_folder() / "models").glob("[!.]*/")
    return {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in sorted(folders)}

"""Writing that is whole or not at all: a killed run, or a full disk, never leaves half a file."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_dir

from tuneoff.core.errors import ResourceError

__all__ = ["cache_folder", "disk_full", "disk_guard", "write_text", "written"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cache_folder() -> Path:
    """Where converted models and fetched files are kept: $TUNEOFF_CACHE, or the user's cache folder."""
    folder = Path(os.environ.get("TUNEOFF_CACHE") or user_cache_dir("tuneoff"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def disk_guard(where: Path) -> Iterator[None]:
    """Turn "no space left" into an error that says where, how much is left, and that the run resumes."""
    try:
        yield
    except Exception as error:
        if not _is_full(error):
            raise
        raise disk_full(where) from error


def _is_full(error: Exception) -> bool:
    """No space, no quota, or no larger file allowed; safetensors tells it in words alone."""
    if isinstance(error, OSError):
        return error.errno in FULL
    return any(f"(os error {number})" in str(error) for number in FULL)


def disk_full(where: Path) -> ResourceError:
    return ResourceError(
        "the disk is full",
        where=where,
        fix="free some room and type the same command again: finished jobs are kept, the broken one starts over "
        "from its last checkpoint",
    )


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk_guard(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes it private, whatever the person's umask
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, or leave the old one as it was."""
    with written(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

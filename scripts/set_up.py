"""Makes an environment for this checkout, from nothing: python scripts/set_up.py .venv

    --versions locked    what `make demo`, `make test` and .ci/run use: exact versions, checked by hash
               oldest    every dependency at the lower end of its range in pyproject.toml
               newest    every dependency as it resolves today, whatever the upper end of its range

Locked versions are installed in four steps: the build tools (constraints/build.txt), so that what comes as source is
built by known tools; PyTorch (constraints/torch.txt); all else (constraints/cpu.txt); tuneoff itself. With an NVIDIA
driver PyTorch comes from the package index, with NVIDIA's libraries (constraints/gpu.txt). Needs Python 3.11 or newer
and nothing else.
"""

import argparse
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "constraints"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TRIED_PYTHONS = ((3, 11), (3, 12), (3, 13))
QUIET = ("--quiet", "--disable-pip-version-check")


class Environment:
    """An empty virtual environment, and pip inside it."""

    def __init__(self, folder: Path):
        venv.create(folder, clear=True, with_pip=True)
        self.python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"

    def pip_install(self, *what: str) -> None:
        """Ends the program with pip's own message where pip fails."""
        if not self.can_pip_install(*what):
            sys.exit(f"set-up failed at: pip install {' '.join(what)}")

    def uv_install(self, *what: str) -> None:
        """As pip_install; uv resolves ranges faster, and sees all releases of an index that a pip.conf may cap."""
        self.pip_install("uv")
        command = [self.python, "-m", "uv", "pip", "install", "--quiet", "--python", self.python, *what]
        if subprocess.run(command).returncode:
            sys.exit(f"set-up failed at: uv pip install {' '.join(what)}")

    def can_pip_install(self, *what: str) -> bool:
        return subprocess.run([self.python, "-m", "pip", "install", *QUIET, *what]).returncode == 0


def install_locked(env: Environment) -> None:
    build, versions = LOCKS / "build.txt", LOCKS / "cpu.txt"
    if not hashes_fit():
        print(f"Locked versions are installed without hashes: these are for Linux x86-64, Python {tried_pythons()}.")
        with tempfile.TemporaryDirectory() as folder:
            bare = [without_hashes(lock, Path(folder)) for lock in (build, LOCKS / "torch.txt", versions)]
            for lock, options in zip(bare, ([], [], ["--no-build-isolation"])):
                env.pip_install(*options, "-r", str(lock))
        return
    env.pip_install("--require-hashes", "-r", str(build))
    if has_nvidia_driver() or not installs_cpu_torch(env):
        versions = LOCKS / "gpu.txt"
    env.pip_install("--require-hashes", "--no-build-isolation", "-r", str(versions))


def installs_cpu_torch(env: Environment) -> bool:
    """PyTorch's own index has the CPU builds for Linux; without hashes, since it does not publish them in advance."""
    options = ("--no-deps", "--retries", "1", "--timeout", "15", "--index-url", CPU_INDEX)
    if env.can_pip_install(*options, "-r", str(LOCKS / "torch.txt")):
        return True
    print(f"{CPU_INDEX} has no such build, or cannot be reached: the build for NVIDIA GPUs is installed (3 GB).")
    return False


def install_oldest(env: Environment) -> None:
    env.uv_install(*map(at_lower_end, dependencies()), *development_tools())


def install_newest(env: Environment) -> None:
    env.uv_install("--upgrade", *map(without_upper_end, dependencies()), *development_tools())


def hashes_fit() -> bool:
    """Whether this is a system that constraints/ was resolved and tried for."""
    on_linux = sys.platform == "linux" and platform.machine() == "x86_64"
    return on_linux and sys.version_info[:2] in TRIED_PYTHONS


def has_nvidia_driver() -> bool:
    return shutil.which("nvidia-smi") is not None


def tried_pythons() -> str:
    return ", ".join(f"{major}.{minor}" for major, minor in TRIED_PYTHONS)


def without_hashes(lock: Path, folder: Path) -> Path:
    """The same requirements as a file in `folder`, name, version and marker alone."""
    bare = folder / lock.name
    bare.write_text("\n".join(pinned(lock.read_text(encoding="utf-8"))), encoding="utf-8")
    return bare


def pinned(lock: str) -> Iterable[str]:
    """`name==version ; marker` of each requirement of a lock."""
    for line in lock.splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            yield line.rstrip("\\ ")


def dependencies() -> list[str]:
    return project()["dependencies"]


def development_tools() -> list[str]:
    return project()["optional-dependencies"]["dev"]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def at_lower_end(requirement: str) -> str:
    """`torch>=2.6,<2.16` -> `torch==2.6`"""
    return re.sub(r">=([\w.]+).*", r"==\1", requirement)


def without_upper_end(requirement: str) -> str:
    """`torch>=2.6,<2.16` -> `torch>=2.6`"""
    return re.sub(r",<.*", "", requirement)


INSTALL = {"locked": install_locked, "oldest": install_oldest, "newest": install_newest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--versions", choices=INSTALL, default="locked")
    asked = parser.parse_args()
    print(f"Setting up {asked.folder} with the {asked.versions} versions. This takes a few minutes.", flush=True)
    env = Environment(asked.folder)
    INSTALL[asked.versions](env)
    env.pip_install("--require-hashes", "-r", str(LOCKS / "build.txt"))
    env.pip_install("--no-deps", "--no-build-isolation", "--editable", str(ROOT))


if __name__ == "__main__":
    main()

"""Writes what a set-up installs, with the hashes of the package index: python scripts/lock.py (make lock)

    constraints/build.txt    tools that build what comes as source
    constraints/gpu.txt      all that the project and its tests need, PyTorch and NVIDIA's libraries included
    constraints/cpu.txt      the same without those two: PyTorch's CPU builds have an index of their own

uv resolves once for all systems and Pythons, under the release of PyTorch that constraints/torch.txt names. After it,
raise the upper ends in pyproject.toml to what tests/shape/test_ranges.py asks for.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "constraints"
FOR_SOURCES = ("editables", "setuptools", "wheel")
WITH_TORCH = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")
HEAD = "# Written by `make lock`; see scripts/lock.py.\n"


def resolved(uv: Path, *sources: Path | str) -> str:
    """Requirements with hashes, one block each, for every system and every Python from 3.11 on."""
    form = ("--generate-hashes", "--no-header", "--no-annotate", "--quiet")
    command = [uv, "pip", "compile", "--universal", "--python-version", "3.11", *form, *sources]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def blocks(lock: str) -> list[str]:
    """Each requirement with the lines of its hashes."""
    return re.findall(r"^\S.*\n(?:[ \t]+.*\n)*", lock, re.MULTILINE)


def build_tools(folder: Path) -> Path:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    file = folder / "build.in"
    file.write_text("\n".join([*asked, *FOR_SOURCES]), encoding="utf-8")
    return file


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", "uv"], check=True)
        uv = Path(folder, "bin", "uv")
        build = resolved(uv, build_tools(Path(folder)))
        every = resolved(uv, ROOT / "pyproject.toml", LOCKS / "torch.txt", "--extra", "dev")
    locks = {"build": [build], "gpu": blocks(every)}
    locks["cpu"] = [block for block in locks["gpu"] if not WITH_TORCH.match(block)]
    for name, parts in locks.items():
        (LOCKS / f"{name}.txt").write_text(HEAD + "".join(parts), encoding="utf-8")
        print(f"constraints/{name}.txt", file=sys.stderr)


if __name__ == "__main__":
    main()

"""The dependencies of this environment whose release is not the locked one: .venv-newest/bin/python scripts/versions.py

transformers  5.25.0   (locked: 5.24.0)
"""

import re
import sys
from importlib.metadata import version
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def locked() -> dict[str, str]:
    """Name to version, for this Python and system."""
    lock = "".join((ROOT / "constraints" / name).read_text(encoding="utf-8") for name in ("torch.txt", "cpu.txt"))
    pins = re.findall(r"^([\w.-]+)==([\w.]+)(?: ; ([^\\\n]+))?", lock, re.MULTILINE)
    return {name: release for name, release, marker in pins if not marker or Marker(marker.strip()).evaluate()}


def dependencies() -> list[str]:
    """What pyproject.toml names, as it is read by pip."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(each).name for each in project["dependencies"]]


def differing() -> list[str]:
    pins = locked()
    here = {name: version(name).partition("+")[0] for name in dependencies()}
    return [f"{name:<14}{own:<10}(locked: {pins[name]})" for name, own in here.items() if own != pins[name]]


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}; dependencies that differ from the locked ones:")
    print("\n".join(differing()) or "none")

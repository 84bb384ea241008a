"""The dependencies of this environment whose release is not the locked one: .venv-newest/bin/python scripts/versions.py

transformers  5.25.0   (locked: 5.24.0)
"""

import sys
from importlib.metadata import version

from packaging.requirements import Requirement
from set_up import LOCKS, dependencies, pinned


def locked() -> dict[str, str]:
    """Name to version, for this Python and system."""
    lock = "".join((LOCKS / name).read_text(encoding="utf-8") for name in ("torch.txt", "cpu.txt"))
    pins = map(Requirement, pinned(lock))
    return {pin.name: str(pin.specifier)[2:] for pin in pins if not pin.marker or pin.marker.evaluate()}


def differing() -> list[str]:
    pins = locked()
    names = [Requirement(each).name for each in dependencies()]
    here = {name: version(name).partition("+")[0] for name in names}
    return [f"{name:<14}{own:<10}(locked: {pins[name]})" for name, own in here.items() if own != pins[name]]


if __name__ == "__main__":
    print(f"Python {sys.version.split()[0]}; dependencies that differ from the locked ones:")
    print("\n".join(differing()) or "none")

"""What this machine has, as far as plain Python can tell. None means that it could not be found out."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["Machine", "this_machine"]

UNITS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
CGROUP = Path("/sys/fs/cgroup")


class Machine(NamedTuple):
    """units: the processor's vector and matrix units that speed up a model. driver: version of the NVIDIA driver."""

    system: str
    python: str
    cores: int
    units: list[str] | None
    memory_bytes: int
    free_bytes: int
    driver: str | None


def this_machine() -> Machine:
    total_bytes, free_bytes = _memory()
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        cores=_cores(),
        units=_units(),
        memory_bytes=total_bytes,
        free_bytes=free_bytes,
        driver=_driver(),
    )


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int:
    """Bytes that may still be used, a container's limit respected."""
    return _memory()[1]


def _memory() -> tuple[int, int]:
    """Total and free bytes; inside a container its limit counts, not the host's memory."""
    import psutil

    host = psutil.virtual_memory()
    limit, used = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    if limit is None or used is None or limit > host.total:
        return host.total, host.available
    return limit, min(host.available, limit - used)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such limit, or the word "max"
        return None


def _units() -> list[str] | None:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return None
    found = set(text.split())
    return [unit for unit in UNITS if unit in found]


def _driver() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().partition("\n")[0] or None if done.returncode == 0 else None

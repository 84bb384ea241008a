"""Facts of this machine; in a container its limits count, and what cannot be found out is None."""

import subprocess

from tuneoff.core import machine
from tuneoff.core.machine import this_machine


def test_a_containers_limit_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    host = this_machine().memory_bytes
    (tmp_path / "memory.max").write_text("100000000\n")
    (tmp_path / "memory.current").write_text("99000000\n")
    here = this_machine()
    assert (here.memory_bytes, here.free_bytes) == (100_000_000, 1_000_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert this_machine().memory_bytes == host


def test_the_nvidia_driver(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    assert this_machine().driver is None
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    for status, said, driver in ((0, "570.86.15\n570.86.15\n", "570.86.15"), (9, "driver mismatch", None)):
        done = subprocess.CompletedProcess([], status, said, "")
        monkeypatch.setattr(subprocess, "run", lambda *_, done=done, **__: done)
        assert this_machine().driver == driver


def test_units_are_none_where_they_cannot_be_read(monkeypatch):
    def gone(self):
        raise FileNotFoundError

    assert set(this_machine().units or []) <= set(machine.UNITS)
    monkeypatch.setattr(machine.Path, "read_text", gone)
    assert this_machine().units is None

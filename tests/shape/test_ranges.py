"""What pyproject.toml allows is what was tried: the locked release is the upper end of each range."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
HASHES = r"((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
PIN = re.compile(r"^([\w.-]+)==([\w.]+)(?: ; [^\\\n]*)? \\\n" + HASHES, re.MULTILINE)


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def lock(name: str) -> dict[str, list[Version]]:
    """Name to releases: a lock has several where Pythons differ."""
    pins: dict[str, list[Version]] = {}
    for package, release, _ in PIN.findall((ROOT / "constraints" / f"{name}.txt").read_text(encoding="utf-8")):
        pins.setdefault(package, []).append(Version(release))
    return pins


DEPENDENCIES = [Requirement(each) for each in project()["project"]["dependencies"]]


@pytest.mark.parametrize("needed", [each for each in DEPENDENCIES if each.name != "torch"], ids=str)
def test_a_range_ends_with_the_locked_release(needed):
    newest = max(lock("cpu")[needed.name])
    assert newest in needed.specifier
    assert Version(f"{newest.major}.{newest.minor + 1}") not in needed.specifier, "no wider than what was tried"


def test_both_locks_say_the_same_but_for_torch_and_its_libraries():
    cpu, gpu = lock("cpu"), lock("gpu")
    assert {name: gpu[name] for name in cpu} == cpu
    more = gpu.keys() - cpu.keys()
    assert {"torch", "triton"} < more
    assert all(name.startswith(("torch", "triton", "nvidia-", "cuda-")) for name in more)


def test_torch_is_one_release_everywhere_and_inside_its_range():
    name, _, release = (ROOT / "constraints" / "torch.txt").read_text(encoding="utf-8").strip().partition("==")
    assert lock("gpu")[name] == [Version(release)]
    (needed,) = (each for each in DEPENDENCIES if each.name == "torch")
    assert Version(release) in needed.specifier


@pytest.mark.parametrize("name", ["build", "cpu", "gpu"])
def test_every_line_of_a_lock_has_its_hashes(name):
    text = (ROOT / "constraints" / f"{name}.txt").read_text(encoding="utf-8")
    assert len(PIN.findall(text)) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE)) > 0


def test_what_builds_tuneoff_is_locked():
    assert all(Requirement(each).name in lock("build") for each in project()["build-system"]["requires"])


def set_up():
    """scripts/set_up.py, which is no package."""
    spec = importlib.util.spec_from_file_location("set_up", ROOT / "scripts" / "set_up.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_oldest_versions_are_the_lower_ends():
    script = set_up()
    oldest = [Requirement(script.at_lower_end(each)) for each in script.dependencies()]
    for needed, pin in zip(DEPENDENCIES, oldest, strict=True):
        (only,) = pin.specifier
        assert (pin.name, only.operator) == (needed.name, "==")
        assert Version(only.version) == min(Version(each.version) for each in needed.specifier)


def test_the_newest_versions_know_no_upper_end():
    script = set_up()
    for each in map(script.without_upper_end, script.dependencies()):
        assert Version("999") in Requirement(each).specifier


def test_without_hashes_a_lock_keeps_versions_and_markers():
    script = set_up()
    bare = list(script.pinned((ROOT / "constraints" / "cpu.txt").read_text(encoding="utf-8")))
    assert all("--hash" not in line and Requirement(line).specifier for line in bare)
    assert any(Requirement(line).marker for line in bare)
    assert {Requirement(line).name for line in bare} == lock("cpu").keys()

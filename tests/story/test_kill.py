"""A run that is killed, again and again, ends where an undisturbed one does, and pays for nothing twice."""

import os
import signal
import time

import pytest

from tiny_study import job_rows, put_model, put_rows, put_study, rows, standings, started, tuneoff

ARMS = ["zero_shot", "few_shot", "lora", "soft_prompt -> lora"]
STUDY = {"trials": 3, "train": {"epochs": 6.0, "checks": 4}, "data": {"train_records": 40}}
PATIENCE_S = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("kill")
    put_model(made)
    put_rows(made / "data.jsonl", rows())
    put_study(made, ARMS, **STUDY)
    return made


@pytest.fixture(scope="module")
def whole(folder):
    """The undisturbed run."""
    done = tuneoff(folder, "run", "study.toml", "--out", "whole")
    assert done.returncode == 0, done.stderr
    return folder / "whole"


def counted(run):
    """How far the ledger is: rungs reached, and tests."""
    return sum(row["rung"] + row["tested"] for row in job_rows(run))


def settled(run):
    """Attempts of the jobs that nothing more is to be done for."""
    return {row["key"]: row["attempts"] for row in job_rows(run) if row["status"] in ("done", "dropped")}


def wait_for(process, ready):
    """Until the ledger says so, or the process is over."""
    until = time.monotonic() + PATIENCE_S
    while process.poll() is None and not ready():
        assert time.monotonic() < until, "no progress"
        time.sleep(0.02)


def running(run):
    return any(row["status"] == "running" for row in job_rows(run))


def kill(process, how=signal.SIGKILL):
    os.killpg(process.pid, how)
    return process.communicate(timeout=60)


def test_killed_three_times(folder, whole):
    run, total = folder / "killed", counted(whole)
    was_done, broken = {}, []
    for share in (0.15, 0.4, 0.65):
        process = started(folder, "run", "study.toml", "--out", "killed")
        wait_for(process, lambda share=share: counted(run) >= share * total and (share > 0.5 or running(run)))
        assert process.poll() is None, "it was to be killed in its middle"
        kill(process)
        now = {row["key"]: row["attempts"] for row in job_rows(run)}
        assert {key: now[key] for key in was_done} == was_done, "a finished job is never started again"
        was_done |= settled(run)
        broken.append({row["key"]: row["attempts"] for row in job_rows(run) if row["status"] == "running"})
    assert not (run / "verdict.json").exists()
    last = tuneoff(folder, "run", "study.toml", "--out", "killed")
    assert last.returncode == 0, last.stderr
    assert standings(run) == standings(whole)
    rows_now = {row["key"]: row for row in job_rows(run)}
    assert {key: rows_now[key]["attempts"] for key in was_done} == was_done
    interrupted = {key for each in broken for key in each}
    again = {key for key, row in rows_now.items() if row["attempts"] > 1}
    assert again <= interrupted, "only what was broken off is started again"
    assert len(again) >= 1
    assert rows_now.keys() == {row["key"] for row in job_rows(whole)}
    assert {key: row["status"] for key, row in rows_now.items()} == {
        row["key"]: row["status"] for row in job_rows(whole)
    }
    assert {row["status"] for row in rows_now.values()} == {"done", "dropped"}
    assert not list(run.glob(".best*"))
    assert not list(run.rglob(".*.safetensors*")), "no half files are left in what counts"


def test_ctrl_c_says_that_nothing_is_lost(folder, whole):
    run = folder / "stopped"
    process = started(folder, "run", "study.toml", "--out", "stopped")
    wait_for(process, lambda: counted(run) >= 9 and running(run))
    _, error = kill(process, signal.SIGINT)
    assert process.returncode == 130
    assert "stopped: interrupted; nothing finished is lost; type the same command to go on" in error
    assert "Traceback" not in error
    done = settled(run)
    assert tuneoff(folder, "run", "study.toml", "--out", "stopped").returncode == 0
    assert {row["attempts"] for row in job_rows(run) if row["key"] in done} == {1}
    assert standings(run) == standings(whole)

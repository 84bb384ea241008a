"""Kill a study four times with -9, go on each time, and hold its standings against an undisturbed run.

    python scripts/kill_drill.py runs/drill

A short study of the demo's data on the real model (about 5 CPU-minutes a run), whose jobs wait at rungs. Prints the
ledger's jobs after each kill and at the end; the last line is JSON.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tuneoff.data.demo import write_demo_data

STUDY = """version = 1
name = "drill"
arms = ["zero_shot", "few_shot", "soft_prompt_after", "lora"]
seeds = 2
trials = 2
[data]
path = {data}
train_records = 64
validation_records = 24
test_records = 48
[prompt]
instruction = "Is this movie review positive or negative?"
[train]
epochs = 1
checks = 4
"""
KILLED_AT = (15, 20, 24, 32)  # so many rungs are reached, three of each job that ended, and a job is under way
SETTLED = ("done", "dropped")
COLUMNS = "key, arm, trial, seed, status, rung, attempts, tested"


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    study = out / "study.toml"
    study.write_text(STUDY.format(data=json.dumps(str(write_demo_data(out)))), encoding="utf-8")
    whole, killed = out / "whole", out / "killed"
    subprocess.run(command(study, whole), check=True, stdout=subprocess.DEVNULL)
    done: dict[str, int] = {}
    for count in KILLED_AT:
        kill_at(study, killed, count)
        print(f"\nkilled after {count} rungs:")
        now = show(killed)
        assert all(now[key] == attempts for key, attempts in done.items()), "a settled job was started again"
        done = {row["key"]: row["attempts"] for row in jobs(killed) if row["status"] in SETTLED}
    subprocess.run(command(study, killed), check=True, stdout=subprocess.DEVNULL)
    print("\nat the end:")
    now = show(killed)
    print(json.dumps({
        "same_standings": standings(whole) == standings(killed),
        "jobs": len(now),
        "started_once": sum(attempts == 1 for attempts in now.values()),
        "started_again": sum(attempts > 1 for attempts in now.values()),
        "settled_jobs_started_again": sum(now[key] != attempts for key, attempts in done.items()),
    }))  # fmt: skip


def command(study: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "tuneoff", "run", str(study), "--out", str(out)]


def kill_at(study: Path, out: Path, count: int) -> None:
    """Start, wait until so many rungs are reached and a job is running, and kill the whole process group."""
    process = subprocess.Popen(command(study, out), stdout=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and not (reached(out) >= count and under_way(out)):
        time.sleep(0.2)
    time.sleep(3)  # into the middle of the job
    assert process.poll() is None, "it was over before it was killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def jobs(run: Path) -> list[sqlite3.Row]:
    if not (run / "ledger.sqlite").is_file():
        return []
    with sqlite3.connect(run / "ledger.sqlite") as db:
        db.row_factory = sqlite3.Row
        try:
            return db.execute(f"select {COLUMNS} from jobs order by rowid").fetchall()
        except sqlite3.OperationalError:  # the tables are not made yet
            return []


def reached(run: Path) -> int:
    return sum(row["rung"] for row in jobs(run))


def under_way(run: Path) -> bool:
    return any(row["status"] == "running" for row in jobs(run))


def show(run: Path) -> dict[str, int]:
    for row in jobs(run):
        print("  ".join(f"{name} {row[name]}" for name in row.keys()), flush=True)  # noqa: SIM118 - a Row
    return {row["key"]: row["attempts"] for row in jobs(run)}


def standings(run: Path) -> list:
    """All but seconds and peaks, which no two runs share."""
    table = json.loads((run / "verdict.json").read_text(encoding="utf-8"))["standings"]
    return [{key: value for key, value in row.items() if key not in ("cost", "artifact")} for row in table]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

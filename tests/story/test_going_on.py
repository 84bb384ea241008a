"""A study whose training was stopped too early says so; the same command with more epochs goes on, and the verdict
changes."""

import json
import sqlite3

import pytest

from tiny_study import put_model, put_study, tuneoff

SHORT, LONG = 0.5, 40.0
LORA = {"lora": {"lr": 2e-2}}


def verdict(folder):
    return json.loads((folder / "run" / "verdict.json").read_text())


def jobs(folder):
    with sqlite3.connect(folder / "run" / "ledger.sqlite") as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute("select * from jobs where arm = 'lora' order by rowid")]


def asked(folder, epochs):
    more = {"data": {"train_records": 40, "validation_records": 30, "test_records": 40}}
    put_study(folder, ("lora",), seeds=1, train={"epochs": epochs, "checks": 18}, methods=LORA, **more)
    done = tuneoff(folder, "run", "study.toml", "--out", "run")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The screens of a short and of a long training of one study, with what stood in its folder behind each."""
    folder = tmp_path_factory.mktemp("going-on")
    put_model(folder)
    first = asked(folder, SHORT), verdict(folder), jobs(folder)
    return first, (asked(folder, LONG), verdict(folder), jobs(folder)), folder


def test_a_study_that_was_stopped_early_says_so(both):
    (screen, said, (job,)), *_ = both
    assert json.loads(job["progress"])["state"] != "flat"
    assert said["facts"]["unfinished"] == ["lora"]
    assert said["answer"].startswith("Unfinished: lora")
    assert "Do not train" not in " ".join([said["answer"], *said["reasons"], *said["caveats"]])
    assert "Unfinished" in screen


def test_the_same_command_with_more_epochs_goes_on_as_a_new_job(both):
    (_, _, (before,)), (screen, _, (parent, child)), folder = both
    assert "lora, seed 1 had not come to its end, and goes on" in screen
    assert (parent["key"], parent["retired"]) == (before["key"], 1)
    assert (child["parent"], child["retired"], child["status"]) == (before["key"], 0, "done")
    assert child["cap"] == LONG * 40 > parent["cap"]
    first_step = json.loads(before["progress"])["steps"]
    with sqlite3.connect(folder / "run" / "ledger.sqlite") as db:
        steps = [step for (step,) in db.execute("select step from points where job = ?", [child["key"]])]
    assert max(steps) > first_step
    assert json.loads(child["cost"])["train_tokens"] > json.loads(before["cost"])["train_tokens"]


def test_going_on_changes_the_verdict_and_opens_the_test_again(both):
    (_, short, _), (_, long, (_, child)), _ = both
    assert json.loads(child["progress"])["state"] == "flat"
    assert "unfinished" not in long["answer"].lower()
    assert (short["test_opened"], long["test_opened"]) == (1, 2)
    mean = {which: next(row["mean"] for row in one["standings"] if row["arm"] == "lora")
            for which, one in (("short", short), ("long", long))}  # fmt: skip
    assert mean["long"] > mean["short"]
    assert short["answer"] != long["answer"]


def test_a_finished_one_is_not_touched_again(both):
    *_, folder = both
    before = (folder / "run" / "verdict.json").read_bytes()
    screen = asked(folder, 2 * LONG)
    assert "goes on" not in screen
    assert json.loads(before)["standings"] == verdict(folder)["standings"]

"""The ledger: whole units or nothing, unscored outcomes, the version, and what leaves the race."""

import os
import sqlite3
from contextlib import closing

import pytest

from tuneoff.core.cost import Cost
from tuneoff.core.errors import ResourceError, StudyError
from tuneoff.core.rungs import LAST
from tuneoff.study.outcome import JobRow, Outcome, Point
from tuneoff.study.store import Ledger


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    made = Ledger(path, create=True)
    yield made
    made.close()


def job(key="k", arm="lora", **more):
    return JobRow(**{"key": key, "arm": arm, "trial": 0, "seed": 0, "status": "planned", **more})


def outcome(record="r1", split="validation", stats=(1.0,), **more):
    return Outcome(**{"job": "k", "record": record, "metric": "accuracy", "split": split, "stats": stats, **more})


def test_a_job_goes_its_way(ledger):
    ledger.add_job(job(knobs={"lora": {"lr": 0.01}}, folder="jobs/k"))
    ledger.start("k")
    assert (ledger.jobs()[0].status, ledger.jobs()[0].attempts) == ("running", 1)
    ledger.finish("k", Cost(trainable=7, peak_bytes=None), [outcome()])
    ledger.finish_test("k", Cost(trainable=7, score_s=2.0), [outcome(split="test")])
    row = ledger.jobs()[0]
    assert (row.status, row.tested, row.attempts, row.knobs) == ("done", True, 1, {"lora": {"lr": 0.01}})
    assert (row.cost.trainable, row.cost.score_s, row.cost.peak_bytes, row.folder) == (7, 2.0, None, "jobs/k")
    assert [event["what"] for event in ledger.events()] == ["start", "done", "tested"]


def test_a_job_waits_at_its_rungs(ledger):
    ledger.add_job(job())
    for rung in (1, 2):
        ledger.start("k")
        ledger.pause("k", rung, Cost(train_tokens=rung), [outcome(step=rung, stats=(rung / 10,))])
        row = ledger.jobs()[0]
        assert (row.status, row.rung, row.attempts, row.cost.train_tokens) == ("paused", rung, 1, rung)
    ledger.start("k")
    assert (ledger.jobs()[0].status, ledger.jobs()[0].rung, ledger.jobs()[0].attempts) == ("running", 2, 1)
    ledger.finish("k", Cost(), [outcome()])
    assert (ledger.jobs()[0].status, ledger.jobs()[0].rung) == ("done", LAST)
    assert sorted(row.step for row in ledger.outcomes(split="validation")) == [0, 1, 2]
    assert ledger.outcomes(split="validation", step=2)[0].stats == (0.2,)
    events = [(event["what"], event["detail"]) for event in ledger.events()]
    assert events == [
        ("start", ""),
        ("paused", "rung 1"),
        ("start", ""),
        ("paused", "rung 2"),
        ("start", ""),
        ("done", ""),
    ]


def test_a_job_that_was_broken_off_is_another_attempt_and_one_that_waited_is_not(ledger):
    ledger.add_job(job())
    ledger.start("k")
    ledger.start("k")
    assert ledger.jobs()[0].attempts == 2
    ledger.pause("k", 1, Cost(), [])
    ledger.start("k")
    assert ledger.jobs()[0].attempts == 2
    ledger.start("k")
    assert ledger.jobs()[0].attempts == 3


def test_what_is_dropped_keeps_its_rung_and_may_come_back(ledger):
    ledger.add_job(job())
    ledger.start("k")
    ledger.pause("k", 1, Cost(train_tokens=5), [outcome(step=1)])
    ledger.drop("k", "not pursued")
    row = ledger.jobs()[0]
    assert (row.status, row.why, row.rung, row.cost.train_tokens) == ("dropped", "not pursued", 1, 5)
    assert len(ledger.outcomes(split="validation")) == 1
    ledger.start("k")
    ledger.finish("k", Cost(), [outcome()])
    row = ledger.jobs()[0]
    assert (row.status, row.why, row.attempts) == ("done", "", 2)


def test_what_is_done_stays_done_and_keeps_the_reason_until_it_is_tested(ledger):
    ledger.add_job(job())
    ledger.finish("k", Cost(), [])
    ledger.drop("k", "worse")
    assert (ledger.jobs()[0].status, ledger.jobs()[0].why) == ("done", "worse")
    ledger.finish_test("k", Cost(), [])
    assert (ledger.jobs()[0].status, ledger.jobs()[0].why) == ("done", "")


def test_a_pause_is_whole_or_not_at_all(ledger):
    ledger.add_job(job())
    ledger.start("k")

    def breaking():
        yield outcome("a", step=1)
        raise KeyError("pulled the plug")

    with pytest.raises(KeyError):
        ledger.pause("k", 1, Cost(), breaking())
    assert ledger.outcomes(split="validation") == []
    assert (ledger.jobs()[0].status, ledger.jobs()[0].rung) == ("running", 0)


def test_a_failed_job_keeps_its_reason(ledger):
    ledger.add_job(job())
    ledger.start("k")
    ledger.fail("k", "out of memory")
    assert (ledger.jobs()[0].status, ledger.jobs()[0].why) == ("failed", "out of memory")


def test_a_job_is_entered_once(ledger):
    ledger.add_job(job())
    ledger.start("k")
    ledger.add_job(job(arm="other"))
    assert [(row.arm, row.status) for row in ledger.jobs()] == [("lora", "running")]


def test_outcomes_come_back_as_they_were(ledger):
    ledger.add_job(job())
    rows = [
        outcome("a", stats=(1.0, 0.25), answer="joy"),
        outcome("b", stats=None, why="no probability"),
        outcome("c", stats=(), step=3, phrasing=2),
    ]
    ledger.finish("k", Cost(), rows)
    assert ledger.outcomes(split="validation", phrasing=None) == rows
    assert ledger.outcomes(split="validation", metric="accuracy", job="k") == [row for row in rows if not row.phrasing]
    assert ledger.outcomes(split="test") == []
    assert ledger.outcomes(split="validation", metric="nll") == []
    assert ledger.outcomes(split="validation", job="other") == []


def test_a_finish_is_whole_or_not_at_all(ledger, path):
    ledger.add_job(job())
    ledger.start("k")

    def breaking():
        yield outcome("a")
        raise KeyError("pulled the plug")

    with pytest.raises(KeyError):
        ledger.finish("k", Cost(), breaking())
    again = Ledger(path)
    assert again.outcomes(split="validation") == []
    assert again.jobs()[0].status == "running"
    again.close()


def test_another_process_reads_while_one_writes(ledger, path):
    ledger.add_job(job())
    reader = Ledger(path)
    with ledger.transaction() as db:
        db.execute("update jobs set status = 'done'")
        assert reader.jobs()[0].status == "planned"
    assert reader.jobs()[0].status == "done"
    reader.close()


def test_points_and_meta(ledger):
    ledger.add_job(job())
    points = [Point(job="k", step=s, records=8 * s, train_loss=None, value=0.5, seconds=1.0) for s in (2, 1)]
    for point in points:
        ledger.add_point(point)
    assert ledger.points() == points[::-1]
    ledger.set_meta("a", "1")
    ledger.set_meta("a", "2")
    assert (ledger.meta("a"), ledger.meta("none")) == ("2", "")


def test_jobs_leave_the_race_and_come_back_under_another_name(ledger):
    for key in ("k", "l"):
        ledger.add_job(job(key))
    ledger.finish("k", Cost(), [outcome()])
    ledger.race_with([("l", "lora", 0, 0)])
    assert [row.key for row in ledger.jobs()] == ["l"]
    ledger.race_with([("k", "wide", 2, 1), ("never seen", "x", 0, 0)])
    (row,) = ledger.jobs()
    assert (row.key, row.arm, row.trial, row.seed, row.status) == ("k", "wide", 2, 1, "done")
    assert len(ledger.outcomes(split="validation")) == 1


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(StudyError) as caught:
        Ledger(tmp_path / "ledger.sqlite")
    assert str(caught.value).splitlines() == [
        "this folder holds no run",
        f"  where:   {tmp_path}",
        "  fix:     tuneoff run study.toml --out DIR makes one",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_of_another_version(ledger, path):
    ledger.set_meta("version", "99")
    with pytest.raises(StudyError) as caught:
        Ledger(path)
    assert "this run was made by another version of tuneoff" in str(caught.value)
    assert "found:   ledger version 99" in str(caught.value)
    assert "allowed: version 4" in str(caught.value)


def test_an_empty_file_is_made_into_a_ledger(path):
    """A run killed between making the file and making its tables."""
    path.parent.mkdir()
    path.touch()
    made = Ledger(path, create=True)
    assert made.jobs() == []
    made.close()


def test_a_file_that_is_no_ledger(path):
    path.parent.mkdir()
    path.write_text("no database at all, " * 100)
    with pytest.raises(StudyError) as caught:
        Ledger(path)
    assert "cannot be read" in str(caught.value)


def test_a_full_disk(ledger, path):
    ledger.add_job(job())
    ledger.close()
    full = Ledger(path)
    pages = full._db.execute("pragma page_count").fetchone()[0]
    full._db.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(ResourceError) as caught:
        full.finish("k", Cost(), [outcome(f"record {n}", answer="x" * 200) for n in range(500)])
    assert "the disk is full" in str(caught.value)
    assert "free some room and type the same command again" in str(caught.value)
    full.close()
    again = Ledger(path)
    assert again.outcomes(split="validation") == []
    again.close()


def test_other_database_errors_stay_what_they_are(ledger):
    def wrong():
        with ledger.transaction() as db:
            db.execute("select from")

    with pytest.raises(sqlite3.OperationalError):
        wrong()


def test_a_ledger_in_a_folder_that_cannot_be_written_is_read(tmp_path, monkeypatch):
    """Somebody else's run. Root may write everywhere, so that the rights are told here, and kept by a folder's mode."""
    with closing(Ledger(tmp_path / "ledger.sqlite", create=True)) as ledger:
        ledger.set_meta("study", "theirs")
    before = sorted(tmp_path.iterdir())
    tmp_path.chmod(0o555)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        assert ledger.meta("study") == "theirs"
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            ledger.set_meta("study", "mine")
    tmp_path.chmod(0o755)
    assert sorted(tmp_path.iterdir()) == before

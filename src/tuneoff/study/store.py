"""The ledger: one SQLite file per run folder, appended to while the run goes, and the only truth.

Verdict, report and table are views of it. Writing happens in one transaction per finished unit (a job, a
checkpoint's outcomes), so a killed run leaves whole units only.

    meta(key, value)      version of this form, fingerprint of the study, how often the test set was opened
    jobs(...)             one row a job, its state, its cost
    outcomes(...)         one row per (job, step, split, record, metric, phrasing)
    points(...)           learning curves
    axes(...)             figures of a job beside quality: serving, retention, rewording, memorisation
    events(...)           what happened when: starts, restarts, failures (never texts of records)
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path

from tuneoff.core.cost import Cost
from tuneoff.core.errors import StudyError
from tuneoff.core.files import disk_full
from tuneoff.core.rungs import LAST
from tuneoff.study.outcome import AxisRow, JobRow, Outcome, Point, Progress

__all__ = ["Ledger"]

VERSION = 4

SCHEMA = """
create table meta (key text primary key, value text not null);
create table jobs (
    key text primary key, arm text not null, trial integer not null, seed integer not null,
    status text not null, why text not null default '', knobs text not null, cost text not null default '{}',
    tested integer not null default 0, attempts integer not null default 0, folder text not null default '',
    rung integer not null default 0, size integer not null default 0, retired integer not null default 0,
    progress text, cap integer not null default 0, parent text not null default '');
create table outcomes (
    job text not null references jobs(key), step integer not null, split text not null, record text not null,
    metric text not null, phrasing integer not null default 0, stats text, why text not null default '',
    answer text not null default '',
    primary key (job, step, split, record, metric, phrasing)) without rowid;
create table points (
    job text not null references jobs(key), step integer not null, records integer not null,
    train_loss real, value real, likelihood real, seconds real not null,
    primary key (job, step)) without rowid;
create table axes (
    job text not null references jobs(key), name text not null, value real, n integer not null, low real, high real,
    why text not null default '', primary key (job, name)) without rowid;
create table events (at real not null, job text not null, what text not null, detail text not null default '');
"""


def _writable(path: Path) -> bool:
    return os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)


def _read_only(path: Path) -> sqlite3.Connection:
    """Somebody else's run folder: SQLite must not look for files to write beside it. A run that goes on there while
    this is read may be seen as it was."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)


class Ledger:
    """Rows in, rows out. Safe for one writing process and any number of readers."""

    def __init__(self, path: Path, *, create: bool = False):
        self.path = path
        if not create and not path.is_file():
            raise StudyError(
                "this folder holds no run", where=path.parent, fix="tuneoff run study.toml --out DIR makes one"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        self._db = sqlite3.connect(path, timeout=30) if create or _writable(path) else _read_only(path)
        self._db.row_factory = sqlite3.Row
        if fresh or not self._has_tables():
            made = f"{SCHEMA} insert into meta values ('version', '{VERSION}');"
            self._db.executescript(f"pragma journal_mode = wal; begin; {made} commit;")
        if self.meta("version") != str(VERSION):
            raise StudyError(
                "this run was made by another version of tuneoff",
                where=path,
                found=f"ledger version {self.meta('version')}",
                allowed=f"version {VERSION}",
                fix="open it with the version that made it",
            )

    def _has_tables(self) -> bool:
        try:
            return self._db.execute("select 1 from sqlite_master where name = 'meta'").fetchone() is not None
        except sqlite3.DatabaseError as error:
            raise StudyError(
                "the ledger cannot be read", where=self.path, found=error, fix="bring the file back, or run anew"
            ) from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block's rows, or none of them."""
        try:
            with self._db:
                yield self._db
        except sqlite3.OperationalError as error:
            if "disk is full" in str(error) or "disk I/O" in str(error):
                raise disk_full(self.path) from error
            raise

    def meta(self, key: str) -> str:
        row = self._db.execute("select value from meta where key = ?", [key]).fetchone()
        return row["value"] if row else ""

    def set_meta(self, key: str, value: str) -> None:
        with self.transaction() as db:
            db.execute("insert or replace into meta values (?, ?)", [key, value])

    def note(self, job: str, what: str, detail: str = "") -> None:
        with self.transaction() as db:
            db.execute("insert into events values (?, ?, ?, ?)", [time.time(), job, what, detail])

    def events(self) -> list[sqlite3.Row]:
        return self._db.execute("select * from events order by rowid").fetchall()

    def add_job(self, job: JobRow) -> None:
        """Enter a job once; a job that is there already is left as it is."""
        row = [job.key, job.arm, job.trial, job.seed, job.size, job.status, json.dumps(job.knobs), job.folder]
        row += [job.cap, job.parent]
        columns = "key, arm, trial, seed, size, status, knobs, folder, cap, parent"
        with self.transaction() as db:
            db.execute(f"insert or ignore into jobs ({columns}) values (?,?,?,?,?,?,?,?,?,?)", row)

    def start(self, key: str) -> None:
        """A job begins, or goes on from its rung, which is no new attempt."""
        with self.transaction() as db:
            db.execute(
                "update jobs set attempts = attempts + (status != 'paused'), status = 'running' where key = ?", [key]
            )
        self.note(key, "start")

    def pause(self, key: str, rung: int, cost: Cost, outcomes: Iterable[Outcome]) -> None:
        """The job's validation outcomes at a rung, where it waits, in one transaction."""
        self._reach(key, "paused", rung, cost, outcomes)
        self.note(key, "paused", f"rung {rung}")

    def finish(self, key: str, cost: Cost, outcomes: Iterable[Outcome], progress: Progress | None = None) -> None:
        """The job's validation outcomes and its state, in one transaction. progress: where it trained."""
        self._reach(key, "done", LAST, cost, outcomes, progress)
        self.note(key, "done")

    def _reach(
        self,
        key: str,
        status: str,
        rung: int,
        cost: Cost,
        outcomes: Iterable[Outcome],
        progress: Progress | None = None,
    ) -> None:
        told = json.dumps(asdict(progress)) if progress else None
        with self.transaction() as db:
            self._insert(db, outcomes)
            row = [status, rung, json.dumps(cost.as_dict()), told, key]
            db.execute("update jobs set status = ?, rung = ?, why = '', cost = ?, progress = ? where key = ?", row)

    def drop(self, key: str, why: str) -> None:
        """The race leaves a job behind; one that is done stays done, and keeps the reason why it goes no further."""
        with self.transaction() as db:
            db.execute("update jobs set status = 'dropped' where key = ? and status != 'done'", [key])
            db.execute("update jobs set why = ? where key = ?", [why, key])
        self.note(key, "dropped", why)

    def finish_test(self, key: str, cost: Cost, outcomes: Iterable[Outcome]) -> None:
        """The job's test outcomes, in one transaction."""
        with self.transaction() as db:
            self._insert(db, outcomes)
            row = [json.dumps(cost.as_dict()), key]
            db.execute("update jobs set tested = 1, why = '', cost = ? where key = ?", row)
        self.note(key, "tested")

    def race_with(self, places: Iterable[tuple[str, str, int, int]]) -> None:
        """Which jobs are in the race, as (key, arm, trial, seed): an arm may go by another name than last time.

        The others are kept, and come back when their keys do.
        """
        with self.transaction() as db:
            db.execute("update jobs set retired = 1")
            db.executemany(
                "update jobs set retired = 0, arm = ?2, trial = ?3, seed = ?4 where key = ?1", [list(p) for p in places]
            )

    def fail(self, key: str, why: str) -> None:
        with self.transaction() as db:
            db.execute("update jobs set status = 'failed', why = ? where key = ?", [why, key])
        self.note(key, "failed", why)

    def plan_failed_again(self) -> None:
        """Failed jobs wait for another attempt."""
        with self.transaction() as db:
            db.execute("update jobs set status = 'planned' where status = 'failed' and not retired")

    def add_point(self, point: Point) -> None:
        with self.transaction() as db:
            db.execute("insert or replace into points values (?, ?, ?, ?, ?, ?, ?)", _values(point))

    def add_axes(self, rows: Iterable[AxisRow], outcomes: Iterable[Outcome] = ()) -> None:
        """A job's figures beside quality with the outcomes that they stand on, in one transaction; a figure measured
        anew replaces the old one.
        """
        with self.transaction() as db:
            self._insert(db, outcomes)
            db.executemany("insert or replace into axes values (?, ?, ?, ?, ?, ?, ?)", [_values(row) for row in rows])

    def axes(self) -> list[AxisRow]:
        rows = self._db.execute("select * from axes order by job, name").fetchall()
        return [AxisRow(**dict(row)) for row in rows]

    def begun(self) -> bool:
        """Whether any job was ever entered."""
        return self._db.execute("select 1 from jobs").fetchone() is not None

    def jobs(self) -> list[JobRow]:
        """The jobs in the race."""
        return self._jobs("not retired and size = 0")

    def all_jobs(self) -> dict[str, JobRow]:
        """Every job by its key, those that have left the race included."""
        return {row.key: row for row in self._jobs("true")}

    def curve_jobs(self) -> list[JobRow]:
        """The points of learning curves over data sizes."""
        return self._jobs("size > 0")

    def _jobs(self, where: str) -> list[JobRow]:
        rows = self._db.execute(f"select * from jobs where {where} order by rowid").fetchall()
        return [_job(row) for row in rows]

    def points(self) -> list[Point]:
        rows = self._db.execute("select * from points order by job, step").fetchall()
        return [Point(**row) for row in rows]

    def outcomes(
        self,
        *,
        split: str,
        metric: str | None = None,
        job: str | None = None,
        step: int | None = None,
        phrasing: int | None = 0,
    ) -> list[Outcome]:
        """Rows that fit, by job and record. phrasing: 0 is the task's own wording; None: all of them."""
        query, values = "select * from outcomes where split = ?", [split]
        for column, value in (("metric", metric), ("job", job), ("step", step), ("phrasing", phrasing)):
            if value is not None:
                query, values = f"{query} and {column} = ?", [*values, value]
        return [_outcome(row) for row in self._db.execute(query + " order by job, record", values)]

    def _insert(self, db: sqlite3.Connection, outcomes: Iterable[Outcome]) -> None:
        names = [field.name for field in fields(Outcome)]
        rows = [
            [json.dumps(value) if name == "stats" and value is not None else value for name, value in _items(outcome)]
            for outcome in outcomes
        ]
        places = ",".join("?" * len(names))
        db.executemany(f"insert or replace into outcomes ({','.join(names)}) values ({places})", rows)


def _items(outcome: Outcome) -> list[tuple[str, object]]:
    return [(field.name, getattr(outcome, field.name)) for field in fields(Outcome)]


def _values(row: AxisRow | Point) -> list[object]:
    """In the order of the table's columns, which is that of the fields."""
    return [getattr(row, field.name) for field in fields(row)]


def _job(row: sqlite3.Row) -> JobRow:
    table = dict(row)
    cost = Cost(**json.loads(table.pop("cost")))
    knobs = json.loads(table.pop("knobs"))
    tested = bool(table.pop("tested"))
    progress = json.loads(table.pop("progress") or "null")
    del table["retired"]
    return JobRow(**table, cost=cost, knobs=knobs, tested=tested, progress=Progress(**progress) if progress else None)


def _outcome(row: sqlite3.Row) -> Outcome:
    table = dict(row)
    stats = table.pop("stats")
    return Outcome(**table, stats=tuple(json.loads(stats)) if stats is not None else None)

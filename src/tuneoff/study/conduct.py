"""A study from its plan to its verdict: start, resume, or find that all is done.

runs/tickets/study.toml        the study as it was run
runs/tickets/ledger.sqlite     the truth (study/store.py)
runs/tickets/jobs/KEY/         one bundle a job
runs/tickets/aside/            the state of an unfinished job, and contexts/ that memory had no room for
runs/tickets/verdict.json      the verdict
runs/tickets/best/             the recommended arm's bundle
"""

import json
import shutil
import sqlite3
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import torch

from tuneoff.core.errors import ResourceError, TuneoffError
from tuneoff.core.files import disk_guard
from tuneoff.engine.attach import Worn
from tuneoff.evaluation.run import metric_named
from tuneoff.models.base import Base
from tuneoff.models.device import measure_machine
from tuneoff.study.arm import Job
from tuneoff.study.company import group_label, groups
from tuneoff.study.ground import alone, keep_study, make_folder, same_base, same_study
from tuneoff.study.judgement import Verdict
from tuneoff.study.outcome import JobRow
from tuneoff.study.plan import Plan
from tuneoff.study.race import Entry, Seen, Step, next_step
from tuneoff.study.spec import StudySpec
from tuneoff.study.store import Ledger
from tuneoff.study.verdict import judge, read_verdict, write_verdict
from tuneoff.study.work import Fitted, Worker

__all__ = ["Watch", "conduct", "entries_of", "open_base"]


class Watch:
    """Told what happens while a study runs. This one stays silent."""

    def phase(self, text: str) -> None:
        """Something that is not a job begins."""

    def job(self, label: str, work_done: float, work_left: float) -> None:
        """A job begins; work is counted in records run forward once."""

    def step(self, step: int, steps: int, value: float | None) -> None:
        """An optimiser step is done; value: the validation figure, where this step was checked."""

    def done(self, label: str, figure: float | None, why: str = "") -> None:
        """A job ended, with its validation figure or the reason it failed."""


def conduct(
    plan: Plan,
    folder: Path,
    open_base: Callable[[], Base],
    watch: Watch | None = None,
    *,
    study_file: Path | None = None,
    retry: bool = False,
) -> Verdict:
    """Run what is missing, and judge. open_base: loads the model; called only where something is left to run.
    study_file: where the plan was read from; None: it was made without one, and the run folder gets it.
    retry: whether jobs that failed are tried again; without it a failure is a result.

    Raises StudyError where the folder holds another study, ResourceError where disk or memory run out.
    """
    watch = watch or Watch()
    make_folder(folder)
    with alone(folder), closing(Ledger(folder / "ledger.sqlite", create=True)) as ledger:
        same_study(ledger, plan, folder)
        keep_study(ledger, plan.spec, study_file, folder / "study.toml")
        if retry:
            ledger.plan_failed_again()
        entries = entries_of(plan)
        if ledger.meta("base"):
            _enter(ledger, plan, plan.ground(ledger.meta("base")))
            if not any(next_step(entries, seen_of(ledger, plan))):
                judged = _judged(folder, ledger)
                return read_verdict(folder / "verdict.json") if judged else _finish(plan, ledger, folder)
        watch.phase(f"loading {plan.spec.model.name}")
        base = open_base()
        same_base(ledger, base, folder)
        ground = plan.ground(base.fingerprint)
        worker = Worker(plan, base, folder)
        worker.check_lengths()
        _record_machine(ledger, base)
        while any(step := next_step(entries, seen_of(ledger, plan))):
            _do(step, plan, worker, ledger, ground, watch)
        watch.phase("judging")
        return _finish(plan, ledger, folder)


def open_base(spec: StudySpec) -> Base:
    """The model of a study, loaded."""
    from tuneoff.models.load import load_model

    model = spec.model
    return load_model(
        model.name,
        folder=spec.folder,
        device=model.device,
        dtype=model.dtype,
        template=model.template,
        trust_remote_code=model.trust_remote_code,
    ).base()


def entries_of(plan: Plan) -> list[Entry]:
    """The plan's arms as the race sees them."""
    return [Entry(arm.name, len(plan.settings[arm.name]), plan.seeds(arm)) for arm in plan.arms]


def seen_of(ledger: Ledger, plan: Plan) -> list[Seen]:
    """The ledger's jobs with their validation figures."""
    metric = metric_named(plan.task.metrics[0])
    return [Seen(row, _value(ledger, row, metric)) for row in ledger.jobs()]


def _value(ledger: Ledger, row: JobRow, metric) -> tuple[float, float] | None:
    if row.status != "done":
        return None
    rows = [
        o.stats for o in ledger.outcomes(split="validation", metric=metric.name, job=row.key) if o.stats is not None
    ]
    losses = [o.stats[0] for o in ledger.outcomes(split="validation", metric="nll", job=row.key) if o.stats is not None]
    if not rows:
        return None
    figure = metric.pool(rows)
    return (figure if metric.up else -figure), -sum(losses) / len(losses) if losses else 0.0


def _do(step: Step, plan: Plan, worker: Worker, ledger: Ledger, ground: str, watch: Watch) -> None:
    jobs = [plan.job(plan.arm(name), trial, seed, ground) for name, trial, seed in step.fit]
    for job in jobs:
        ledger.add_job(
            JobRow(
                key=job.key,
                arm=job.arm.name,
                trial=job.trial,
                seed=job.seed,
                status="planned",
                knobs=job.settings,
                folder=f"jobs/{job.key}",
            )
        )
    waiting = list(jobs)
    for group in groups(plan, jobs):
        watch.job(group_label(group), *_work(plan, ledger, waiting))
        _fit(group, plan, worker, ledger, watch)
        waiting = [job for job in waiting if job not in group]
    if step.test:
        _open_test(step.test, plan, worker, ledger, ground, watch)


def _fit(group: Sequence[Job], plan: Plan, worker: Worker, ledger: Ledger, watch: Watch) -> None:
    """Do jobs in one pass; where that fails, one by one, so that a failure is told of the job that it is of."""
    for job in group:
        ledger.start(job.key)
    left = list(group)
    if len(group) > 1:
        ledger.note("", "together", " ".join(job.key for job in group))
        with _failing_together(worker, ledger):
            for fitted in worker.fit_together(group, watch.step):
                _record(left.pop(0), fitted, plan, worker, ledger, watch)
    for job in left:
        with _failing(job, worker, ledger, watch):
            _record(job, worker.fit(job, watch.step), plan, worker, ledger, watch)


def _record(job: Job, fitted: Fitted, plan: Plan, worker: Worker, ledger: Ledger, watch: Watch) -> None:
    for point in fitted.points:
        ledger.add_point(point)
    ledger.finish(job.key, fitted.cost, fitted.outcomes)
    _note_shortened(ledger, job, "validation", fitted)
    worker.forget_aside(job)
    row = next(row for row in ledger.jobs() if row.key == job.key)
    value = _value(ledger, row, metric := metric_named(plan.task.metrics[0]))
    watch.done(job.label, None if value is None else value[0] if metric.up else -value[0])


def _note_shortened(ledger: Ledger, job: Job, split: str, fitted: Fitted) -> None:
    if fitted.shortened:
        ledger.note(job.key, "shortened", f"{split}: {fitted.shortened}")


@contextmanager
def _failing(job: Job, worker: Worker, ledger: Ledger, watch: Watch):
    """A job that cannot be done is a row with its reason; a full disk is nobody's failure."""
    try:
        with disk_guard(worker.folder):
            yield
    except (ResourceError, sqlite3.Error):
        raise
    except TuneoffError as error:
        _failed(job, ledger, watch, error.problem)
    except Exception as error:  # a plugin may raise anything; the other arms go on
        _failed(job, ledger, watch, (str(error) or type(error).__name__).splitlines()[0])


@contextmanager
def _failing_together(worker: Worker, ledger: Ledger):
    """What goes wrong in company is tried again alone."""
    try:
        with disk_guard(worker.folder):
            yield
    except (ResourceError, sqlite3.Error):
        raise
    except Exception:
        ledger.note("", "traceback", traceback.format_exc())


def _failed(job: Job, ledger: Ledger, watch: Watch, why: str) -> None:
    ledger.fail(job.key, why)
    ledger.note(job.key, "traceback", traceback.format_exc())
    watch.done(job.label, None, why)


def _open_test(keys: tuple[str, ...], plan: Plan, worker: Worker, ledger: Ledger, ground: str, watch: Watch) -> None:
    """The sealed test set meets the chosen jobs; how often it was opened is counted."""
    if not ledger.meta("test_open"):  # a restart inside the test is the same opening
        ledger.set_meta("test_opened", str(int(ledger.meta("test_opened") or 0) + 1))
        ledger.set_meta("test_open", "yes")
    rows = {row.key: row for row in ledger.jobs()}
    for number, key in enumerate(keys):
        row = rows[key]
        job = plan.job(plan.arm(row.arm), row.trial, row.seed, ground)
        fitted = sum(plan.work(plan.arm(done.arm)) for done in rows.values() if done.status == "done")
        each = len(plan.data.test)
        watch.job(f"test: {job.label}", fitted + number * each, (len(keys) - number) * each)
        with _failing(job, worker, ledger, watch):
            tested = worker.test(job, row.cost)
            ledger.finish_test(key, tested.cost, tested.outcomes)
            _note_shortened(ledger, job, "test", tested)
            watch.done(f"test: {job.label}", None)


def _work(plan: Plan, ledger: Ledger, jobs: list[Job]) -> tuple[float, float]:
    """Work done and left: the jobs of this step, then the other seeds and the test of those that wait."""
    done = sum(plan.work(plan.arm(row.arm)) for row in ledger.jobs() if row.status == "done")
    whole = sum(
        plan.work(arm) * (len(plan.settings[arm.name]) + plan.seeds(arm) - 1)
        + (0 if arm.baseline else plan.seeds(arm) * len(plan.data.test))
        for arm in plan.arms
    )
    return done, max(whole - done, sum(plan.work(job.arm) for job in jobs))


def _finish(plan: Plan, ledger: Ledger, folder: Path) -> Verdict:
    verdict = judge(
        ledger,
        metric=plan.task.metrics[0],
        others=plan.task.metrics[1:],
        task=plan.task,
        families=plan.families,
        random_arms=[arm.name for arm in plan.arms if arm.random],
        margin=plan.spec.margin,
        study=plan.spec.name,
        arms=[arm.name for arm in plan.arms],
    )
    _hand_over(verdict, folder)
    write_verdict(verdict, folder / "verdict.json")
    for passing in ("aside", "contexts"):
        shutil.rmtree(folder / passing, ignore_errors=True)
    ledger.set_meta("test_open", "")
    ledger.note("", "verdict")
    return verdict


def _hand_over(verdict: Verdict, folder: Path) -> None:
    """best/ is the bundle of the recommended arm's best seed; absent where the winner needs no model."""
    best = folder / "best"
    standing = next((s for s in verdict.standings if s.arm == verdict.recommended), None)
    source = folder / standing.artifact if standing and standing.artifact else None
    if source is None or not (source / "bundle.json").is_file():
        shutil.rmtree(best, ignore_errors=True)
        return
    fresh = folder / f".best-{time.time_ns()}"
    with disk_guard(folder):
        shutil.copytree(source, fresh)
    shutil.rmtree(best, ignore_errors=True)
    fresh.rename(best)


def _judged(folder: Path, ledger: Ledger) -> bool:
    """Whether the last thing that happened here was a verdict."""
    events = ledger.events()
    return bool(events) and events[-1]["what"] == "verdict" and (folder / "verdict.json").is_file()


def _record_machine(ledger: Ledger, base: Base) -> None:
    ledger.note("", "run", f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    ledger.note("", "machine", json.dumps(measure_machine(base) | {"packed_rows": Worn(base).may_pack()}))


def _enter(ledger: Ledger, plan: Plan, ground: str) -> None:
    """Jobs of arms whose knobs are others now, or whose trials are no longer asked for, leave the race."""
    ledger.race_with(
        (plan.job(arm, trial, seed, ground).key, arm.name, trial, seed)
        for arm in plan.arms
        for trial in range(len(plan.settings[arm.name]))
        for seed in range(plan.seeds(arm))
    )

"""One step of the race, done: jobs brought to their rung, in as few passes as can be, or the sealed test opened.

A failed job is a row with its reason, and the others go on; a full disk or a broken ledger ends the run.
"""

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace

from tuneoff.core.files import disk_guard
from tuneoff.core.rungs import LAST
from tuneoff.evaluation.run import metric_named
from tuneoff.study.arm import Job
from tuneoff.study.asides import forget_asides
from tuneoff.study.budget.correction import until_now
from tuneoff.study.company import group_label, groups
from tuneoff.study.continuation import current, entered
from tuneoff.study.faults import ENDS, Faults, said
from tuneoff.study.plan import Plan
from tuneoff.study.race import Drop, Place, Step
from tuneoff.study.seen import figure_of
from tuneoff.study.store import Ledger
from tuneoff.study.work import Fitted, Worker

__all__ = ["Steps", "Watch"]


class Watch:
    """Told what happens while a study runs. This one stays silent."""

    def phase(self, text: str) -> None:
        """Something that is not a job begins."""

    def notice(self, text: str) -> None:
        """Something to know, which stays on the screen."""

    def job(self, label: str, work_done: float, work_left: float) -> None:
        """A job begins; work is counted in records run forward once."""

    def step(self, step: int, steps: int, value: float | None) -> None:
        """An optimiser step is done; value: the validation figure, where this step was checked."""

    def done(self, label: str, figure: float | None, why: str = "") -> None:
        """A job ended, with its validation figure or the reason it failed."""

    def dropped(self, label: str, why: str) -> None:
        """The race leaves a job behind."""


class Steps:
    """Does what the race asks for, and writes it down. ground: what all jobs stand on (`Plan.ground`)."""

    def __init__(self, plan: Plan, worker: Worker, ledger: Ledger, ground: str, watch: Watch, faults: Faults):
        self.plan, self.worker, self.ledger, self.ground, self.watch = plan, worker, ledger, ground, watch
        self.faults = faults

    def do(self, step: Step) -> None:
        """Bring jobs to their rungs, or test. What is left behind is written down first."""
        self._drop(step.dropped)
        for rung in sorted({rung for _, rung in step.fit}, reverse=True):  # what needs no training first: it is quick
            self._fit_all([place for place, own in step.fit if own == rung], rung)
        if step.test:
            self._open_test(step.test)

    def fit_sizes(self, jobs: Sequence[Job]) -> None:
        """Bring the jobs of a learning curve over data sizes to their end."""
        for number, job in enumerate(jobs):
            self._enter(job)
            done = self._fitted() + sum(job.size for job in jobs[:number])
            self.watch.job(job.label, done, sum(job.size for job in jobs[number:]))
            self._fit([job], LAST)

    def _job(self, place: Place) -> Job:
        """The job that stands for a place, under the corrections that hold now."""
        arm, trial, seed = place
        job = current(self.plan.job(self.plan.arm(arm), trial, seed, self.ground), self.ledger.all_jobs())
        return replace(job, until=until_now(self.ledger.events(), self.plan.spec.budget))

    def _enter(self, job: Job) -> None:
        self.ledger.add_job(entered(job))

    def _drop(self, drops: Iterable[Drop]) -> None:
        rows = {row.key: row for row in self.ledger.jobs()}
        for place, why in drops:
            job = self._job(place)
            row = rows.get(job.key)
            if row and (row.status == "dropped" or row.why or row.tested):  # told already, or no longer to be told
                continue
            self._enter(job)
            self.ledger.drop(job.key, why)
            forget_asides(self.worker.folder, job)
            self.watch.dropped(job.label, why)

    def _fit_all(self, places: Sequence[Place], rung: int) -> None:
        jobs = [self._job(place) for place in places]
        for job in jobs:
            self._enter(job)
        waiting = list(jobs)
        for group in groups(self.plan, jobs):
            self.watch.job(group_label(group) + _to(rung), *self._work(waiting, rung))
            self._fit(group, rung)
            waiting = [job for job in waiting if job not in group]

    def _fit(self, group: Sequence[Job], rung: int) -> None:
        """Do jobs in one pass; where that fails, one by one, so that a failure is told of the job that it is of."""
        for job in group:
            self.ledger.start(job.key)
        left = list(group)
        if len(group) > 1:
            self.ledger.note("", "together", " ".join(job.key for job in group))
            with self._failing_together(group):
                for fitted in self.worker.fit_together(group, rung, self.watch.step):
                    self._record(left.pop(0), rung, fitted)
        for job in left:
            with self._failing(job):
                self._record(job, rung, self.worker.fit(job, rung, self.watch.step))

    def _record(self, job: Job, rung: int, fitted: Fitted) -> None:
        for point in fitted.points:
            self.ledger.add_point(point)
        if rung == LAST:
            self.ledger.finish(job.key, fitted.cost, fitted.outcomes, fitted.progress)
            self._note_shortened(job, "validation", fitted)
            forget_asides(self.worker.folder, job)
        else:
            self.ledger.pause(job.key, rung, fitted.cost, fitted.outcomes)
        figure = figure_of(self.ledger, job.key, metric_named(self.plan.task.metrics[0]), rung)
        self.watch.done(job.label + _to(rung), figure)

    def _note_shortened(self, job: Job, split: str, fitted: Fitted) -> None:
        if fitted.shortened:
            self.ledger.note(job.key, "shortened", f"{split}: {fitted.shortened}")

    @contextmanager
    def _failing(self, job: Job):
        """A job that cannot be done is a row with its reason; a full disk is nobody's failure."""
        try:
            with disk_guard(self.worker.folder):
                yield
        except ENDS:
            raise
        except Exception as error:  # a plugin may raise anything; the other arms go on
            why = said(error)
            self.ledger.fail(job.key, why)
            self.watch.done(job.label, None, why)
            self.faults.of_job(job.key, job.label, error)

    @contextmanager
    def _failing_together(self, group: Sequence[Job]):
        """What goes wrong in company is tried again alone."""
        try:
            with disk_guard(self.worker.folder):
                yield
        except ENDS:
            raise
        except Exception as error:
            self.faults.met(f"{group_label(group)} failed in one pass, and are trained one by one, slower", error)

    def _open_test(self, keys: Sequence[str]) -> None:
        """The sealed test set meets the chosen jobs; how often it was opened is counted."""
        if not self.ledger.meta("test_open"):  # a restart inside the test is the same opening
            self.ledger.set_meta("test_opened", str(int(self.ledger.meta("test_opened") or 0) + 1))
            self.ledger.set_meta("test_open", "yes")
        rows = {row.key: row for row in self.ledger.jobs()}
        each = len(self.plan.data.test)
        for number, key in enumerate(keys):
            row = rows[key]
            job = self._job((row.arm, row.trial, row.seed))
            self.watch.job(f"test: {job.label}", self._fitted() + number * each, (len(keys) - number) * each)
            with self._failing(job):
                tested = self.worker.test(job, row.cost)
                self.ledger.finish_test(key, tested.cost, tested.outcomes)
                self._note_shortened(job, "test", tested)
                self.watch.done(f"test: {job.label}", None)

    def _fitted(self) -> float:
        """Work that was done in fitting."""
        rows = [row for row in self.ledger.jobs() if row.rung]
        return sum(self.plan.work(self.plan.arm(row.arm), row.rung) for row in rows)

    def _work(self, waiting: Sequence[Job], rung: int) -> tuple[float, float]:
        """Work done and left: what waits now, then one whole run and the other seeds of every arm, and their tests."""
        plan, done = self.plan, self._fitted()
        tests = sum(plan.seeds(arm) * len(plan.data.test) for arm in plan.racing if not arm.baseline)
        now = sum(plan.work(job.arm, rung) for job in waiting)
        return done, max(plan.whole_work() - done, now + tests)


def _to(rung: int) -> str:
    return "" if rung == LAST else f" (stage {rung} of {LAST})"

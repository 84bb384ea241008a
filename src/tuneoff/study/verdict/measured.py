"""What the ledger says about each arm: its jobs, its test rows side by side, or the reason why there are none.

The records compared are the same for all arms: one that is unscored under any arm leaves all of them. An arm without
a single scored record is itself unscored, and takes no records away from the others.

    lora: 3 jobs tested, rows_RSK [400 records, 3 seeds, 1 statistic]
    dora: status "failed", why "out of memory"

R records, S seeds, K statistics of a record under the metric.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from tuneoff.evaluation.metric import Metric
from tuneoff.study.outcome import JobRow, Outcome
from tuneoff.study.store import Ledger

__all__ = ["Measured", "Untested", "measure", "pooled_by_job", "test_rows"]

FINAL = 0  # the step of outcomes of a job that is done; others are rungs
NO_CLAIM = "not pursued"  # how the reason begins where halving left a trial behind, which says nothing of its arm

Rows = dict[str, dict[str, Outcome]]
"outcomes of one metric: job, then record"


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One arm that met the test set. jobs: by seed, in the order of the columns of rows_RSK. validation: by job."""

    arm: str
    jobs: tuple[JobRow, ...]
    rows_RSK: np.ndarray
    trials: int
    random: bool
    unreadable: float
    why: str = ""
    constant: str = ""
    validation: dict[str, float] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        return [job.seed for job in self.jobs]


@dataclass(frozen=True, kw_only=True, slots=True)
class Untested:
    """One arm that did not, and why. ended: its jobs that were trained to their end all the same."""

    arm: str
    status: str
    why: str
    trials: int
    validation: float | None = None
    ended: tuple[JobRow, ...] = ()


def measure(
    ledger: Ledger, metric: Metric, arms: Sequence[str], random_arms: Collection[str]
) -> tuple[list[Measured], list[Untested], list[str], int]:
    """(measured arms, the others, records compared, records left out), arms in the order given."""
    everything = ledger.jobs()
    jobs = {arm: [job for job in everything if job.arm == arm] for arm in arms}
    validation = pooled_by_job(ledger, metric)
    rows = test_rows(ledger, metric.name)
    chosen = {arm: _chosen(jobs[arm], validation, arm in random_arms, metric.up) for arm in arms}
    tested = {arm: picked for arm, picked in chosen.items() if picked and _any_scored(picked, rows)}
    records, left_out = _compared([job.key for picked in tested.values() for job in picked], rows)
    others = [_untested(arm, jobs[arm], chosen[arm], rows, validation, metric.up) for arm in arms if arm not in tested]
    if not records:
        return [], [*others, *(_without_records(arm, jobs[arm]) for arm in tested)], [], left_out
    measured = [
        _measured(arm, picked, jobs[arm], rows, records, validation, arm in random_arms)
        for arm, picked in tested.items()
    ]
    return measured, others, records, left_out


def pooled_by_job(ledger: Ledger, metric: Metric) -> dict[str, float]:
    """Each job's figure on validation: of what it left behind, or of the last rung where it stopped early."""
    steps: dict[str, dict[int, list[tuple[float, ...]]]] = {}
    for outcome in ledger.outcomes(split="validation", metric=metric.name):
        if outcome.stats is not None and outcome.phrasing == 0:
            steps.setdefault(outcome.job, {}).setdefault(outcome.step, []).append(outcome.stats)
    return {job: metric.pool(rungs[FINAL] if FINAL in rungs else rungs[max(rungs)]) for job, rungs in steps.items()}


def test_rows(ledger: Ledger, metric: str) -> Rows:
    """The test outcomes under one metric, by job and record; of several steps, the last."""
    rows: Rows = {}
    for outcome in ledger.outcomes(split="test", metric=metric):
        here = rows.setdefault(outcome.job, {})
        if outcome.phrasing == 0 and (outcome.record not in here or here[outcome.record].step <= outcome.step):
            here[outcome.record] = outcome
    return rows


def _chosen(jobs: list[JobRow], validation: dict[str, float], random: bool, up: bool) -> tuple[JobRow, ...]:
    """The tested jobs of the trial that is best on validation, by seed; one job where there is no randomness."""
    trials: dict[int, list[JobRow]] = {}
    for job in jobs:
        if job.tested:
            trials.setdefault(job.trial, []).append(job)
    if not trials:
        return ()

    def worth(trial: int) -> tuple[float, int]:
        known = [validation[job.key] for job in trials[trial] if job.key in validation]
        mean = float(np.mean(known)) if known else -np.inf
        return (mean if up or not known else -mean), -trial

    picked = sorted(trials[max(trials, key=worth)], key=lambda job: job.seed)
    return tuple(picked if random else picked[:1])


def _any_scored(jobs: Sequence[JobRow], rows: Rows) -> bool:
    return all(any(row.stats is not None for row in rows.get(job.key, {}).values()) for job in jobs)


def _compared(keys: list[str], rows: Rows) -> tuple[list[str], int]:
    seen = {record for key in keys for record in rows[key]}
    kept = [
        record
        for record in sorted(seen)
        if all(record in rows[key] and rows[key][record].stats is not None for key in keys)
    ]
    return kept, len(seen) - len(kept)


def _measured(arm, picked, jobs, rows: Rows, records, validation, random: bool) -> Measured:
    stats = [[rows[job.key][record].stats for job in picked] for record in records]
    answers = [row.answer for job in picked for row in rows[job.key].values() if row.stats is not None]
    return Measured(
        arm=arm,
        jobs=picked,
        rows_RSK=np.array(stats, dtype=float),
        trials=_trials(jobs),
        random=random,
        unreadable=sum(not answer.strip() for answer in answers) / len(answers),
        why=_lost_seeds(jobs, picked),
        constant=_constant(answers),
        validation={job.key: validation[job.key] for job in picked if job.key in validation},
    )


def _constant(answers: list[str]) -> str:
    """What an arm says that always says the same."""
    counts = Counter(answers)
    return next(iter(counts)) if len(counts) == 1 else ""


def _lost_seeds(jobs: list[JobRow], picked: Sequence[JobRow]) -> str:
    """Seeds of the tested trial that failed, or that the race had no need of."""
    own = [job for job in jobs if job.trial == picked[0].trial]
    lost = [job for job in own if job.status == "failed"]
    spared = [job for job in own if job.status == "dropped"]
    seeds = ", ".join(str(job.seed + 1) for job in lost)
    parts = [
        f"{len(lost)} of {len(lost) + len(picked)} seeds failed (seed {seeds}): {lost[0].why}" if lost else "",
        f"{len(spared)} further {'seed was' if len(spared) == 1 else 'seeds were'} not run, {spared[0].why}"
        if spared
        else "",
    ]
    return "; ".join(part for part in parts if part)


def _untested(arm, jobs: list[JobRow], picked, rows: Rows, validation: dict[str, float], up: bool) -> Untested:
    status, why = _status(jobs, picked, rows)
    return Untested(
        arm=arm,
        status=status,
        why=why,
        trials=_trials(jobs),
        validation=_furthest(jobs, validation, up),
        ended=tuple(job for job in jobs if job.status in ("done", "dropped")),
    )


def _furthest(jobs: list[JobRow], validation: dict[str, float], up: bool) -> float | None:
    """The best trial's mean over seeds, among the jobs that came furthest."""
    last = max((job.rung for job in jobs if job.key in validation), default=0)
    trials: dict[int, list[float]] = {}
    for job in jobs:
        if job.key in validation and job.rung == last:
            trials.setdefault(job.trial, []).append(validation[job.key])
    means = [float(np.mean(values)) for values in trials.values()]
    return (max if up else min)(means) if means else None


def _status(jobs: list[JobRow], picked: Sequence[JobRow], rows: Rows) -> tuple[str, str]:
    if not jobs:
        return "not run", "it was never started"
    if picked:
        reasons = [row.why for job in picked for row in rows.get(job.key, {}).values() if row.why]
        return "unscored", reasons[0] if reasons else "none of its test records could be scored"
    by_status = {status: [job for job in jobs if job.status == status] for status in ("failed", "dropped", "done")}
    waiting = len(jobs) - sum(map(len, by_status.values()))
    if waiting:
        return "unfinished", f"{waiting} of its {len(jobs)} jobs are not done"
    if len(by_status["failed"]) == len(jobs):
        return "failed", by_status["failed"][0].why or "no reason was recorded"
    if by_status["dropped"]:
        last = max(by_status["dropped"], key=lambda job: (not job.why.startswith(NO_CLAIM), job.rung))
        return "dropped", last.why or "the race left it behind"
    reasons = [job.why for job in jobs if job.why]
    return "not tested", reasons[0] if reasons else "it was not taken to the test set"


def _without_records(arm: str, jobs: list[JobRow]) -> Untested:
    return Untested(arm=arm, status="unscored", why="no test record was scored under all arms", trials=_trials(jobs))


def _trials(jobs: list[JobRow]) -> int:
    """Settings that were tried; a job that never started tried nothing."""
    return len({job.trial for job in jobs if job.status != "planned"})

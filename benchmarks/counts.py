"""How much the race runs of a grid, counted from the steps that it asks for and the company that these train in.

    passes[("ia3", "ia3", "lora", "lora")] = 6     two settings of each method, from the check at step 3 to that at 9
    checks["lora"] = 19                            validation sets scored
    tests["lora"] = 3                              test sets scored

The race is replayed over the recorded grid where that is whole; else no method is told from another, which is the
most that can happen. An arm's first step is a pass of its own, and arms behind kept contexts share passes with their
like alone (engine/train.py). Seeds after the first are not looked at before the late checks.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.record import PART
from tuneoff.core.rungs import LAST
from tuneoff.engine.schedule import Schedule
from tuneoff.study.arm import Arm, Job
from tuneoff.study.company import groups
from tuneoff.study.outcome import JobRow
from tuneoff.study.plan import Plan
from tuneoff.study.race import Entry, Place, Seen
from tuneoff.study.replay import Raced, raced, read_recording, replayed

__all__ = ["Company", "Counts", "count", "grid_jobs", "method_of", "most_work", "races_over", "schedule_of", "trained"]

REPLAYS = 200

Company = tuple[str, ...]
"names of the arms in one pass, an arm as often as it has jobs there"


@dataclass(frozen=True, slots=True)
class Counts:
    """Means over races."""

    passes: Mapping[Company, float]
    checks: Mapping[str, float]
    tests: Mapping[str, float]

    @property
    def arm_steps(self) -> float:
        return sum(len(company) * steps for company, steps in self.passes.items())


def races_over(plan: Plan, recording: Path) -> tuple[str, list[Raced]]:
    """Where the counts are from, in words, and the races."""
    if PART * len(list(recording.glob("part-*.json"))) < grid_jobs(plan):  # a part's costs are written last
        return "the race in which no method is told from another", [most_work(plan)]
    held = read_recording(recording)
    return f"{REPLAYS} replays of {recording.name}", [replayed(held, number) for number in range(REPLAYS)]


def most_work(plan: Plan) -> Raced:
    """The race of a grid whose jobs all score alike."""
    arms = trained(plan)
    trials = {arm.name: len(plan.settings[arm.name]) for arm in arms}
    entries = [Entry(arm.name, arm.name, trials[arm.name], plan.seeds(arm), share=trials[arm.name]) for arm in arms]
    return raced(entries, lambda spent: [_alike(place, rung) for place, rung in spent.items()])


def count(plan: Plan, races: Sequence[Raced]) -> Counts:
    """What these races come to on average."""
    made = [_Count(plan, race) for race in races]
    return Counts(*(_mean([getattr(each, name) for each in made]) for name in ("passes", "checks", "tests")))


def trained(plan: Plan) -> list[Arm]:
    """The arms of the grid; what stands in every table and learns nothing is left out."""
    return [arm for arm in plan.arms if arm.stages]


def grid_jobs(plan: Plan) -> int:
    """Jobs of the whole grid."""
    return sum(len(plan.settings[arm.name]) * plan.seeds(arm) for arm in trained(plan))


def method_of(arm: Arm):
    """What an arm of one stage trains."""
    return arm.stages[0].parts[0].method


class _Count:
    """One race walked through."""

    def __init__(self, plan: Plan, race: Raced):
        self.passes: Counter[Company] = Counter()
        self.checks: Counter[str] = Counter()
        self.tests = Counter(arm for arm, _, _ in race.tested)
        self._done: Counter[Place] = Counter()
        self._records, self._schedule = len(plan.data.train), schedule_of(plan)
        for fit in race.fits:
            for rung in {rung for _, rung in fit}:
                jobs = [plan.job(plan.arm(arm), trial, seed, "") for (arm, trial, seed), own in fit if own == rung]
                for group in groups(plan, jobs):
                    self._train(group, rung)

    def _train(self, group: Sequence[Job], rung: int) -> None:
        until = self._schedule.rung_step(self._records, rung)
        checks = self._schedule.check_steps(self._records)
        while active := [job for job in group if self._done[_place(job)] < until]:
            self.passes.update(self._companies(active))
            self._done.update(map(_place, active))
            due = [job for job in active if self._done[_place(job)] in checks]
            self.checks.update(job.arm.name for job in due)

    def _companies(self, active: Sequence[Job]) -> list[Company]:
        made: dict[object, list[str]] = {}
        for job in active:
            first = not self._done[_place(job)]
            made.setdefault(_place(job) if first else method_of(job.arm).where, []).append(job.arm.name)
        return [tuple(sorted(names)) for names in made.values()]


def schedule_of(plan: Plan) -> Schedule:
    """That of all jobs, which learn from the same records; counted to its cap, as on paper no curve is flat."""
    arm = next(arm for arm in plan.arms if arm.stages)
    return plan.schedule_of(plan.job(arm, 0, 0, ""), 0)


def _place(job: Job) -> Place:
    return job.arm.name, job.trial, job.seed


def _alike(place: Place, rung: int) -> Seen:
    """A job whose one record tells nothing."""
    done = rung == LAST
    arm, trial, seed = place
    key, status = f"{arm}/{trial}/{seed}", "done" if done else "paused"
    row = JobRow(key=key, arm=arm, trial=trial, seed=seed, status=status, rung=rung)
    return Seen(row, {early: {"": 0.5} for early in range(1, rung + 1)}, (0.5, 0.5) if done else None)


def _mean(counters: Sequence[Counter]) -> dict:
    return {name: fmean(counter[name] for counter in counters) for name in sorted(set().union(*counters))}

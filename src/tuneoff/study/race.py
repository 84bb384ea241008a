"""The next thing to do, as a pure function of what the ledger holds: replayable, and the same after any restart.

    rung 1 of 3    each method's defaults with the first seed; then what is left of its family's trials, drawn for
                   the family's leader
    rungs 2, 3     of each method the best third of its trials goes on, and never fewer than two
    seeds          of each method's best trial, the other seeds
    test           the chosen jobs meet the sealed test set, once

WITHIN a method halving makes no claim: trials left behind are "not pursued" (Jamieson & Talwalkar 2016, arXiv
1502.07943). Early rungs say little about settings whose rates differ, so two come to the end and are chosen from there.
ACROSS methods a trained arm leaves only where a paired confidence sequence over validation records shows that the
leader does better at the same rung (stats/sequential.py). An arm that is as good as any other leaves in at most 5 % of
races: over all trials of the others, all rungs, and both signals of the last rung, the deciding metric and the denser
one of the early rungs, which counts there only where the metric leans the same way at 5 % alone. Where the race
extrapolates, what is compared at the second rung is where each record's score points, for those that start late:

    0.2 behind 1/9 of the schedule, 0.5 behind 1/3    ->    0.8 at the end, straight over the logarithm of the records

and so nothing leaves across methods at the first rung, which has no line yet. The best arm of each family and all that
needs no training go on to the test; what the leader was shown to beat goes with one seed.

A failed job is not tried again, and its arm goes on with what it has.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, log
from statistics import fmean
from typing import NamedTuple

import numpy as np

from tuneoff.core.rungs import BY_RUNGS, LAST, RUNGS, RaceKind
from tuneoff.stats.many import ALPHA
from tuneoff.stats.sequential import separated
from tuneoff.study.outcome import JobRow

__all__ = ["Drop", "Entry", "Place", "Seen", "Step", "next_step"]

KEPT = 3  # of so many trials one goes on
ENOUGH = 2  # trials that go on in any case
LOOKS = len(RUNGS) + 1  # two signals at the last rung
FEWEST = 8  # records on which two arms can be told apart at all

Place = tuple[str, int, int]
"arm, trial, seed"
Scores = Mapping[str, float]
"record: a score from 0 to 1"


class Entry(NamedTuple):
    """An arm in the race.

    trials: settings at hand, of which the family's share is tried. share: trials of the whole family, which an arm
    that follows another one (a calibrated twin) does not use up. paused: whether it can wait at a rung. most: trials
    that go on behind a rung, where less than the best third still fits the budget.
    """

    arm: str
    family: str
    trials: int
    seeds: int
    share: int = 1
    follows: bool = False
    paused: bool = True
    most: int | None = None


class Seen(NamedTuple):
    """A job of the ledger. scores: by rung, what its validation records got. value: its figure, then the tie breaker.

    dense: what they got at the end by the signal of the early rungs, where the last rung has another one. More is
    better in all of them.
    """

    row: JobRow
    scores: Mapping[int, Scores]
    value: tuple[float, float] | None
    dense: Scores = {}

    @property
    def failed(self) -> bool:
        return self.row.status == "failed"

    @property
    def done(self) -> bool:
        return self.row.status == "done"


class Drop(NamedTuple):
    """A trial, or an arm's other seeds, that the race leaves behind."""

    place: Place
    why: str


class Step(NamedTuple):
    """What to do now. fit: jobs, and the rung to bring each to. test: keys. Both empty: the race is over.

    dropped: all that was left behind so far.
    """

    fit: tuple[tuple[Place, int], ...] = ()
    test: tuple[str, ...] = ()
    dropped: tuple[Drop, ...] = ()

    @property
    def over(self) -> bool:
        return not (self.fit or self.test)


def next_step(entries: Sequence[Entry], seen: Iterable[Seen], race: RaceKind = "rungs") -> Step:
    """Settle the next thing to do. race `full`: every trial of every arm runs its whole schedule, with all seeds."""
    return _Race(entries, {(s.row.arm, s.row.trial, s.row.seed): s for s in seen}, race).step()


class _Race:
    """One look at the table, from the first rung on."""

    def __init__(self, entries: Sequence[Entry], table: Mapping[Place, Seen], race: RaceKind):
        self.entries, self.table, self.race = entries, table, race
        self.rungs = range(1, LAST + 1) if race in BY_RUNGS else [LAST]
        self.whole = {entry.arm for entry in entries if not entry.paused}
        self.most = {entry.arm: entry.most for entry in entries}
        self.dropped: list[Drop] = []
        self.beaten: dict[str, str] = {}

    def step(self) -> Step:
        first = self.rungs[0]
        if missing := self._missing({entry.arm: [0] for entry in self.entries}, first):
            return self._fit(missing, first)
        trials = self._shares(first)
        count = sum(len(own) for own in trials.values())
        self.rivals = {
            arm: count - len(own) for arm, own in trials.items()
        }  # any trial of another arm may come to lead
        for rung in self.rungs:
            if missing := self._missing(trials, rung):
                return self._fit(missing, rung)
            if self.race in BY_RUNGS:
                trials = self._across(self._within(trials, rung), rung)
        return self._seeds_and_test({arm: self._best(arm, own) for arm, own in trials.items()})

    def _fit(self, places: Sequence[Place], rung: int) -> Step:
        fit = tuple((place, LAST if place[0] in self.whole else rung) for place in places)
        return Step(fit=fit, dropped=tuple(self.dropped))

    def _missing(self, trials: Mapping[str, Sequence[int]], rung: int) -> list[Place]:
        return [
            (entry.arm, trial, 0)
            for entry in self.entries
            for trial in trials.get(entry.arm, ())
            if not self._there((entry.arm, trial, 0), rung if entry.paused else LAST)
        ]

    def _there(self, place: Place, rung: int) -> bool:
        """Whether a job has come to a rung, or will never."""
        seen = self.table.get(place)
        return seen is not None and (seen.failed or seen.done or (rung != LAST and rung in seen.scores))

    def _shares(self, rung: int) -> dict[str, list[int]]:
        """The trials of every arm: its defaults, and for the leader of its family what is left of the share.

        What ran already stays in: an arm that comes later takes nothing from those that were there.
        """
        trials = {entry.arm: self._begun(entry, rung) for entry in self.entries}
        for family in {entry.family: None for entry in self.entries}:
            own = [entry for entry in self.entries if entry.family == family]
            more = max(entry.share for entry in own) - sum(not entry.follows for entry in own)
            able = [entry for entry in own if entry.trials > 1 and self._mean((entry.arm, 0, 0), rung) is not None]
            if more > 0 and able:
                leader = max(able, key=lambda entry: self._mean((entry.arm, 0, 0), rung))
                trials[leader.arm] = sorted({*trials[leader.arm], *range(min(leader.trials, 1 + more))})
        return trials

    def _begun(self, entry: Entry, rung: int) -> list[int]:
        return [trial for trial in range(entry.trials) if trial == 0 or self._there((entry.arm, trial, 0), rung)]

    def _within(self, trials: Mapping[str, list[int]], rung: int) -> dict[str, list[int]]:
        """The best third of each method's trials, and what has come to its end (trials may be added behind it); all of
        them at the last rung, where the best one is chosen.
        """
        return {arm: self._best_third(arm, own, rung) for arm, own in trials.items()}

    def _best_third(self, arm: str, trials: list[int], rung: int) -> list[int]:
        scored = [trial for trial in trials if self._mean((arm, trial, 0), rung) is not None]
        if arm in self.whole or rung == LAST or len(scored) < 2:
            return scored
        ranked = sorted(scored, key=lambda trial: (-self._mean((arm, trial, 0), rung), trial))
        kept = ranked[: min(max(ceil(len(trials) / KEPT), ENOUGH), self.most.get(arm) or len(trials))]
        kept += [trial for trial in ranked if trial not in kept and self._there((arm, trial, 0), LAST)]
        for trial in (trial for trial in ranked if trial not in kept):
            self._drop((arm, trial, 0), f"not pursued: not among the best {len(kept)} of its trials at rung {rung}")
        return sorted(kept)

    def _across(self, trials: dict[str, list[int]], rung: int) -> dict[str, list[int]]:
        """Leave out what the leader was shown to beat; the best of a family stays, and runs one seed."""
        best = {entry.arm: self._leading(entry, trials[entry.arm], rung) for entry in self.entries}
        ranked = sorted((arm for arm in best if best[arm]), key=lambda arm: -self._mean(best[arm], rung))
        if not ranked:
            return trials
        leader, entry = ranked[0], {entry.arm: entry for entry in self.entries}
        heads = {entry[arm].family: arm for arm in reversed(ranked)}
        behind = [arm for arm in ranked[1:] if self._worse(best[arm], best[leader], rung)]
        early = f"stopped early: behind {leader} on validation at rung {rung}"  # no claim: it might have caught up
        self.beaten = dict.fromkeys(behind, early if rung != LAST else f"worse on validation than {leader}")
        leaving = [arm for arm in behind if entry[arm].paused and heads[entry[arm].family] != arm]
        for arm in leaving:
            for trial in trials[arm]:
                self._drop((arm, trial, 0), self.beaten[arm])
        return {arm: [] if arm in leaving else own for arm, own in trials.items()}

    def _leading(self, entry: Entry, trials: Sequence[int], rung: int) -> Place | None:
        """An arm's best trial among those that were looked at on this rung; what never pauses, on the last one only."""
        if not entry.paused and rung != LAST:
            return None
        if rung == LAST:
            trial = self._best(entry.arm, trials)
            return None if trial is None else (entry.arm, trial, 0)
        places = [(entry.arm, trial, 0) for trial in trials]
        scored = [place for place in places if self._mean(place, rung) is not None and rung in self.table[place].scores]
        return max(scored, key=lambda place: self._mean(place, rung)) if scored else None

    def _worse(self, place: Place, leader: Place, rung: int) -> bool:
        """Whether the leader was shown to do better; separated() takes an error rate of two sides."""
        alpha = 2 * ALPHA / (LOOKS * self.rivals[place[0]])
        if rung == 1 and self.race == "extrapolate":
            return False
        own, other = self._compared(place, rung), self._compared(leader, rung)
        if _shown(own, other, alpha) or rung != LAST:
            return _shown(own, other, alpha)
        dense = self.table[place].dense, self.table[leader].dense
        return _shown(*dense, alpha) and _shown(own, other, 2 * ALPHA)

    def _seeds_and_test(self, chosen: Mapping[str, int | None]) -> Step:
        runs = [(entry, chosen.get(entry.arm)) for entry in self.entries]
        runs = [(entry, trial, self._seeds(entry)) for entry, trial in runs if trial is not None]
        for entry, trial, seeds in runs:
            for seed in range(seeds, entry.seeds):
                self._drop((entry.arm, trial, seed), f"one seed is enough: {self.beaten[entry.arm]}")
        more = [(entry.arm, trial, seed) for entry, trial, seeds in runs for seed in range(1, seeds)]
        if missing := [place for place in more if not self._there(place, LAST)]:
            return self._fit(missing, LAST)
        places = [(entry.arm, trial, seed) for entry, trial, seeds in runs for seed in range(seeds)]
        jobs = [self.table[place] for place in places if place in self.table]
        test = tuple(s.row.key for s in jobs if s.done and not s.row.tested)
        return Step(test=test, dropped=tuple(self.dropped))

    def _seeds(self, entry: Entry) -> int:
        return 1 if entry.arm in self.beaten else entry.seeds

    def _best(self, arm: str, trials: Sequence[int]) -> int | None:
        """The trial whose first seed did best on validation; None where every trial failed."""
        seen = [(trial, self.table.get((arm, trial, 0))) for trial in trials]
        done = [(s.value, -trial) for trial, s in seen if s and s.done and s.value is not None]
        return -max(done)[1] if done else None

    def _mean(self, place: Place, rung: int) -> float | None:
        scores = self._compared(place, rung)
        return fmean(scores.values()) if scores else None

    def _compared(self, place: Place, rung: int) -> Scores:
        """What arms and trials are compared by at a rung."""
        pointing = self.race == "extrapolate" and 1 < rung < LAST
        return self._heading(place, rung) if pointing else self._scores(place, rung)

    def _scores(self, place: Place, rung: int) -> Scores:
        """What a job got at a rung; one that never paused stands where it ended."""
        seen = self.table.get(place)
        if seen is None or seen.failed:
            return {}
        return seen.scores.get(rung, seen.scores.get(LAST, {}))

    def _heading(self, place: Place, rung: int) -> Scores:
        """Where each record's score points to at the end, from this rung and the one before it."""
        was, now = (self._scores(place, each) for each in (rung - 1, rung))
        ahead = log(1 / RUNGS[rung - 1]) / log(RUNGS[rung - 1] / RUNGS[rung - 2])
        ends = {record: now[record] + ahead * (now[record] - was[record]) for record in now.keys() & was.keys()}
        return {record: min(max(end, 0.0), 1.0) for record, end in ends.items()}

    def _drop(self, place: Place, why: str) -> None:
        self.dropped.append(Drop(place, why))


def _shown(own: Scores, other: Scores, alpha: float) -> bool:
    """Whether the other one is separated from, and above, this one."""
    shared = sorted(own.keys() & other.keys())  # hashes: an order that is random, and always the same
    if len(shared) < FEWEST:
        return False
    return separated(np.array([other[record] - own[record] for record in shared]), alpha) > 0

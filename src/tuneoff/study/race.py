"""The next jobs, as a pure function of what the ledger holds: replayable, and the same after any restart.

Every arm's trials run with the first seed; validation chooses one trial per arm; it runs the other seeds; then all
chosen jobs meet the sealed test set, once. A failed job is not tried again and its arm goes on with what it has.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tuneoff.study.outcome import JobRow

__all__ = ["Entry", "Seen", "Step", "best_trial", "next_step"]


class Entry(NamedTuple):
    """An arm in the race: its name, how many settings to try, how many seeds."""

    arm: str
    trials: int
    seeds: int


class Step(NamedTuple):
    """What to do now: jobs to fit as (arm, trial, seed), or jobs to test as keys. Both empty: the race is over."""

    fit: tuple[tuple[str, int, int], ...] = ()
    test: tuple[str, ...] = ()


class Seen(NamedTuple):
    """A job of the ledger, with its validation figure (more is better; then the tie breaker)."""

    row: JobRow
    value: tuple[float, float] | None


def next_step(entries: Sequence[Entry], seen: Iterable[Seen]) -> Step:
    """Settle the next thing to do."""
    by_place = {(s.row.arm, s.row.trial, s.row.seed): s for s in seen}
    trials = [(e.arm, t, 0) for e in entries for t in range(e.trials) if not _settled(by_place.get((e.arm, t, 0)))]
    if trials:
        return Step(fit=tuple(trials))
    chosen = {entry.arm: best_trial(entry, by_place) for entry in entries}
    seeds = [
        (e.arm, chosen[e.arm], n)
        for e in entries
        if chosen[e.arm] is not None
        for n in range(1, e.seeds)
        if not _settled(by_place.get((e.arm, chosen[e.arm], n)))
    ]
    if seeds:
        return Step(fit=tuple(seeds))
    finished = [by_place.get((e.arm, chosen[e.arm], n)) for e in entries for n in range(e.seeds)]
    return Step(test=tuple(s.row.key for s in finished if s and s.row.status == "done" and not s.row.tested))


def best_trial(entry: Entry, by_place: Mapping[tuple[str, int, int], Seen]) -> int | None:
    """The trial whose first seed did best on validation; None where every trial failed."""
    firsts = [(t, by_place.get((entry.arm, t, 0))) for t in range(entry.trials)]
    done = [(s.value, -t) for t, s in firsts if s and s.row.status == "done" and s.value is not None]
    return -max(done)[1] if done else None


def _settled(seen: Seen | None) -> bool:
    return seen is not None and seen.row.status in ("done", "failed")

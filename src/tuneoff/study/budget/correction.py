"""A run that is slower or quicker than was measured is made smaller or larger on its way.

    what was done took 1.71 times its forecast    ->    2 trials and 1 seed still fit
    the race is over after half of the time       ->    there is time for 4 trials and 3 seeds

Both depend on the clock, so each is written down (event "correction") before it holds, and the race reads what is
written.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean

from tuneoff.core.rungs import LAST
from tuneoff.study.budget.bill import Bill
from tuneoff.study.budget.forecast import (
    LIKELY,
    NO_FIGURES,
    SECOND,
    SHORTER,
    Fitted,
    Rehearsal,
    fit_budget,
    resized,
    sized,
    trials_and_seeds,
    with_figures,
)
from tuneoff.study.budget.rates import Rates
from tuneoff.study.budget.spending import AFTER_ALL, FORECAST, known_rates
from tuneoff.study.plan import Plan
from tuneoff.study.race import Entry, Place, Seen
from tuneoff.study.seen import entries_of

__all__ = [
    "CORRECTION",
    "LATEST",
    "Correction",
    "correct",
    "corrected",
    "fitted_before",
    "grow",
    "read_corrections",
    "until_now",
]

CORRECTION = "correction"
"event of the ledger: one as JSON"

SHORTEST = SHORTER[-1]
LATEST = 0.97  # of the budget: a study that will end later is made smaller
PRIOR = 0.1  # of the race counts as done at its forecast, so that the first few jobs alone do not set the pace


@dataclass(frozen=True, slots=True)
class Correction:
    """From here on, and until the next one: so many trials of a method and so many seeds at the most, and training ends
    at this share of its cap at the latest. why: a sentence. budget: under which it holds, as the study file has it.
    """

    trials: int
    seeds: int
    why: str
    until: float = 1.0
    budget: str = ""

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def correct(
    fitted: Fitted,
    rates: Rates,
    seen: Sequence[Seen],
    spent_s: float,
    race_s: float,
    earlier: Sequence[Correction] = (),
) -> Correction | None:
    """What to do with less where the budget's time would no longer hold the rest; None where it does.

    To be asked at the end of each step of the race. seen: the ledger's jobs. spent_s: `spent_seconds` so far; race_s:
    of them, `race_seconds`. earlier: corrections that hold already. What was done took `pace` times its forecast, and
    so will the rest, with curves that are flat when most are. Seeds are given up first, then trials, then length of
    training; which of them is for the race to say, which is given `corrected` entries. The answer depends on the clock,
    so it is written down (event "correction") and the race reads what is written.
    """
    limit_s, budget = fitted.budget.seconds, fitted.plan.spec.budget
    if limit_s is None:
        return None
    look = Look(fitted, rates, seen, spent_s, race_s)
    if look.ends_s(fitted.plan, earlier) <= LATEST * limit_s:
        return None
    told = f"what was done took {look.pace:.2f} times its forecast"
    for smaller in _smaller(fitted.plan, told, earlier):
        if (end_s := look.ends_s(fitted.plan, [*earlier, smaller])) <= LATEST * limit_s:
            return replace(smaller, budget=budget)
    if _until(earlier) == SHORTEST:
        return None
    why = f"{told}: the least that means something ends {end_s - limit_s:.0f} s after the budget"
    return Correction(1, 1, why, until=SHORTEST, budget=budget)


def grow(
    fitted: Fitted,
    asked: Plan,
    rates: Rates,
    seen: Sequence[Seen],
    spent_s: float,
    race_s: float,
    earlier: Sequence[Correction] = (),
) -> Correction | None:
    """More trials or seeds, where the race was quicker than its forecast and the budget has time for them.

    To be asked at the end of the race, before the test set is opened. asked: the plan as the study file has it. A
    further trial is reckoned with as if it became the best one, and so with all its seeds. A budget of tokens is none
    that can be watched here, and a training that was shortened has no time left: both stay as they are.
    """
    limit_s = fitted.budget.seconds
    if limit_s is None or fitted.budget.tokens is not None or min(fitted.plan.cap, _until(earlier)) < 1:
        return None
    now, look = _counts(fitted.plan, earlier), Look(fitted, rates, seen, spent_s, race_s)
    for trials, seeds in trials_and_seeds(asked):
        if (trials, seeds) == now or trials < now[0] or seeds < now[1]:
            continue
        made = resized(asked, trials, seeds, beside=trials > SECOND or fitted.plan.spec.measure == asked.spec.measure)
        more = Correction(trials, seeds, f"there is time for {_counted(trials, seeds)}", budget=asked.spec.budget)
        if look.ends_s(made, [more]) <= LATEST * limit_s:  # nothing is reckoned to leave, so it ends earlier
            return more
    return None


class Look:
    """A look at a race on its way. pace: how many times its forecast it took so far."""

    def __init__(self, fitted: Fitted, rates: Rates, seen: Sequence[Seen], spent_s: float, race_s: float):
        self.rates, self.seen, self.spent_s = rates, seen, spent_s
        self.pace = _pace(fitted, _done(fitted.plan, rates, seen), race_s)

    def ends_s(self, plan: Plan, corrections: Sequence[Correction]) -> float:
        """Seconds from the beginning, where what is left of a plan takes as many times its forecast."""
        done, entries = _done(plan, self.rates, self.seen), corrected(entries_of(plan), self.seen, corrections)
        left = _left(plan, done, entries, self.seen, _until(corrections))
        return self.spent_s + left.fixed_s + self.pace * (left.all_s - left.fixed_s)


def _pace(fitted: Fitted, done: Bill, race_s: float) -> float:
    """How many times its forecast the race took so far."""
    before_s = done.seconds["before"]
    prior_s = PRIOR * (fitted.forecast.worst.all_s - before_s)
    return (race_s + prior_s) / max(done.all_s - before_s + prior_s, 1e-9)


def _smaller(plan: Plan, told: str, earlier: Sequence[Correction]) -> Iterator[Correction]:
    """Smaller studies than the one that goes on, the largest first; one trial and one seed last."""
    trials, seeds = _counts(plan, earlier)
    for fewer in range(seeds - 1, 0, -1):
        yield Correction(trials, fewer, f"{told}: {_counted(trials, fewer)} still fit the budget")
    for fewer in range(trials - 1, 0, -1):
        yield Correction(fewer, 1, f"{told}: {_counted(fewer, 1)} still fit the budget")
    for until in (share for share in SHORTER if share < _until(earlier)):
        why = f"{told}: training ends at {100 * until:.0f} % of its longest, and may be unfinished"
        yield Correction(1, 1, why, until=until)


def _counted(trials: int, seeds: int) -> str:
    return f"{trials} trial{'s' * (trials > 1)} and {seeds} seed{'s' * (seeds > 1)}"


def _counts(plan: Plan, corrections: Sequence[Correction]) -> tuple[int, int]:
    """Trials and seeds, as they are now."""
    last = corrections[-1] if corrections else plan.spec
    return min(last.trials, plan.spec.trials), min(last.seeds, plan.spec.seeds)


def _until(corrections: Sequence[Correction]) -> float:
    return corrections[-1].until if corrections else 1.0


def corrected(entries: Iterable[Entry], seen: Iterable[Seen], corrections: Sequence[Correction]) -> list[Entry]:
    """Entries under the last correction. Seeds that have begun stay; so do trials, until their next rung."""
    entries = list(entries)
    if not corrections:
        return entries
    trials, seeds = corrections[-1].trials, corrections[-1].seeds
    begun = [(s.row.arm, s.row.trial, s.row.seed) for s in seen if s.row.rung and s.row.status != "dropped"]
    return [
        entry._replace(
            trials=min(entry.trials, max([trials, *(1 + t for arm, t, _ in begun if arm == entry.arm)])),
            seeds=min(entry.seeds, max([seeds, *(1 + s for arm, _, s in begun if arm == entry.arm)])),
            most=trials,
        )
        for entry in entries
    ]


def read_corrections(events: Iterable[Mapping], budget: str) -> list[Correction]:
    """All corrections of a run under a budget, in their order."""
    found = [Correction(**json.loads(event["detail"])) for event in events if event["what"] == CORRECTION]
    return [correction for correction in found if correction.budget == budget]


def until_now(events: Iterable[Mapping], budget: str) -> float:
    """The share of its cap at which training ends at the latest."""
    return _until(read_corrections(events, budget))


def fitted_before(plan: Plan, events: Iterable[Mapping]) -> Fitted | None:
    """The plan as this run's budget holds it by the rates measured then; None where they do not tell of all arms."""
    rates = known_rates(events)
    if not plan.spec.budget or rates is None or not rates.covers(plan.racing):
        return None
    fitted = grown(fit_budget(plan, rates), plan, rates, read_corrections(events, plan.spec.budget))
    told = [(event["what"], event["detail"]) for event in events if event["what"] in (FORECAST, AFTER_ALL)]
    again = (AFTER_ALL, NO_FIGURES) in told[-1:]
    return with_figures(fitted, plan, rates) if again else fitted


def grown(fitted: Fitted, asked: Plan, rates: Rates, corrections: Sequence[Correction]) -> Fitted:
    """With as many trials and seeds as any correction has: its settings are there, whatever holds now."""
    was = fitted.plan.spec
    trials = max([was.trials, *(each.trials for each in corrections)])
    seeds = max([was.seeds, *(each.seeds for each in corrections)])
    if (trials, seeds) == (was.trials, was.seeds):
        return fitted
    return sized(asked, resized(fitted.plan, trials, seeds), rates)


def _done(plan: Plan, rates: Rates, seen: Iterable[Seen]) -> Bill:
    """What was done so far, as forecast."""
    bill = Bill(plan, rates, LIKELY)
    stops = {arm.name: range(1, LAST + 1) if arm.stages else [LAST] for arm in plan.racing}
    for place, one in _table(seen).items():
        was = 0
        for rung in (rung for rung in stops[place[0]] if rung <= one.row.rung):
            bill.fit(place, was, rung)
            was = rung
        if one.row.tested:
            bill.test(place)
    return bill


def _left(plan: Plan, done: Bill, entries: Sequence[Entry], seen: Sequence[Seen], until: float) -> Bill:
    """What is left where no arm leaves and a trial to come is the best, as forecast. until: the share of its longest at
    which training ends.
    """
    means = {place: fmean(list(one.scores.values())[-1].values()) for place, one in _table(seen).items() if one.scores}

    def guess(place: Place) -> float:
        arm, trial, _ = place
        return means.get((arm, trial, 0), 1.0 if trial else 0.0)

    rehearsal = Rehearsal(entries, done.after(min(LIKELY, until)), guess, table=_table(seen))
    rehearsal.run(plan.spec.race)
    return rehearsal.bill


def _table(seen: Iterable[Seen]) -> dict[Place, Seen]:
    return {(one.row.arm, one.row.trial, one.row.seed): one for one in seen}

"""What a run has spent, against its forecast; and what still fits where it is slower than was measured.

    phase                  forecast              took
    first seed             2 min 10 s to 4 min   3 min 2 s
    other seeds            1 min to 3 min        2 min 40 s

Times are of the clock, from the ledger's events: of each session from its "begin" to its last event, so that a pause
between two sessions counts for nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import NamedTuple

from tuneoff.core.rungs import LAST
from tuneoff.study.budget.bill import PHASES, Bill
from tuneoff.study.budget.forecast import LIKELY, SHORTER, Fitted, Forecast, Rehearsal, fit_budget, with_figures
from tuneoff.study.budget.rates import Rates
from tuneoff.study.outcome import JobRow
from tuneoff.study.plan import Plan
from tuneoff.study.race import Entry, Place, Seen
from tuneoff.study.seen import entries_of
from tuneoff.study.store import Ledger

__all__ = [
    "AFTER_ALL",
    "BEGIN",
    "CORRECTION",
    "FORECAST",
    "LATEST",
    "RATES",
    "Correction",
    "PhaseTime",
    "compare",
    "correct",
    "corrected",
    "fitted_before",
    "known_rates",
    "race_seconds",
    "read_corrections",
    "spent_seconds",
    "until_now",
]

BEGIN, RATES, FORECAST, CORRECTION = "begin", "rates", "forecast", "correction"
"events of the ledger: a session's first; measured rates, the forecast and each correction, as JSON"
AFTER_ALL = "after all"
"event: a sentence of what was left out, and is done now"

OUTSIDE = (BEGIN, "study file")  # a pause may stand before them

SHORTEST = SHORTER[-1]
LATEST = 0.97  # of the budget: a study that will end later is made smaller
PRIOR = 0.1  # of the race counts as done at its forecast, so that the first few jobs alone do not set the pace


class PhaseTime(NamedTuple):
    """low_s, high_s: forecast at best and at worst. took_s: by the clock; None where it did not come to that."""

    name: str
    low_s: float
    high_s: float
    took_s: float | None


@dataclass(frozen=True, slots=True)
class Correction:
    """From here on: at most so many trials of a method go on, at most so many seeds are run, and training ends at this
    share of its cap at the latest. why: a sentence.
    """

    trials: int
    seeds: int
    why: str
    until: float = 1.0

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def known_rates(events: Iterable[Mapping]) -> Rates | None:
    """The rates that were measured when the run began."""
    told = [event["detail"] for event in events if event["what"] == RATES]
    return Rates.read(told[-1]) if told else None


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
    limit_s = fitted.budget.seconds
    if limit_s is None:
        return None
    done = _done(fitted, rates, seen)
    pace = _pace(fitted, done, race_s)

    def ends_s(corrections: Sequence[Correction]) -> float:
        left = _left(fitted, done, corrected(entries_of(fitted.plan), seen, corrections), seen, _until(corrections))
        return spent_s + left.fixed_s + pace * (left.all_s - left.fixed_s)

    if ends_s(earlier) <= LATEST * limit_s:
        return None
    told = f"what was done took {pace:.2f} times its forecast"
    for smaller in _smaller(fitted.plan, told, earlier):
        if (end_s := ends_s([*earlier, smaller])) <= LATEST * limit_s:
            return smaller
    if _until(earlier) == SHORTEST:
        return None
    why = f"{told}: the least that means something ends {end_s - limit_s:.0f} s after the budget"
    return Correction(1, 1, why, until=SHORTEST)


def _pace(fitted: Fitted, done: Bill, race_s: float) -> float:
    """How many times its forecast the race took so far."""
    before_s = done.seconds["before"]
    prior_s = PRIOR * (fitted.forecast.worst.all_s - before_s)
    return (race_s + prior_s) / max(done.all_s - before_s + prior_s, 1e-9)


def _smaller(plan: Plan, told: str, earlier: Sequence[Correction]) -> Iterator[Correction]:
    """Smaller studies than the one that goes on, the largest first; one trial and one seed last."""
    trials = min([plan.spec.trials, *(each.trials for each in earlier)])
    seeds = min([plan.spec.seeds, *(each.seeds for each in earlier)])
    for fewer in range(seeds - 1, 0, -1):
        yield Correction(trials, fewer, f"{told}: {_counted(trials, fewer)} still fit the budget")
    for fewer in range(trials - 1, 0, -1):
        yield Correction(fewer, 1, f"{told}: {_counted(fewer, 1)} still fit the budget")
    for until in (share for share in SHORTER if share < _until(earlier)):
        why = f"{told}: training ends at {100 * until:.0f} % of its longest, and may be unfinished"
        yield Correction(1, 1, why, until=until)


def _counted(trials: int, seeds: int) -> str:
    return f"{trials} trial{'s' * (trials > 1)} and {seeds} seed{'s' * (seeds > 1)}"


def _until(corrections: Iterable[Correction]) -> float:
    return min((each.until for each in corrections), default=1.0)


def corrected(entries: Iterable[Entry], seen: Iterable[Seen], corrections: Sequence[Correction]) -> list[Entry]:
    """Entries under all corrections so far. Seeds that have begun stay; so do trials, until their next rung."""
    entries = list(entries)
    if not corrections:
        return entries
    trials, seeds = min(c.trials for c in corrections), min(c.seeds for c in corrections)
    begun = [(s.row.arm, s.row.trial, s.row.seed) for s in seen if s.row.rung and s.row.status != "dropped"]
    return [
        entry._replace(
            trials=min(entry.trials, max([trials, *(1 + t for arm, t, _ in begun if arm == entry.arm)])),
            seeds=min(entry.seeds, max([seeds, *(1 + s for arm, _, s in begun if arm == entry.arm)])),
            most=trials,
        )
        for entry in entries
    ]


def read_corrections(events: Iterable[Mapping]) -> list[Correction]:
    """All corrections of a run, in their order."""
    return [Correction(**json.loads(event["detail"])) for event in events if event["what"] == CORRECTION]


def until_now(events: Iterable[Mapping]) -> float:
    """The share of its cap at which training ends at the latest."""
    return _until(read_corrections(events))


def spent_seconds(events: Sequence[Mapping], now: float | None = None) -> float:
    """Seconds of the clock over all sessions. now: the end of the last one, where it still runs."""
    end = [] if now is None else [(now, "", "")]
    return sum(seconds for seconds, *_ in _gaps([*((e["at"], e["what"], e["job"]) for e in events), *end]))


def race_seconds(ledger: Ledger) -> float:
    """Seconds of the clock that went into jobs and tests, over all sessions."""
    took = _took(ledger, ledger.events())
    return sum(took.get(phase, 0.0) for phase in ("trials", "seeds", "test"))


def _gaps(events: Iterable[tuple[float, str, str]]) -> Iterator[tuple[float, str, str]]:
    """(seconds since the one before, what, job) of each event inside a session."""
    before = None
    for at, what, job in events:
        if what in OUTSIDE:
            before = at if what == BEGIN else None
        elif before is not None:
            yield at - before, what, job
            before = None if what == "verdict" else at


def compare(ledger: Ledger) -> tuple[PhaseTime, ...]:
    """The forecast against what happened, phase by phase, the whole last; empty where nothing was forecast."""
    events = ledger.events()
    told = [event["detail"] for event in events if event["what"] == FORECAST]
    if not told:
        return ()
    forecast, took = Forecast.read(told[-1]), _took(ledger, events)
    best, worst = forecast.best, forecast.worst
    rows = [PhaseTime(words, best.seconds[key], worst.seconds[key], took.get(key)) for key, words in PHASES.items()]
    return (*rows, PhaseTime("the whole run", best.all_s, worst.all_s, spent_seconds(events)))


def _took(ledger: Ledger, events: Sequence[Mapping]) -> dict[str, float]:
    """Each time between two events belongs to the phase of the later one, or of the next that has one."""
    rows = {row.key: row for row in [*ledger.jobs(), *ledger.curve_jobs()]}
    took: dict[str, float] = {}
    waiting = 0.0
    for seconds, what, job in _gaps((e["at"], e["what"], e["job"]) for e in events):
        waiting += seconds
        if phase := _phase(what, rows.get(job)):
            took[phase], waiting = took.get(phase, 0.0) + waiting, 0.0
    return took


def _phase(what: str, row: JobRow | None) -> str | None:
    if what in ("machine", RATES, FORECAST) or (what == "start" and row and not row.size):
        return "before"  # also what was looked at between the forecast and the first job
    if what == "tested":
        return "test"
    if what == "verdict" or (what == "start" and row and row.size):
        return "beside"  # what is measured beside quality leaves no event of its own
    if row is None or what not in ("paused", "done", "failed", "dropped"):
        return None
    return "curve" if row.size else "seeds" if row.seed else "trials"


def fitted_before(plan: Plan, events: Iterable[Mapping]) -> Fitted | None:
    """The plan as this run's budget holds it by the rates measured then; None where they do not tell of all arms."""
    rates = known_rates(events)
    if not plan.spec.budget or rates is None or not rates.covers(plan.racing):
        return None
    fitted = fit_budget(plan, rates)
    whats = [event["what"] for event in events]
    again = AFTER_ALL in whats[len(whats) - whats[::-1].index(FORECAST) :] if FORECAST in whats else False
    return with_figures(fitted, plan, rates) if again else fitted


def _done(fitted: Fitted, rates: Rates, seen: Iterable[Seen]) -> Bill:
    """What was done so far, as forecast."""
    bill = Bill(fitted.plan, rates, LIKELY)
    stops = {arm.name: range(1, LAST + 1) if arm.stages else [LAST] for arm in fitted.plan.racing}
    for place, one in _table(seen).items():
        was = 0
        for rung in (rung for rung in stops[place[0]] if rung <= one.row.rung):
            bill.fit(place, was, rung)
            was = rung
        if one.row.tested:
            bill.test(place)
    return bill


def _left(fitted: Fitted, done: Bill, entries: Sequence[Entry], seen: Sequence[Seen], until: float) -> Bill:
    """What is left where no arm leaves, as forecast. until: the share of its longest at which training ends."""
    means = {place: fmean(list(one.scores.values())[-1].values()) for place, one in _table(seen).items() if one.scores}

    def guess(place: Place) -> float:
        arm, trial, _ = place
        return means.get((arm, trial, 0), means.get((arm, 0, 0), 0.0))

    rehearsal = Rehearsal(entries, done.after(min(LIKELY, until)), guess, table=_table(seen))
    rehearsal.run(fitted.plan.spec.race)
    return rehearsal.bill


def _table(seen: Iterable[Seen]) -> dict[Place, Seen]:
    return {(one.row.arm, one.row.trial, one.row.seed): one for one in seen}

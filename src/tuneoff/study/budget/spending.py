"""What a run has spent, against its forecast.

    phase                  forecast              took
    first seed             2 min 10 s to 4 min   3 min 2 s
    other seeds            1 min to 3 min        2 min 40 s

Times are of the clock, from the ledger's events: of each session from its "begin" to its last event, so that a pause
between two sessions counts for nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tuneoff.study.budget.bill import PHASES
from tuneoff.study.budget.forecast import Forecast
from tuneoff.study.budget.rates import Rates
from tuneoff.study.outcome import JobRow
from tuneoff.study.store import Ledger

__all__ = [
    "AFTER_ALL",
    "BEGIN",
    "FORECAST",
    "RATES",
    "PhaseTime",
    "compare",
    "known_rates",
    "race_seconds",
    "spent_seconds",
]

BEGIN, RATES, FORECAST = "begin", "rates", "forecast"
"events of the ledger: a session's first; measured rates and the forecast, as JSON"
AFTER_ALL = "after all"
"event: a sentence of what was left out, and is done now"

OUTSIDE = (BEGIN, "study file")  # a pause may stand before them


class PhaseTime(NamedTuple):
    """low_s, high_s: forecast at best and at worst. took_s: by the clock; None where it did not come to that."""

    name: str
    low_s: float
    high_s: float
    took_s: float | None


def known_rates(events: Iterable[Mapping]) -> Rates | None:
    """The rates that were measured when the run began."""
    told = [event["detail"] for event in events if event["what"] == RATES]
    return Rates.read(told[-1]) if told else None


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

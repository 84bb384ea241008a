"""A study held to its budget: measured before it begins, fitted, and looked at again after each step of the race.

    held = Budgeted(plan, ledger)        where an earlier session measured it, it is fitted already
    held.begin()                         the clock of this session starts
    held.measure(base, folder)           else now
    held.plan                            the study that the budget holds
    held.entries(seen)                   who races, under all corrections so far
    held.look(seen)                      a correction, where what is left no longer fits
    held.grow(seen)                      a correction, where the race has left time for more trials or seeds
    held.figures_after_all()             whether figures that were left out fit now, the race having left time

Rates, forecast and corrections are events of the ledger. All that the race depends on is read from there, so a restart
finds the same plan.
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tuneoff.core.budget import parse_budget
from tuneoff.models.base import Base
from tuneoff.study.budget.correction import (
    CORRECTION,
    LATEST,
    Correction,
    correct,
    corrected,
    fitted_before,
    grow,
    read_corrections,
)
from tuneoff.study.budget.forecast import NO_FIGURES, Fitted, figures_s, fit_budget, with_figures
from tuneoff.study.budget.rates import ALLOWANCE_S, Rates, measure_rates
from tuneoff.study.budget.share import beside_s
from tuneoff.study.budget.spending import (
    AFTER_ALL,
    BEGIN,
    FORECAST,
    RATES,
    known_rates,
    race_seconds,
    spent_seconds,
)
from tuneoff.study.faults import raised
from tuneoff.study.plan import Plan
from tuneoff.study.race import Entry, Seen
from tuneoff.study.seen import entries_of
from tuneoff.study.store import Ledger

__all__ = ["Budgeted"]

SHARE = 0.1  # of the budget that measuring may take


class Budgeted:
    """asked: the plan as the study file has it. fitted: as the budget holds it; None without one, or not measured."""

    def __init__(self, asked: Plan, ledger: Ledger):
        self.asked, self.ledger = asked, ledger
        self.fitted: Fitted | None = fitted_before(asked, ledger.events())

    @property
    def plan(self) -> Plan:
        return self.fitted.plan if self.fitted else self.asked

    def begin(self) -> None:
        """The clock of a session starts; under another budget than the session before with another forecast."""
        told = [event["detail"] for event in self.ledger.events() if event["what"] == FORECAST]
        self.ledger.note("", BEGIN)
        if self.fitted and told[-1:] != [self.fitted.forecast.as_json()]:
            self.ledger.note("", FORECAST, self.fitted.forecast.as_json())

    def measure(
        self,
        base: Base,
        folder: Path,
        met: Callable[[str, Exception], None] = raised,
        allowance_s: float = ALLOWANCE_S,
    ) -> Fitted | None:
        """Measure what is not known, fit, and write both down. What was spent so far counts as spent before the race.
        met: as `measure_rates` takes it.

        allowance_s: about how long measuring may take; it is a tenth of the budget at most. Raises StudyError where the
        budget is too small, with the smallest that would do.
        """
        if self.fitted or not self.asked.spec.budget:
            return self.fitted
        limit_s = parse_budget(self.asked.spec.budget).seconds
        rates = measure_rates(
            self.asked,
            base,
            folder,
            known=known_rates(self.ledger.events()),
            before_s=self._spent_s(),
            allowance_s=min(allowance_s, ALLOWANCE_S, SHARE * (limit_s or math.inf)),
            met=met,
        )
        self.ledger.note("", RATES, rates.as_json())
        self.fitted = fit_budget(self.asked, rates)
        self.ledger.note("", FORECAST, self.fitted.forecast.as_json())
        return self.fitted

    def entries(self, seen: Sequence[Seen]) -> list[Entry]:
        """Who races."""
        return corrected(entries_of(self.plan), seen, self._corrections())

    def look(self, seen: Sequence[Seen]) -> Correction | None:
        """Whether what is left still fits; a correction is written down, and holds from now on."""
        if self.fitted is None:
            return None
        found = correct(self.fitted, *self._so_far(seen))
        if found is not None:
            self.ledger.note("", CORRECTION, found.as_json())
        return found

    def grow(self, seen: Sequence[Seen]) -> Correction | None:
        """Whether more trials or seeds fit, the race being over and the test not open; then `plan` is another one, and
        what had been left out for time and is not any more is written down.
        """
        if self.fitted is None or self.ledger.meta("test_open"):
            return None
        found = grow(self.fitted, self.asked, *self._so_far(seen))
        if found is not None:
            was = self.fitted.left_out
            self.ledger.note("", CORRECTION, found.as_json())
            self.fitted = fitted_before(self.asked, self.ledger.events())
            self.ledger.note("", FORECAST, self.fitted.forecast.as_json())
            self._tell_anew(was)
        return found

    def _tell_anew(self, was: Sequence[str]) -> None:
        """Sentences of what is left out that changed. was: before."""
        now = self.fitted.left_out
        for sentence in (sentence for sentence in was if sentence not in now):
            self.ledger.note("", AFTER_ALL, sentence)
        for sentence in (sentence for sentence in now if sentence not in was):
            self.ledger.note("", "left out", sentence)

    def figures_after_all(self) -> bool:
        """Take the figures beside quality that were left out, where the time that the race left is enough for them."""
        if self.fitted is None or self.plan.spec.measure == self.asked.spec.measure:
            return False
        rates = known_rates(self.ledger.events())
        if figures_s(self.asked, rates) > LATEST * self.fitted.budget.seconds - self._spent_s():
            return False
        self.fitted = with_figures(self.fitted, self.asked, rates)
        self.ledger.note("", FORECAST, self.fitted.forecast.as_json())
        self.ledger.note("", AFTER_ALL, NO_FIGURES)
        return True

    def beside_left_s(self, before_s: float) -> float:
        """Seconds that the figures beside quality may take, the race being over. before_s: of what was spent so far,
        what stood beside the race."""
        spent_s = self._spent_s()
        limit_s = parse_budget(self.plan.spec.budget).seconds or math.inf
        allowed_s = beside_s(self.plan, spent_s - before_s) - before_s
        return max(0.0, min(allowed_s, LATEST * limit_s - spent_s))

    def _corrections(self) -> list[Correction]:
        return read_corrections(self.ledger.events(), self.asked.spec.budget)

    def _so_far(self, seen: Sequence[Seen]) -> tuple[Rates, Sequence[Seen], float, float, list[Correction]]:
        """Rates, jobs, seconds spent and raced, and corrections."""
        rates = known_rates(self.ledger.events())
        return rates, seen, self._spent_s(), race_seconds(self.ledger), self._corrections()

    def _spent_s(self) -> float:
        return spent_seconds(self.ledger.events(), time.time())

"""A study held to its budget: measured before it begins, fitted, and looked at again after each step of the race.

    held = Budgeted(plan, ledger)        where an earlier session measured it, it is fitted already
    held.begin()                         the clock of this session starts
    held.measure(base, folder)           else now
    held.plan                            the study that the budget holds
    held.entries(seen)                   who races, under all corrections so far
    held.look(seen)                      a correction, where what is left no longer fits
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
from tuneoff.study.budget.forecast import NO_FIGURES, Fitted, figures_s, fit_budget, with_figures
from tuneoff.study.budget.rates import ALLOWANCE_S, measure_rates
from tuneoff.study.budget.share import beside_s
from tuneoff.study.budget.spending import (
    AFTER_ALL,
    BEGIN,
    CORRECTION,
    FORECAST,
    LATEST,
    RATES,
    Correction,
    correct,
    corrected,
    fitted_before,
    known_rates,
    race_seconds,
    read_corrections,
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
        return corrected(entries_of(self.plan), seen, read_corrections(self.ledger.events()))

    def look(self, seen: Sequence[Seen]) -> Correction | None:
        """Whether what is left still fits; a correction is written down, and holds from now on."""
        if self.fitted is None:
            return None
        events, race_s = self.ledger.events(), race_seconds(self.ledger)
        found = correct(self.fitted, known_rates(events), seen, self._spent_s(), race_s, read_corrections(events))
        if found is not None:
            self.ledger.note("", CORRECTION, found.as_json())
        return found

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

    def _spent_s(self) -> float:
        return spent_seconds(self.ledger.events(), time.time())

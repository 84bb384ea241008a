"""Who wins among the arms that are left, and which winner is recommended.

    case = Case(rows, tests, margin=0.01, up=True, choice=spec.decision)
    case.decided(["zero_shot", "few_shot", "lora"]).recommended

A decision is a function of the arms that are left: with a limit lifted, it is made again from the same figures.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple

import numpy as np

from tuneoff.stats.decide import Beats, cheapest, finalists, front, highest, winners
from tuneoff.stats.many import ALPHA, holm
from tuneoff.stats.paired import Paired
from tuneoff.stats.power import settle, visible
from tuneoff.study.spec import DecisionSpec
from tuneoff.study.verdict.judgement import Contrast, Standing
from tuneoff.study.verdict.price import AXES, price, quality
from tuneoff.study.verdict.settling import notes

__all__ = ["Case", "Decided"]


class Decided(NamedTuple):
    """smallest_visible: the difference that a typical pair would have shown; None where there is no pair."""

    finalists: list[str]
    contrasts: list[Contrast]
    smallest_visible: float | None
    winners: tuple[str, ...]
    recommended: str | None
    front: list[str]


class Case:
    """Tested arms, their pairwise tests, and what the person prefers.

    rows: standings by arm. compare: the test of one arm minus another, by name.
    """

    def __init__(
        self,
        rows: Mapping[str, Standing],
        compare: Callable[[str, str], Paired],
        *,
        margin: float,
        up: bool,
        choice: DecisionSpec,
    ):
        self.rows, self.compare, self.margin, self.up, self.choice = rows, compare, margin, up, choice

    def decided(self, names: Sequence[str]) -> Decided:
        """The decision between these arms."""
        last = finalists({name: self.rows[name].mean for name in names}, self.up)
        contrasts, seen = self._contrasts(last)
        best = winners(last, [self._settled(row) for row in contrasts if row.different])
        return Decided(last, contrasts, seen, best, self._recommended(best), self._front(names))

    def _recommended(self, best: Sequence[str]) -> str | None:
        """The winner of the highest score where there are weights, or the best mean where that is asked; the cheapest
        of these."""
        if self.choice.weights:
            best = highest(best, {name: self.rows[name].score for name in best})
        elif self.choice.prefer == "best":
            best = highest(best, {name: quality(self.rows[name], self.up) for name in best})
        return cheapest(best, {name: price(self.rows[name], self.choice.cost) for name in best})

    def _front(self, names: Sequence[str]) -> list[str]:
        """Arms whose cost is not known have no place on it."""
        cost = {name: AXES[self.choice.cost].figure(self.rows[name]) for name in names}
        known = {name: figure for name, figure in cost.items() if figure is not None}
        return front({name: quality(self.rows[name], self.up) for name in known}, known)

    def _contrasts(self, last: Sequence[str]) -> tuple[list[Contrast], float | None]:
        """All pairs, the better one first."""
        pairs = list(combinations(last, 2))
        tests = [self.compare(a, b) for a, b in pairs]
        corrected = holm(np.array([test.p for test in tests]))
        still_open = max(int((corrected >= ALPHA).sum()), 1)
        rows = [self._contrast(a, b, test, float(p), still_open) for (a, b), test, p in zip(pairs, tests, corrected)]
        return rows, median(visible(test.components, still_open) for test in tests) if tests else None

    def _contrast(self, a: str, b: str, test: Paired, p_holm: float, still_open: int) -> Contrast:
        kind = self._kind(test, p_holm)
        more = settle(test.diff, test.components, self.margin, still_open) if kind == "open" else None
        unknown = [name for name in (a, b) if self.rows[name].seed_spread == "unknown"]
        return Contrast(
            a=a,
            b=b,
            diff=test.diff,
            low=test.low,
            high=test.high,
            p=test.p,
            p_holm=p_holm,
            different=p_holm < ALPHA,
            kind=kind,
            more_records=more.records if more else None,
            more_seeds=more.seeds if more else None,
            together=bool(more and more.together),
            note=notes(more, unknown),
        )

    def _kind(self, test: Paired, p_holm: float) -> str:
        if p_holm < ALPHA:
            return "different"
        return "practically_equal" if -self.margin <= test.low and test.high <= self.margin else "open"

    def _settled(self, row: Contrast) -> Beats:
        return Beats(row.a, row.b) if (row.diff > 0) == self.up else Beats(row.b, row.a)

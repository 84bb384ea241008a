"""Who may be the best among the arms that are left, and which of them is recommended.

    case = Case(rows, compare, margin=0.01, up=True, choice=spec.decision)
    case.decided(["zero_shot", "few_shot", "lora"]).recommended

Recommended is the leader, unless a winner that costs less is practically equal to it, or behind by no more than the
margin as measured. A decision is a function of the arms that are left: with a limit lifted, it is made again from the
same figures.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple

from tuneoff.stats.artifact import ArtifactContrast
from tuneoff.stats.comparison import Comparison
from tuneoff.stats.decide import cheapest, front, highest
from tuneoff.stats.field import Contrast as Tested
from tuneoff.stats.power import settle, visible
from tuneoff.study.spec import DecisionSpec
from tuneoff.study.verdict.judgement import Contrast, Standing
from tuneoff.study.verdict.price import AXES, price, quality
from tuneoff.study.verdict.settling import notes

__all__ = ["Case", "Decided"]

Pair = tuple[str, str]
Compare = Callable[[Sequence[str], Sequence[Pair]], Comparison]


class Decided(NamedTuple):
    """compared: the arms, best first. contrasts: those with a decision, the leader's first; then the other pairs.
    smallest_visible: the difference that a typical pair with the leader would have shown; None without a pair."""

    compared: list[str]
    contrasts: list[Contrast]
    smallest_visible: float | None
    winners: tuple[str, ...]
    recommended: str | None
    front: list[str]


class Case:
    """Tested arms, how they are compared, and what the person prefers.

    rows: standings by arm. compare: the comparison of some of them, more being better, and of further pairs.
    """

    def __init__(
        self, rows: Mapping[str, Standing], compare: Compare, *, margin: float, up: bool, choice: DecisionSpec
    ):
        self.rows, self.compare, self.margin, self.up, self.choice = rows, compare, margin, up, choice

    def decided(self, names: Sequence[str]) -> Decided:
        """The decision between these arms."""
        if not names:
            return Decided([], [], None, (), None, [])
        first = self.compare(names, ())
        compared = list(first.arms)
        pick = self._recommended(first)
        found = self.compare(names, self._asked(compared, pick))
        contrasts = self._contrasts(found)
        leads = [visible(row.parts, _tests(first)) for row in first.contrasts]
        seen = median(leads) if leads else None
        return Decided(compared, contrasts, seen, found.winners, pick, self._front(names))

    def _recommended(self, found: Comparison) -> str | None:
        """The winner of the highest score where there are weights; else the leader or what is as good for less."""
        best, leader = list(found.winners), found.best
        if self.choice.weights:
            best = highest(best, {name: self.rows[name].score for name in best})
        elif self.choice.prefer == "best":
            best = [leader]
        else:
            best = [leader, *(row.b for row in found.contrasts if row.b in best and self._as_good(row))]
        return cheapest(best, {name: price(self.rows[name], self.choice.cost) for name in best})

    def _as_good(self, row: Tested) -> bool:
        return row.decision == "practically_equal" or row.diff <= self.margin

    def _asked(self, compared: Sequence[str], pick: str | None) -> list[Pair]:
        """What the words ask beside the leader's contrasts: the recommended arm against each other one, and of tuned
        arms, prompts, arms with a model and baselines the best of one against the best of the other, each baseline."""
        tuned, prompt, model = (
            next((name for name in compared if fits(self.rows[name])), None)
            for fits in (lambda row: row.tuned, lambda row: row.prompt, lambda row: row.needs_model)
        )
        bases = [name for name in compared if self.rows[name].baseline]
        asked = [(pick, name) for name in compared] + [(tuned, prompt)]
        asked += [(arm, base) for arm in (model, tuned, prompt) for base in bases]
        return list({frozenset(pair): pair for pair in asked if None not in pair and pair[0] != pair[1]}.values())

    def _contrasts(self, found: Comparison) -> list[Contrast]:
        tests = _tests(found)
        files = {(row.a, row.b): row for row in found.artifacts}
        told = [self._contrast(row, files.get((row.a, row.b)), tests, found.unknown) for row in found.contrasts]
        seen = {frozenset((row.a, row.b)) for row in told}
        rest = [pair for pair in combinations(found.arms, 2) if frozenset(pair) not in seen]
        if not rest:
            return told
        others = [row for row in self.compare(list(found.arms), rest).contrasts if (row.a, row.b) in rest]
        return told + [self._contrast(row._replace(decision=""), None, 1, found.unknown) for row in others]

    def _contrast(self, row: Tested, files: ArtifactContrast | None, tests: float, unknown: Sequence[str]) -> Contrast:
        more = settle(row.diff, row.parts, self.margin, tests) if row.decision == "open" else None
        sign = 1 if self.up else -1
        low, high = sorted((sign * row.low, sign * row.high))
        return Contrast(
            a=row.a,
            b=row.b,
            diff=sign * row.diff + 0.0,  # 0, not -0
            low=low,
            high=high,
            p=row.p,
            p_adjusted=row.p_adjusted,
            different=row.decision == "different",
            kind=row.decision,
            artifact_diff=sign * files.diff + 0.0 if files else None,
            artifact_p=files.p if files else None,
            more_records=more.records if more else None,
            more_seeds=more.seeds if more else None,
            together=bool(more and more.together),
            note=notes(more, [name for name in (row.a, row.b) if name in unknown]),
        )

    def _front(self, names: Sequence[str]) -> list[str]:
        """Arms whose cost is not known have no place on it."""
        cost = {name: AXES[self.choice.cost].figure(self.rows[name]) for name in names}
        known = {name: figure for name, figure in cost.items() if figure is not None}
        return front({name: quality(self.rows[name], self.up) for name in known}, known)


def _tests(found: Comparison) -> float:
    """Two-sided tests that share the error rate: of each open pair with the leader one side alone is tested."""
    return (max(sum(row.decision == "open" for row in found.contrasts), 1) + 1) / 2

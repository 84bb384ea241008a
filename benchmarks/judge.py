"""How often the shipped comparison is right, where the truth is known: made-up arms (worlds.py).

    judge_aa         two equal arms of several: p < 0.05, before any correction, in about 5 % of trials
    judge_coverage   95 % intervals hold the true difference, and an arm's own true mean
    judge_power      planted differences are found nearly as often as by one who knows the variance (the oracle)
    judge_winners    each truly best arm is among the winners in 95 % of studies; how many winners, beside Holm's

A line for every cell of the grid with its share and that share's standard error, then one for each case: the mean over
its cells, the worst of them, what is allowed, and `passed`, which compares the plain shares with what is allowed. Where
nothing is set out for, `allowed` and `passed` are null.

Equal: seeds move all arms as much. Unequal: up to four times as much as the one that they move least.

T trials, R records, S seeds, K arms, B best arms.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import product
from string import ascii_lowercase
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.worlds import Cell
from tuneoff.stats.comparison import Comparison, compare
from tuneoff.stats.field import Contrast, Field
from tuneoff.stats.interval import SCORE, mean_interval
from tuneoff.stats.many import ALPHA, holm

if TYPE_CHECKING:
    from benchmarks.harness import Settings

__all__ = ["judge_aa", "judge_coverage", "judge_power", "judge_winners", "pair"]

ACCURACIES = (0.5, 0.6, 0.8, 0.9, 0.95, 0.99)
RECORDS = (50, 100, 300, 1000, 2000)
MOVES = (0.0, 0.01, 0.02, 0.04, 0.06)
MOST, MOST_OF_ERRORS = 0.06, 0.55  # seeds move no arm by more, nor by more than this share of its errors
PATTERNS = (
    (1, 1, 4, 4),
    (4, 4, 1, 1),
    (1, 4, 1, 4),
    (1, 4, 1, 1),
    (4, 1, 4, 4),
    (1, 1, 1, 4),
    (4, 4, 4, 1),
    (1, 2, 3, 4),
)
SMALLEST = ((0.01, 100), (0.01, 1000), (0.015, 300), (0.015, 2000), (0.005, 2000))  # least moves, records
FEW = 15  # errors of an arm; below, no test can know much
PLANTED = (0.35, 0.75)  # found as often by the oracle, roughly
ORACLE = (0.2, 0.95)  # found as often, a cell tells something of power
LONG = 2.5  # winners; as many are too many to help
TRIALS, STUDIES, QUICK = 1500, 400, 20
CRITICAL = 1.96
MARGIN = 0.01
OPEN = 9.0  # no highest one: a ratio


class Limits(NamedTuple):
    """Lowest and highest: of the mean over all cells, and of each cell."""

    mean: tuple[float, float]
    cell: tuple[float, float]


EQUAL, UNEQUAL = Limits((0.03, 0.055), (0.0, 0.065)), Limits((0.0, 0.06), (0.0, 0.08))
FEW_ERRORS = Limits((0.0, 0.065), (0.0, 0.065))
HELD, HELD_UNEQUAL = Limits((0.945, 1.0), (0.935, 1.0)), Limits((0.94, 1.0), (0.92, 1.0))
WILSON = Limits((0.94, 1.0), (0.0, 1.0))  # hits are whole numbers: it holds 95 % in the mean over all accuracies
FOUND, FOUND_UNEQUAL = Limits((0.78, OPEN), (0.6, OPEN)), Limits((0.55, OPEN), (0.42, OPEN))
FOUND_FIVE = Limits((0.85, OPEN), (0.75, OPEN))


class Case(NamedTuple):
    """Cells that are told together."""

    name: str
    cells: list[Cell]
    limits: Limits | None = None


def judge_aa(settings: "Settings") -> Iterator[dict]:
    """The first two arms are equally good, and so are all others."""
    for case in aa_cases():
        yield from _told("judge_aa", case, _declared, settings.few(TRIALS, QUICK), max)


def judge_coverage(settings: "Settings") -> Iterator[dict]:
    """Of the difference of the first two arms, of the first arm, and of one run over records alone."""
    for case, holds in coverage_cases():
        yield from _told("judge_coverage", case, holds, settings.few(TRIALS, QUICK), min)


def judge_power(settings: "Settings") -> Iterator[dict]:
    """The second arm is worse. `aa`: what the cell's equal arms give; only cells that keep to the limits count."""
    count = settings.few(TRIALS, QUICK)
    for case, most in power_cases():
        lines = []
        for cell in case.cells:
            aa = float(np.mean(_declared(cell, count)))
            for power in PLANTED:
                lines.append(_power_line(case.name, _planted(cell, power), aa, count))
                yield lines[-1]
        told = [line for line in lines if ORACLE[0] <= line["oracle"] <= ORACLE[1] and line["aa"] <= most]
        yield summary("judge_power", case, told, min)


def judge_winners(settings: "Settings") -> Iterator[dict]:
    """Whole comparisons of several arms, of which some are equally good and best, or one is."""
    count, lines = settings.few(STUDIES, QUICK), []
    least = _short(1 - ALPHA - 2 * np.sqrt(ALPHA * (1 - ALPHA) / count))
    for case in winner_cases():
        mine = []
        for cell in case.cells:
            mine.append(_winners_line(case.name, cell, count))
            yield mine[-1]
        yield summary("judge_winners", case._replace(limits=Limits((least, 1.0), (least, 1.0))), mine, min)
        lines += mine
    yield _beside_holm(lines)


def _beside_holm(lines: list[dict]) -> dict:
    """share: winners for each one of Holm's, in cells where Holm leaves many although the arms differ."""
    long = [line for line in lines if line["holm"] >= LONG and any(line["below"])]
    told = [{**line, "share": line["ratio"], "error": line["ratio_error"]} for line in long]
    more = _short(np.mean([line["more"] for line in long])) if long else None
    return {**summary("judge_winners", Case("beside Holm's", []), told, max), "more": more}


def summary(name: str, case: Case, lines: list[dict], worst: Callable) -> dict:
    """All cells of one case together. passed: their mean and each of them lie inside the limits."""
    shares, limits = [line["share"] for line in lines], case.limits
    told = {"name": name, "case": f"{case.name}: all", "cells": len(lines), "allowed": limits and limits._asdict()}
    if not lines:
        return {**told, "trials": 0, "share": None, "error": None, "worst": None, "passed": None}
    at_worst = lines[shares.index(worst(shares))]
    return {
        **told,
        "trials": sum(line["trials"] for line in lines),
        "share": _short(np.mean(shares)),
        "error": _short(np.sqrt(sum(line["error"] ** 2 for line in lines)) / len(lines)),
        "worst": {each: value for each, value in at_worst.items() if each not in ("name", "case")},
        "passed": limits and _passed(shares, limits),
    }


def _passed(shares: Sequence[float], limits: Limits) -> bool:
    inside = [limits.cell[0] <= share <= limits.cell[1] for share in shares]
    return bool(limits.mean[0] <= np.mean(shares) <= limits.mean[1] and all(inside))


def pair(arms: Sequence[np.ndarray]) -> Contrast:
    """The first two arms, taken alone, with what is known of seeds from all."""
    return judged(arms).contrast("a", "b")


def judged(arms: Sequence[np.ndarray]) -> Field:
    """The arms a, b, c, ... as a comparison sees them; one of one column has no randomness."""
    named = dict(zip(ascii_lowercase, arms))
    return Field(named, _once(named), {}, ALPHA, MARGIN, SCORE)


def _once(named: dict[str, np.ndarray]) -> list[str]:
    return [name for name, x_RS in named.items() if x_RS.shape[1] == 1]


def aa_cases() -> list[Case]:
    """Those with limits have four arms of three seeds and 0/1 scores; of the others, a few cells each."""
    equal, unequal, thin = equal_cells(), unequal_cells(), thin_cells()
    return [
        Case("equal", _many_errors(equal), EQUAL),
        Case("unequal", _many_errors(unequal), UNEQUAL),
        Case("few errors", _few_errors(equal), FEW_ERRORS),
        Case("few errors, unequal", _few_errors(unequal), FEW_ERRORS),
        Case("two arms", [_with_arms(cell, 2) for cell in thin]),
        Case("eight arms", [_with_arms(cell, 8) for cell in thin]),
        Case("five seeds", [replace(cell, seeds=5) for cell in thin]),
        Case("without randomness", [replace(cell, once=True) for cell in thin]),
        Case("in between", [replace(cell, between=True) for cell in thin]),
    ]


def coverage_cases() -> list[tuple[Case, Callable[[Cell, int], np.ndarray]]]:
    """Each with what is asked of its cells."""
    equal = _many_errors(equal_cells(records=(100, 1000)))
    unequal = _many_errors(unequal_cells(accuracies=(0.6, 0.9), smallest=SMALLEST[:2]))
    thin = equal_cells(records=(100, 1000), moves=MOVES[::2])
    alone = [replace(_with_arms(cell, 1), seeds=1) for cell in equal_cells(moves=(0.0,))]
    return [
        (Case("difference, equal", _both(equal), HELD), _holds_difference),
        (Case("difference, unequal", _both(unequal), HELD_UNEQUAL), _holds_difference),
        (Case("difference, few errors", _both(_few_errors(thin))), _holds_difference),
        (Case("an arm", _many_errors(thin), HELD), _holds_mean),
        (Case("one run", alone, WILSON), _run_holds_mean),
    ]


def power_cases() -> list[tuple[Case, float]]:
    """Each with the share that equal arms of a cell may give for it to count."""
    equal = _many_errors(equal_cells(ACCURACIES[1:5], (100, 1000)))
    unequal = _many_errors(unequal_cells((0.6, 0.8), SMALLEST[1:3]))
    five = [replace(cell, seeds=5) for cell in _many_errors(equal_cells((0.6, 0.9), (100, 1000)))]
    return [
        (Case("equal", equal, FOUND), EQUAL.cell[1]),
        (Case("unequal", unequal, FOUND_UNEQUAL), UNEQUAL.cell[1]),
        (Case("five seeds", five, FOUND_FIVE), EQUAL.cell[1]),
    ]


def winner_cases() -> list[Case]:
    """below: in standard errors of a difference, from one arm far ahead to all arms equally good."""
    four = ((0, 0, 0, 0), (0, 0, 0, 3), (0, 0, 2, 4), (0, 1, 2, 3))
    eight = ((0,) * 8, (0, 0, 0, 1, 1, 2, 3, 4), tuple(range(8)))
    cells = equal_cells((0.8,), (100, 1000), MOVES[::2][:2]) + equal_cells((0.8,), (1000,), MOVES[-1:])
    unequal = unequal_cells((0.8,), SMALLEST[1:2])[:5]
    few = [_with_arms(cell, 8) for cell in equal_cells((0.8,), (1000,), (0.0, 0.02))]
    return [
        Case("four arms", [_behind(cell, below) for cell in cells for below in four]),
        Case("four arms, unequal", [_behind(cell, below) for cell in unequal for below in four[1:3]]),
        Case("eight arms", [_behind(cell, below) for cell in few for below in eight]),
    ]


def equal_cells(accuracies=ACCURACIES, records=RECORDS, moves=MOVES) -> list[Cell]:
    """Four equally good arms that seeds move alike."""
    return [_equally_good(n, x, (m,) * 4) for m, x, n in product(moves, accuracies, records) if _possible(x, m)]


def unequal_cells(accuracies=(0.6, 0.8, 0.9, 0.95), smallest=SMALLEST) -> list[Cell]:
    """Four equally good arms, and all patterns of what seeds move."""
    made = product(accuracies, smallest, PATTERNS)
    all_moves = [(x, n, tuple(least * factor for factor in pattern)) for x, (least, n), pattern in made]
    return [_equally_good(n, x, moves) for x, n, moves in all_moves if _possible(x, max(moves))]


def thin_cells() -> list[Cell]:
    """A few cells of both kinds; in those of the second kind, the first two arms differ in what seeds move."""
    unequal = [_equally_good(n, x, (0.01, 0.04) * 2) for n, x in product((100, 1000), (0.6, 0.9))]
    return equal_cells((0.6, 0.9), (100, 1000), (0.0, 0.02, 0.04)) + unequal


def _possible(accuracy: float, moves: float) -> bool:
    return moves <= min(MOST, MOST_OF_ERRORS * (1 - accuracy)) + 1e-9


def _equally_good(records: int, accuracy: float, moves: tuple[float, ...]) -> Cell:
    return Cell(records, accuracy, moves, (0.0,) * len(moves))


def _with_arms(cell: Cell, arms: int) -> Cell:
    """The first of its arms, or all of them twice over."""
    return replace(cell, moves=(cell.moves * 2)[:arms], below=(cell.below * 2)[:arms])


def _many_errors(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.records * (1 - cell.accuracy) >= FEW - 1e-6]


def _few_errors(cells: list[Cell]) -> list[Cell]:
    many = set(_many_errors(cells))
    return [cell for cell in cells if cell not in many]


def _both(cells: list[Cell]) -> list[Cell]:
    """Each without a difference, and with one."""
    return [each for cell in cells for each in (cell, _planted(cell, PLANTED[-1]))]


def _planted(cell: Cell, power: float) -> Cell:
    """The second arm worse, by what the oracle finds with about this power."""
    from scipy.special import ndtri

    return _behind(cell, (0.0, CRITICAL + float(ndtri(power)), *(0.0,) * (len(cell.moves) - 2)))


def _behind(cell: Cell, errors: Sequence[float]) -> Cell:
    """Each arm worse by so many standard errors of the first two arms' difference, to a hundredth of a point."""
    return replace(cell, below=tuple(round(each * cell.standard_error(), 4) for each in errors))


def _told(
    name: str, case: Case, hits: Callable[[Cell, int], np.ndarray], count: int, worst: Callable
) -> Iterator[dict]:
    """A line for each cell, and one for all."""
    lines = []
    for cell in case.cells:
        lines.append(_line(name, case.name, cell, hits(cell, count)))
        yield lines[-1]
    yield summary(name, case, lines, worst)


def _declared(cell: Cell, count: int) -> np.ndarray:
    return np.array([pair(arms).p < ALPHA for arms in cell.drawn(count)])


def _holds_difference(cell: Cell, count: int) -> np.ndarray:
    truth = cell.below[1] - cell.below[0]
    return np.array([found.low <= truth <= found.high for found in map(pair, cell.drawn(count))])


def _holds_mean(cell: Cell, count: int) -> np.ndarray:
    made = (judged(arms).interval("a") for arms in cell.drawn(count))
    return np.array([found.low <= cell.accuracy <= found.high for found in made])


def _run_holds_mean(cell: Cell, count: int) -> np.ndarray:
    made = (mean_interval(arms[0][:, 0]) for arms in cell.drawn(count))
    return np.array([found.low <= cell.accuracy <= found.high for found in made])


def _power_line(case: str, cell: Cell, aa: float, count: int) -> dict:
    """share: of the power that one has who knows the standard deviation of the mean difference."""
    found = [pair(arms) for arms in cell.drawn(count)]
    diff_T = np.array([each.diff for each in found])
    hits_T = (diff_T > 0) & np.array([each.p < ALPHA for each in found])
    oracle_T = diff_T > CRITICAL * diff_T.std(ddof=1)
    line = _line("judge_power", case, cell, hits_T, oracle_T)
    return {**line, "found": _short(hits_T.mean()), "oracle": _short(oracle_T.mean()), "aa": _short(aa)}


def _winners_line(case: str, cell: Cell, count: int) -> dict:
    """share: of the best arm that is the least often among the winners. more: studies with more winners than Holm's."""
    found = [_compared(arms) for arms in cell.drawn(count)]
    best = [name for name, below in zip(ascii_lowercase, cell.below) if below == min(cell.below)]
    hits_TB = np.array([[name in each.winners for name in best] for each in found])
    ours_T = np.array([len(each.winners) for each in found])
    holm_T = np.array([len(each.arms) - len(beaten(each)) for each in found])
    line = _line("judge_winners", case, cell, hits_TB[:, hits_TB.mean(axis=0).argmin()])
    ratio, error = _share(ours_T, holm_T)
    means = {"winners": ours_T.mean(), "holm": holm_T.mean(), "more": (ours_T > holm_T).mean()}
    return {**line, **{name: _short(mean) for name, mean in means.items()}, "ratio": ratio, "ratio_error": error}


def _compared(arms: Sequence[np.ndarray]) -> Comparison:
    named = dict(zip(ascii_lowercase, arms))
    return compare(named, deterministic=_once(named), pairs="all")


def beaten(found: Comparison) -> set[str]:
    """Arms that are worse than some other one by Holm's correction over all pairs."""
    adjusted = holm(np.array([row.p for row in found.contrasts]))
    return {row.b for row, p in zip(found.contrasts, adjusted) if p < ALPHA}


def _line(name: str, case: str, cell: Cell, hits_T: np.ndarray, of_T: np.ndarray | None = None) -> dict:
    share, error = _share(hits_T, np.ones(len(hits_T)) if of_T is None else of_T)
    return {"name": name, "case": case, **asdict(cell), "trials": len(hits_T), "share": share, "error": error}


def _share(hits_T: np.ndarray, of_T: np.ndarray) -> tuple[float, float]:
    """Hits for each one of `of`, and the standard error of that by the delta method."""
    whole = max(of_T.sum(), 1)
    share = hits_T.sum() / whole
    return _short(share), _short(np.std(hits_T - share * of_T) * np.sqrt(len(hits_T)) / whole)


def _short(number: float) -> float:
    return float(f"{number:.4g}")

"""How often the shipped test and intervals are right, where the truth is known: simulated arms (worlds.py).

    judge_aa         two arms that are equally good: declared different in at most 5 % of trials
    judge_family     eight copies of one arm, all 28 pairs, Holm: any pair declared different
    judge_coverage   95 % intervals hold the true mean in at least 95 % of trials (Wilson's: 94 %)
    judge_power      planted differences of 2, 5 and 10 points are found as often as theory says

A line for every cell of the grid, then one for each whole: share, its own 95 % interval, the worst cell, `passed`.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.worlds import Arm, expected, once, trials
from tuneoff.stats.decide import FINALISTS
from tuneoff.stats.interval import crossed_interval, mean_interval, wilson
from tuneoff.stats.many import ALPHA, holm
from tuneoff.stats.paired import Paired, differences, paired
from tuneoff.stats.power import power
from tuneoff.study.traits import Traits
from tuneoff.study.verdict.pools import seed_floors

if TYPE_CHECKING:
    from benchmarks.harness import Settings

__all__ = ["judge_aa", "judge_coverage", "judge_family", "judge_power", "summary", "tested"]

TRAINED = Traits(family="trained", uses_weights=True, trains=True, tuned=True, random=True)

RECORDS = (50, 100, 200, 500, 1000, 2000)
ACCURACIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
SPREADS = (0.0, 0.1, 0.3, 1.0)
PLANTED = (0.02, 0.05, 0.1)
TRIALS, QUICK = 4000, 20
WILSON = 0.94  # hits are whole numbers: it holds 95 % in the mean over all accuracies, and not at each of them
CLOSE = 0.06  # a found rate may lie this far from theory in one cell, and a third of it in the mean


def judge_aa(settings: "Settings") -> Iterator[dict]:
    """Copies of one arm; then an arm with three seeds against one of the same accuracy without randomness."""
    for case, other, records, accuracies in (
        ("copies of one arm", None, RECORDS, ACCURACIES),
        ("against one column", once, RECORDS[::2], (0.6, 0.9)),
    ):
        lines = []
        for cell in _grid(records, accuracies=accuracies):
            a = Arm(cell["accuracy"], cell["spread"])
            drawn = trials(_stream(cell), (a, other(a) if other else a), cell["records"], settings.few(TRIALS, QUICK))
            lines.append(_line("judge_aa", case, cell, [tested(x, y).p < ALPHA for x, y in drawn]))
            yield lines[-1]
        yield summary(lines, most=ALPHA)


def judge_family(settings: "Settings") -> Iterator[dict]:
    """What Holm's correction is worth where the tests themselves are approximate."""
    lines = []
    for cell in _grid((200, 1000), accuracies=(0.8,)):
        copies = (Arm(cell["accuracy"], cell["spread"]),) * FINALISTS
        drawn = trials(_stream(cell), copies, cell["records"], settings.few(TRIALS // 4, QUICK))
        least = [holm(np.array([test.p for test in all_pairs(arms)])).min() for arms in drawn]
        lines.append(_line("judge_family", "eight copies", cell, [p < ALPHA for p in least]))
        yield lines[-1]
    yield summary(lines, most=ALPHA)


def judge_coverage(settings: "Settings") -> Iterator[dict]:
    """Three seeds under crossed_interval, and one run under mean_interval, which is Wilson's here."""
    for case, seeds, interval, spreads, least in (
        ("three seeds", 3, crossed_interval, SPREADS, 1 - ALPHA),
        ("one run", 1, lambda x_RS: mean_interval(x_RS[:, 0]), SPREADS[:1], WILSON),
    ):
        lines = []
        for cell in _grid(RECORDS, spreads):
            arm = Arm(cell["accuracy"], cell["spread"], seeds)
            drawn = trials(_stream(cell), (arm,), cell["records"], settings.few(TRIALS, QUICK))
            made = [interval(x_RS) for (x_RS,) in drawn]
            lines.append(_line("judge_coverage", case, cell, [i.low <= arm.accuracy <= i.high for i in made]))
            yield lines[-1]
        yield summary(lines, least=least)


def judge_power(settings: "Settings") -> Iterator[dict]:
    """Found against predicted; the prediction takes the true mean squares and a noncentral t."""
    lines = []
    for cell in _grid(RECORDS[2:], (0.1, 0.3), (0.6, 0.8)):
        for planted in PLANTED:
            b = Arm(cell["accuracy"], cell["spread"])
            a = Arm(cell["accuracy"] + planted, cell["spread"])
            drawn = trials(_stream(cell), (a, b), cell["records"], settings.few(TRIALS // 2, QUICK))
            tests = [tested(x, y) for x, y in drawn]
            line = _line("judge_power", "planted", cell, [test.p < ALPHA and test.diff > 0 for test in tests])
            theory = power(planted, expected(a, b, cell["records"]))
            lines.append({**line, "planted": planted, "theory": _short(theory)})
            yield lines[-1]
    off = [line["share"] - line["theory"] for line in lines]
    worst = lines[int(np.argmax(np.abs(off)))]
    yield {
        "name": "judge_power",
        "case": "planted: all",
        "cells": len(lines),
        "mean_off": _short(np.mean(off)),
        "worst_off": _short(worst["share"] - worst["theory"]),
        "worst": {name: worst[name] for name in ("records", "accuracy", "spread", "planted", "share", "theory")},
        "allowed": CLOSE,
        "passed": bool(np.max(np.abs(off)) <= CLOSE and abs(np.mean(off)) <= CLOSE / 3),
    }


def summary(lines: list[dict], most: float = 1.0, least: float = 0.0) -> dict:
    """All cells of one case together; passed: the share over all trials lies between `least` and `most`."""
    trials_done = sum(line["trials"] for line in lines)
    share, low, high = wilson(sum(round(line["share"] * line["trials"]) for line in lines), trials_done)
    worst = (max if most < 1 else min)(lines, key=lambda line: line["share"])
    return {
        "name": lines[0]["name"],
        "case": f"{lines[0]['case']}: all",
        "cells": len(lines),
        "trials": trials_done,
        "share": _short(share),
        "low": _short(low),
        "high": _short(high),
        "allowed": [least, most],
        "worst": {name: worst[name] for name in ("records", "accuracy", "spread", "share")},
        "passed": bool(least <= share <= most),
    }


def tested(a_RS: np.ndarray, b_RS: np.ndarray) -> Paired:
    """Two arms as a verdict compares them where no others ran."""
    return all_pairs([a_RS, b_RS])[0]


def all_pairs(arms: list[np.ndarray]) -> list[Paired]:
    """All pairs of trained arms as a verdict compares them: what seeds add is pooled over all of them."""
    samples, runs = dict(enumerate(arms)), {at: x_RS.shape[1] for at, x_RS in enumerate(arms)}
    floor = seed_floors(samples, runs, dict.fromkeys(runs, TRAINED))
    return [
        paired(differences(samples[a], samples[b]), floor=floor(a, b)) for a, b in combinations(range(len(arms)), 2)
    ]


def _grid(records=RECORDS, spreads=SPREADS, accuracies=ACCURACIES) -> list[dict]:
    return [{"records": n, "accuracy": x, "spread": s} for s in spreads for x in accuracies for n in records]


def _stream(cell: dict) -> np.random.Generator:
    """Each cell has a stream of its own, so that one alone can be run again."""
    return np.random.default_rng([cell["records"], round(1000 * cell["accuracy"]), round(1000 * cell["spread"])])


def _line(name: str, case: str, cell: dict, hits: list[bool]) -> dict:
    share, low, high = wilson(sum(hits), len(hits))
    return {
        "name": name,
        "case": case,
        **cell,
        "trials": len(hits),
        "share": _short(share),
        "low": _short(low),
        "high": _short(high),
    }


def _short(number: float) -> float:
    return float(f"{number:.6g}")

"""Check a verdict's figures from the ledger alone: nothing of the package is imported, all formulas stand here again.

    python scripts/recompute.py runs/emotion

    lora against few_shot, p: the verdict says 0.0041, the ledger gives 0.0057
    {"claims": 214, "differ": 1, "skipped": []}

Recomputed, for a deciding metric that is a mean over records, and for macro F1: every arm's mean, interval,
validation, artifact and costs, every contrast, the corrections, winners, the recommended arm. Not recomputed: what
would settle an open pair, the words, and figures of other metrics that are no means (skipped, and named).

Ends with 1 where anything differs: a figure by more than 1e-9 and a millionth of itself; a bound by more than a
thousandth of the half width, and a p value by more than a ten-thousandth of itself and 0.000005, which is what the
verdict's root finding and its shorter lists leave; a figure that is drawn by more than its number of draws leaves. An
arm whose p value lies so near to 0.05 that draws decide is taken as the verdict has it, and named among those skipped.
The formulas are those of docs/verdict.md.

R records, S seeds, K arms, N draws, B batches of draws, M parts of a mixture. L: how much more the means of an arm's
seeds vary than its records and luck alone would make them; what is known of it is enumerated hypothesis by hypothesis.
"""

import json
import sqlite3
import sys
from collections import Counter
from itertools import combinations
from math import comb, exp, inf, log, log1p
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy import stats

ALPHA = 0.05
VERSION = 5
COSTS = ("serving", "artifact", "training")
DRAWS, BATCHES = 4000, 25  # draws behind the verdict's figures, and how often as many are drawn here
FLIPS = 2000  # signs drawn behind its p value of two artifacts
ROOT = 1e-3  # of a half width: what the verdict's root finding leaves
SHARE, DUST = 1e-4, 5e-6  # of a p value, and at all: the verdict leaves out parts of a mixture below 1e-7
NONE, ODD = 0.5, (0.1, 0.4)  # probability that seeds move no arm; shares of arms that move more
COMMON = [-0.5 + 0.5 * step for step in range(18)]  # log of an L that arms have in common
MORE = (3.0, 3.5, 4.0)  # how much more the others have, in logs

Row = tuple[float, ...]


class Book:
    """The ledger's rows. jobs: those in the race, by key. scores: stats by metric, split, job and record."""

    def __init__(self, path: Path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        self.meta = {row["key"]: row["value"] for row in db.execute("select * from meta")}
        jobs = [dict(row) for row in db.execute("select * from jobs order by rowid")]
        self.jobs = [
            {**job, "cost": json.loads(job["cost"])} for job in jobs if not job["retired"] and not job.get("size")
        ]
        self.rows = [dict(row) for row in db.execute("select * from outcomes where phrasing = 0")]
        tables = {row["name"] for row in db.execute("select name from sqlite_master")}
        self.axes = [dict(row) for row in db.execute("select * from axes")] if "axes" in tables else []

    def test(self, metric: str) -> dict[str, dict[str, dict]]:
        """Test rows by job and record; of several steps the last."""
        found: dict[str, dict[str, dict]] = {}
        for row in sorted(self.rows, key=lambda row: row["step"]):
            if row["split"] == "test" and row["metric"] == metric:
                stats_of = json.loads(row["stats"]) if row["stats"] is not None else None
                found.setdefault(row["job"], {})[row["record"]] = {**row, "stats": stats_of}
        return found

    def validation(self, metric: str) -> dict[str, float]:
        """Each job's figure on validation: of what it left behind (step 0), else of its last rung."""
        steps: dict[str, dict[int, list[Row]]] = {}
        for row in self.rows:
            if row["split"] == "validation" and row["metric"] == metric and row["stats"] is not None:
                steps.setdefault(row["job"], {}).setdefault(row["step"], []).append(json.loads(row["stats"]))
        return {job: pooled(at[0] if 0 in at else at[max(at)]) for job, at in steps.items()}


class Arm:
    """One arm's chosen jobs. x_RS: scores on the records that all arms share, of which more is better."""

    def __init__(self, standing: dict, jobs: list[dict], validation: dict[str, float]):
        self.name, self.jobs, self.random = standing["arm"], jobs, standing["random"]
        self.group = "trained" if standing["trains"] else "drawn"
        self.validation = [validation.get(job["key"]) for job in jobs]
        self.answers: list[str] = []
        self.x_RS = np.empty((0, len(jobs)))

    @property
    def runs(self) -> int:
        return len(self.jobs)

    @property
    def row_R(self) -> np.ndarray:
        return self.x_RS.mean(axis=1)

    @property
    def mean(self) -> float:
        return float(self.x_RS.mean())

    def artifact(self, up: bool) -> np.ndarray:
        """Scores of the seed that is best on validation; the first of equals."""
        worth = [-inf if value is None else value if up else -value for value in self.validation]
        return self.x_RS[:, worth.index(max(worth))]


class Check:
    """Claims compared one by one."""

    def __init__(self):
        self.claims, self.differ, self.skipped = 0, 0, []

    def same(self, what: str, told: object, found: object, within: float = 0.0) -> None:
        """within: what a number may differ by beside its rounding."""
        self.claims += 1
        if not _equal(told, found, within):
            self.differ += 1
            print(f"{what}: the verdict says {told}, the ledger gives {found}")


class Mixture:
    """An error around 0: Student's t with a variance that is one of several. The part that records add has df."""

    def __init__(self, of_records: float, seeds: list[tuple[float, float]], df: float):
        merged: dict[float, float] = {}
        for share, added in seeds:
            merged[added] = merged.get(added, 0.0) + share
        variance_M = of_records + np.array(list(merged))
        self.share_M, self.deviation_M = np.array(list(merged.values())), np.sqrt(variance_M)
        self.df_M = np.minimum(df * (variance_M / of_records) ** 2, 1e9) if of_records else np.full(len(merged), 1e9)

    @property
    def empty(self) -> bool:
        return self.deviation_M.max() < 1e-9

    def beyond(self, size: float) -> float:
        """The chance of an error above `size`."""
        moves_M = self.deviation_M > 0
        still = float(self.share_M[~moves_M].sum()) * (1.0 if size < 0 else 0.5 if size == 0 else 0.0)
        tail_M = stats.t.sf(size / self.deviation_M[moves_M], self.df_M[moves_M])
        return still + float(self.share_M[moves_M] @ tail_M)

    def reach(self, chance: float) -> float:
        """The size that the error is above with this chance, by halving."""
        low, high = 0.0, float(self.deviation_M.max())
        while self.beyond(high) > chance:
            low, high = high, 2 * high
        while high - low > 1e-6 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if self.beyond(middle) > chance else (low, middle)
        return high


class Field:
    """Arms compared together, with what their seeds say of each other.

    add: by arm, what a unit of L adds to the variance of its mean; an arm whose seeds are not known has none.
    learned: by group, hypotheses with their probability and each arm's probabilities of L under them.
    """

    def __init__(self, arms: dict[str, Arm], bounds: tuple[float, float]):
        self.arms, self.bounds = arms, bounds
        self.records = len(next(iter(arms.values())).x_RS) if arms else 0
        self.add, self.learned = {}, {}
        for group in ("trained", "drawn"):
            inside = [arm for arm in arms.values() if arm.random and arm.group == group]
            if any(arm.runs > 1 for arm in inside):
                rest = rests(inside)
                self.add |= {arm.name: rest[arm.name] / (self.records * arm.runs) for arm in inside}
                self.learned[group] = learned(inside)
        self.known: dict[tuple[str, ...], Mixture] = {}

    def error(self, *names: str) -> Mixture:
        """Of an arm's mean, or of the difference of two."""
        key = tuple(sorted(names))
        if key not in self.known:
            a_R, *others = (self.arms[name].row_R for name in names)
            d_R = a_R - others[0] if others else a_R
            of_records = float(d_R.var(ddof=1)) / self.records if self.records > 1 else 0.0
            df = max(2 * different(d_R) - 1, 1) if others else self.records - 1
            self.known[key] = Mixture(of_records, self.seeds(*names), df)
        return self.known[key]

    def seeds(self, *names: str) -> list[tuple[float, float]]:
        """Probabilities of what seeds add to that variance."""
        random = [self.arms[name] for name in names if name in self.add]
        if len({arm.group for arm in random}) == 1:
            return [
                part for share, under in self.learned[random[0].group] for part in self._under(share, under, random)
            ]
        parts = [(1.0, 0.0)]
        for arm in random:
            parts = [(share * p, added + more) for share, added in parts for p, more in self.seeds(arm.name)]
        return parts

    def _under(self, share: float, under: dict, arms: list[Arm]) -> list[tuple[float, float]]:
        """Under one hypothesis arms are independent."""
        parts = [(share, 0.0)]
        for arm in arms:
            own = under[arm.name].items()
            parts = [(p * chance, added + L * self.add[arm.name]) for p, added in parts for L, chance in own]
        return parts


def main(run: Path) -> int:
    verdict = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    book, check = Book(run / "ledger.sqlite"), Check()
    if verdict.get("version") != VERSION:
        print(
            f"the verdict says version {verdict.get('version')}, and the formulas here are those of version {VERSION}"
        )
        return 1
    check.same("test_opened", verdict["test_opened"], int(book.meta.get("test_opened") or 0))
    rows = [row["stats"] for rows in book.test(verdict["metric"]).values() for row in rows.values() if row["stats"]]
    if not poolable(verdict["metric"], rows):
        check.skipped.append(f"{verdict['metric']} is no mean over records")
    else:
        arms, kept, unscored = chosen_arms(book, verdict)
        check.same("unscored", verdict["unscored"], unscored)
        standings(check, book, verdict, arms, kept)
        decision(check, book, verdict, arms)
    print(json.dumps({"claims": check.claims, "differ": check.differ, "skipped": check.skipped}))
    return int(check.differ > 0)


def chosen_arms(book: Book, verdict: dict) -> tuple[dict[str, Arm], list[str], int]:
    """Tested arms with their scores, the records compared, and how many were left out for all."""
    rows, validation, up = book.test(verdict["metric"]), book.validation(verdict["metric"]), verdict["facts"]["up"]
    arms = {}
    for standing in verdict["standings"]:
        jobs = _chosen([job for job in book.jobs if job["arm"] == standing["arm"]], validation, up)
        jobs = jobs if standing["random"] else jobs[:1]
        if jobs and all(any(row["stats"] for row in rows.get(job["key"], {}).values()) for job in jobs):
            arms[standing["arm"]] = Arm(standing, jobs, validation)
    keys = [job["key"] for arm in arms.values() for job in arm.jobs]
    seen = sorted({record for key in keys for record in rows[key]})
    kept = [record for record in seen if all(rows[key].get(record, {}).get("stats") for key in keys)]
    for arm in arms.values():
        columns = [[rows[job["key"]][record]["stats"] for record in kept] for job in arm.jobs]
        arm.x_RS = (1 if up else -1) * np.array([scores(column) for column in columns]).T
        arm.answers = [row["answer"] for job in arm.jobs for row in rows[job["key"]].values() if row["stats"]]
    return (arms if kept else {}), kept, len(seen) - len(kept)


def _chosen(jobs: list[dict], validation: dict[str, float], up: bool) -> list[dict]:
    """The tested jobs of the trial that validation likes best, the first of equals."""
    trials: dict[int, list[dict]] = {}
    for job in jobs:
        if job["tested"]:
            trials.setdefault(job["trial"], []).append(job)

    def worth(trial: int) -> tuple[float, int]:
        known = [validation[job["key"]] for job in trials[trial] if job["key"] in validation]
        return ((1 if up else -1) * fmean(known) if known else -np.inf), -trial

    return sorted(trials[max(trials, key=worth)], key=lambda job: job["seed"]) if trials else []


def poolable(metric: str, rows: list[Row]) -> bool:
    return metric == "macro_f1" or all(len(row) == 1 for row in rows)


def pooled(rows: list[Row]) -> float:
    """One figure of many records: the mean, or of (target, answer) the macro F1."""
    return fmean(row[0] for row in rows) if len(rows[0]) == 1 else _f1(*_counts(rows))


def scores(rows: list[Row]) -> list[float]:
    """One number a record whose mean is the figure: for macro F1, what it says with and without the record."""
    if not rows or len(rows[0]) == 1:
        return [row[0] for row in rows]
    right, seen = _counts(rows)
    whole, without = _f1(right, seen), []
    for target, answer in rows:
        hit, gone = Counter([target] if target == answer else []), Counter([target, answer])
        right.subtract(hit)
        seen.subtract(gone)
        without.append(_f1(right, seen))
        right.update(hit)
        seen.update(gone)
    return [whole - (len(rows) - 1) * (each - fmean(without)) for each in without] if len(rows) > 1 else [whole]


def _counts(rows: list[Row]) -> tuple[Counter, Counter]:
    """How often each label was right, and how often it was the target or the answer."""
    right = Counter(target for target, answer in rows if target == answer)
    return right, Counter(label for row in rows for label in row)


def _f1(right: Counter, seen: Counter) -> float:
    """Labels below 0 are none of the task's."""
    each = [2 * right[label] / count for label, count in seen.items() if count > 0 and label >= 0]
    return fmean(each) if each else 0.0


def standings(check: Check, book: Book, verdict: dict, arms: dict[str, Arm], kept: list[str]) -> None:
    """Every arm's own figures."""
    up, field = verdict["facts"]["up"], Field(arms, _bounds(verdict, arms))
    for told in verdict["standings"]:
        name, arm = told["arm"], arms.get(told["arm"])
        if told["status"] != "tested" or arm is None:
            check.same(f"{name}, mean", told["mean"], None)
            check.same(f"{name}, tested", told["status"] in ("tested", "unscored"), arm is not None and not _out(told))
            continue
        whole, saved = interval(field, arm), one_run(arm.artifact(up), field.bounds)
        for start, own in (("", whole), ("artifact_", saved)):
            for key, found in zip(("mean", "low", "high"), own if up else (-own[0], -own[2], -own[1])):
                check.same(f"{name}, {start}{key}", told[start + key], found, _root(key, own[1:]))
        known = [value for value in arm.validation if value is not None]
        figures = {"n_test": len(arm.x_RS), "seeds": arm.runs, "validation": fmean(known) if known else None}
        figures["unreadable"] = sum(not answer.strip() for answer in arm.answers) / len(arm.answers)
        for key, found in figures.items():
            check.same(f"{name}, {key}", told[key], found)
        for key in told["cost"]:
            check.same(f"{name}, cost {key}", told["cost"][key], _mean([job["cost"].get(key) for job in arm.jobs]))
        for metric, value in told["others"].items():
            _other(check, book, arm, metric, value, kept)


def _other(check: Check, book: Book, arm: Arm, metric: str, told: float | None, kept: list[str]) -> None:
    """A further metric's mean over seeds; skipped where the metric is no mean."""
    rows = book.test(metric)
    found = [[rows.get(job["key"], {}).get(record, {}).get("stats") for record in kept] for job in arm.jobs]
    columns = [[row for row in column if row] for column in found]
    if not all(poolable(metric, column) for column in columns):
        check.skipped.append(f"{arm.name}, {metric}")
        return
    check.same(f"{arm.name}, {metric}", told, _mean([pooled(column) if column else None for column in columns]))


def interval(field: Field, arm: Arm) -> tuple[float, float, float]:
    """Mean and 95 % bounds over records and seeds."""
    error = field.error(arm.name)
    if error.empty:
        return exact(arm.mean, field.records, field.bounds)
    return inside(arm.mean, error.reach(ALPHA / 2), field.bounds)


def one_run(x_R: np.ndarray, bounds: tuple[float, float]) -> tuple[float, float, float]:
    """Over records alone: Wilson's interval of 0/1 scores, else by t, or exact where nothing varies."""
    mean, records = float(x_R.mean()), len(x_R)
    if bounds == (0.0, 1.0) and set(np.unique(x_R)) <= {0.0, 1.0}:
        found = stats.binomtest(int(x_R.sum()), records).proportion_ci(method="wilson")
        return mean, found.low, found.high
    if records < 2 or np.ptp(x_R) < 1e-12:
        return exact(mean, records, bounds)
    return inside(mean, stats.t.isf(ALPHA / 2, records - 1) * stats.sem(x_R), bounds)


def inside(mean: float, half: float, bounds: tuple[float, float]) -> tuple[float, float, float]:
    """mean -+ half; of a score, both roots mu of |mean - mu| = half sqrt(mu (1 - mu) / (mean (1 - mean)))."""
    if bounds != (0.0, 1.0) or not 0 < mean < 1:
        return mean, max(mean - half, bounds[0]), min(mean + half, bounds[1])
    ratio = half**2 / (mean * (1 - mean))
    low, high = sorted(np.roots([1 + ratio, -(2 * mean + ratio), mean**2]).real)
    return mean, low, high


def exact(value: float, records: int, bounds: tuple[float, float]) -> tuple[float, float, float]:
    hidden = _hidden(records)
    return value, value - hidden * (value - bounds[0]), value + hidden * (bounds[1] - value)


def _hidden(records: int) -> float:
    """The share of all records that may differ where none of these does."""
    return 1 - 0.025 ** (1 / records)


def mean_squares(x_RS: np.ndarray) -> tuple[float, float]:
    """Of what is left beside records and seeds, and of seeds."""
    records, seeds = x_RS.shape
    left_RS = x_RS - x_RS.mean(axis=1, keepdims=True) - x_RS.mean(axis=0) + x_RS.mean()
    rest = float(np.square(left_RS).sum()) / max((records - 1) * (seeds - 1), seeds - 1, 1)
    seed = records * float(x_RS.mean(axis=0).var(ddof=1)) if seeds > 1 else 0.0
    return (0.0 if rest < 1e-20 else rest), seed


def rests(arms: list[Arm]) -> dict[str, float]:
    """By arm; one of a single run has as large a part of its variance as those of several have together."""
    several = [arm for arm in arms if arm.runs > 1]
    own = {arm.name: mean_squares(arm.x_RS)[0] for arm in several}
    one_run_each = sum(_variance(arm.row_R) + own[arm.name] * (1 - 1 / arm.runs) for arm in several)
    share = sum(own.values()) / one_run_each if one_run_each else 0.0
    return {arm.name: own.get(arm.name, share * _variance(arm.row_R)) for arm in arms}


def hypotheses() -> list[tuple[float, dict[float, float]]]:
    """What may be true of all arms, how likely that is, and the probabilities of an arm's L then."""
    found = []
    for odd in ODD:
        for common in (None, *COMMON):
            chance = NONE if common is None else (1 - NONE) / len(COMMON)
            under = {0.0 if common is None else exp(common): 1 - odd}
            under |= {exp((COMMON[0] if common is None else common) + more): odd / len(MORE) for more in MORE}
            found.append((chance / len(ODD), under))
    return found


def learned(arms: list[Arm]) -> list[tuple[float, dict[str, dict[float, float]]]]:
    """The same once the arms' seeds are seen: with the probabilities of each arm's own L."""
    found, squares = [], {arm.name: (*mean_squares(arm.x_RS), arm.runs - 1) for arm in arms}
    for before, under in hypotheses():
        log_share, after = log(before), {}
        for name, own in squares.items():
            logs = {L: log(chance) + log_likelihood(L, *own) for L, chance in under.items()}
            most = max(logs.values())
            whole = sum(exp(each - most) for each in logs.values())
            log_share += most + log(whole)
            after[name] = {L: exp(each - most) / whole for L, each in logs.items()}
        found.append((log_share, after))
    most = max(log_share for log_share, _ in found)
    whole = sum(exp(log_share - most) for log_share, _ in found)
    return [(exp(log_share - most) / whole, after) for log_share, after in found]


def log_likelihood(L: float, rest: float, seed: float, df: int) -> float:
    """Of the mean squares of an arm whose L is this, up to a constant: seed / rest is (1 + L) chi-squared(df) / df."""
    return -df / 2 * (log1p(L) + seed / rest / (1 + L)) if rest > 0 else 0.0


def different(d_R: np.ndarray) -> float:
    """How many records there is a difference on; of unequal ones, as many equal ones as vary so."""
    largest = float(np.abs(d_R).max())
    share_R = np.square(d_R / largest) if largest else d_R
    return float(share_R.sum() ** 2 / np.square(share_R).sum()) if largest else 0.0


def decision(check: Check, book: Book, verdict: dict, arms: dict[str, Arm]) -> None:
    """Contrasts, winners and the recommended arm."""
    rows = {row["arm"]: row for row in verdict["standings"] if row["arm"] in arms and not _out(row)}
    field = Field({name: arms[name] for name in rows}, _bounds(verdict, arms))
    order = _ordered(field, verdict["facts"]["compared"])
    check.same("compared", verdict["facts"]["compared"], order)
    with_best = [(order[0], name) for name in order[1:]]
    shown = [(row["a"], row["b"]) for row in verdict["contrasts"]]
    check.same("pairs with the best", shown[: len(with_best)], with_best)
    check.same("pairs", sorted(map(sorted, shown)), sorted(map(sorted, combinations(order, 2))))
    table = {frozenset(pair): told for pair, told in zip(shown, verdict["contrasts"])}
    lead = with_leader(check, field, verdict, with_best, table)
    winners = [name for name in order if lead.get(name, "") != "different"]
    check.same("winners", verdict["winners"], winners)
    pick = _recommended(book, verdict, arms, rows, winners, lead)
    check.same("recommended", verdict["recommended"], pick)
    asked = _asked(order, rows, pick)
    beside = [pair for pair in combinations(order, 2) if pair[0] != order[0]]
    for decided in (True, False):
        pairs = [pair for pair in beside if (frozenset(pair) in asked) == decided]
        other_pairs(check, field, verdict, pairs, table, decided)


def with_leader(check: Check, field: Field, verdict: dict, pairs: list, table: dict) -> dict[str, str]:
    """The contrasts of the leader checked: what is found of each other arm."""
    if not pairs:
        return {}
    kinds, lead = {}, not_best(field, [pairs[0][0], *(b for _, b in pairs)])
    equal = holm([compared(field, *pair, verdict["facts"]["margin"])["p_equal"] for pair in pairs])
    for pair, p_equal in zip(pairs, equal):
        told, (p, within) = table.get(frozenset(pair), {}), lead[pair[1]]
        if told and abs(p - ALPHA) <= within:
            check.skipped.append(f"{pair[1]}, whether it is a winner: p {p:.3f}, and draws alone make {within:.3f}")
        close = abs(p - ALPHA) <= within and _equal(told.get("p_adjusted"), p, within)
        kinds[pair[1]] = _kind(told["p_adjusted"] if close else p, p_equal)
        contrast(check, field, verdict, pair, told, p, within, kinds[pair[1]])
    return kinds


def other_pairs(check: Check, field: Field, verdict: dict, pairs: list, table: dict, decided: bool) -> None:
    """Pairs without the leader. decided: with a decision of their own."""
    tests = [compared(field, *pair, verdict["facts"]["margin"]) for pair in pairs]
    p_adjusted, equal = (holm([test[key] for test in tests]) for key in ("p", "p_equal"))
    for pair, p, p_equal in zip(pairs, p_adjusted, equal):
        kind = _kind(p, p_equal) if decided else ""
        contrast(check, field, verdict, pair, table.get(frozenset(pair), {}), p, SHARE * p + DUST * len(pairs), kind)


def contrast(check: Check, field: Field, verdict: dict, pair, told: dict, p: float, within: float, kind: str) -> None:
    """One pair's figures, of a metric of which less is better with the sign that its readers expect."""
    if not told:  # counted as a pair that is missing
        return
    sign, found = 1 if verdict["facts"]["up"] else -1, compared(field, *pair, verdict["facts"]["margin"])
    what = f"{pair[0]} against {pair[1]}"
    if (told["a"], told["b"]) != pair:  # of two equal means either may come first
        sign, what = -sign, f"{pair[1]} against {pair[0]}"
        check.same(f"{what}, the better one", abs(found["diff"]) < 1e-9, True)
    bounds = sorted((sign * found["low"], sign * found["high"]))
    check.same(f"{what}, diff", told["diff"], sign * found["diff"])
    for key, bound in zip(("low", "high"), bounds):
        check.same(f"{what}, {key}", told[key], bound, _root(key, bounds))
    check.same(f"{what}, p", told["p"], found["p"], SHARE * found["p"] + DUST)
    check.same(f"{what}, p_adjusted", told["p_adjusted"], p, within)
    check.same(f"{what}, different", told["different"], kind == "different")
    check.same(f"{what}, kind", told["kind"], kind)
    _artifacts(check, field, verdict, what, told, kind != "")


def compared(field: Field, a: str, b: str, margin: float) -> dict[str, float]:
    """a minus b, taken alone. p_equal: that they are not within the margin."""
    diff, error, span = field.arms[a].mean - field.arms[b].mean, field.error(a, b), field.bounds[1] - field.bounds[0]
    if error.empty:
        half = _hidden(field.records) * span
        p, p_equal = 1.0 if abs(diff) < 1e-12 else min(1.0, 2 * 0.5**field.records), float(half + abs(diff) > margin)
    else:
        half, p = error.reach(ALPHA / 2), min(1.0, 2 * error.beyond(abs(diff)))
        p_equal = error.beyond(margin - abs(diff))
    return {"diff": diff, "low": max(diff - half, -span), "high": min(diff + half, span), "p": p, "p_equal": p_equal}


def not_best(field: Field, names: list[str]) -> dict[str, tuple[float, float]]:
    """How likely an arm's strongest rival would lead it so if it were the best, and how far the verdict's draws may be
    from that. Luck is counted in what one rival alone has with a probability of 0.05 (its reach)."""
    found, error_NK = {}, draws(field, names)
    for at, name in enumerate(names):
        rivals = [(to, field.error(other, name)) for to, other in enumerate(names) if to != at]
        leads = [field.arms[names[to]].mean - field.arms[name].mean for to, _ in rivals]
        reach = [0.0 if error.empty else error.reach(ALPHA) for _, error in rivals]
        luck = [(error_NK[:, to] - error_NK[:, at]) / size for (to, _), size in zip(rivals, reach) if size]
        far = max((_over(lead, size) for lead, size in zip(leads, reach)), default=0.0)
        found[name] = (float(far <= 0), 2 / DRAWS) if far in (0, inf) or not luck else _tail(np.array(luck), far)
    return found


def _over(lead: float, reach: float) -> float:
    """Where luck reaches nowhere, any lead is more than luck."""
    if reach:
        return lead / reach
    return inf if lead > 1e-12 else 0.0


def _tail(luck_JN: np.ndarray, far: float) -> tuple[float, float]:
    """Mean over batches, each as large as the verdict's, and four of the standard deviations between them."""
    luck_JBN = luck_JN.reshape(len(luck_JN), BATCHES, DRAWS)
    one_B = np.quantile(luck_JBN, 1 - ALPHA, axis=2).max(axis=0)
    p_B = (1 + (luck_JBN.max(axis=0) >= far * one_B[:, None]).sum(axis=1)) / (1 + DRAWS)
    return (float(p_B.mean()), 4 * float(p_B.std(ddof=1)) + 2 / DRAWS) if far > 0 else (1.0, 0.0)


def draws(field: Field, names: list[str]) -> np.ndarray:
    """[N, K] errors of all means: records that arms share, and seeds under hypotheses that they share."""
    rng, count = np.random.default_rng(20260801), DRAWS * BATCHES
    if field.records < 2:
        error_NK = np.zeros((count, len(names)))
    else:
        cov_KK = np.atleast_2d(np.cov([field.arms[name].row_R for name in names])) / field.records
        error_NK = rng.multivariate_normal(np.zeros(len(names)), cov_KK, size=count, method="svd", check_valid="ignore")
    for group, known in field.learned.items():
        inside = [at for at, name in enumerate(names) if name in field.add and field.arms[name].group == group]
        L_NA = drawn_L(rng, known, [names[at] for at in inside], count)
        add_A = [field.add[names[at]] for at in inside]
        error_NK[:, inside] += np.sqrt(L_NA * add_A) * rng.standard_normal(L_NA.shape)
    return error_NK


def drawn_L(rng: np.random.Generator, known: list, names: list[str], count: int) -> np.ndarray:
    """[N, A] hypothesis by hypothesis, and then shuffled."""
    times = rng.multinomial(count, [share for share, _ in known])
    blocks = [
        np.stack([rng.choice(list(under[name]), size, p=list(under[name].values())) for name in names], axis=1)
        for size, (_, under) in zip(times, known)
    ]
    return rng.permutation(np.concatenate(blocks))


def holm(p: list[float]) -> list[float]:
    """Each p value times the number of those that are not smaller, and no less than any smaller one's."""
    found, least = [0.0] * len(p), 0.0
    for rank, at in enumerate(sorted(range(len(p)), key=lambda at: p[at])):
        least = found[at] = min(1.0, max(least, p[at] * (len(p) - rank)))
    return found


def _kind(p: float, p_equal: float) -> str:
    return "different" if p < ALPHA else "practically_equal" if p_equal < ALPHA else "open"


def _artifacts(check: Check, field: Field, verdict: dict, what: str, told: dict, decided: bool) -> None:
    """The saved files of a pair that has a decision."""
    if not decided:
        check.same(f"{what}, artifact_diff", told["artifact_diff"], None)
        check.same(f"{what}, artifact_p", told["artifact_p"], None)
        return
    up = verdict["facts"]["up"]
    d_R = field.arms[told["a"]].artifact(up) - field.arms[told["b"]].artifact(up)
    check.same(f"{what}, artifact_diff", told["artifact_diff"], (1 if up else -1) * float(d_R.mean()))
    check.same(f"{what}, artifact_p", told["artifact_p"], *signs(d_R[d_R != 0]))


def signs(d_R: np.ndarray) -> tuple[float, float]:
    """p of differences of which each sign is as likely: all heads and tails counted where they are of one size, else
    drawn; and what the verdict's own draws may miss."""
    if not len(d_R) or np.ptp(np.abs(d_R)) < 1e-12:
        fewer = min(int((d_R > 0).sum()), int((d_R < 0).sum()))
        return min(1.0, float(2 * sum(comb(len(d_R), k) for k in range(fewer + 1)) / 2 ** len(d_R))), 0.0
    rng = np.random.default_rng(20260802)
    sums_N = np.concatenate([rng.choice([-1.0, 1.0], (FLIPS, len(d_R))) @ d_R for _ in range(5)])
    p = float((np.abs(sums_N) >= abs(d_R.sum()) * (1 - 1e-6)).mean())
    return p, 4 * (1.2 * max(p, 1 / FLIPS) * (1 - p) / FLIPS) ** 0.5 + 1 / FLIPS


def _ordered(field: Field, told: list[str]) -> list[str]:
    """Best first; of equals, as the verdict has them."""
    place = {name: at for at, name in enumerate(told)}
    return sorted(field.arms, key=lambda name: (-round(field.arms[name].mean, 9), place.get(name, len(place))))


def _asked(order: list[str], rows: dict, pick: str | None) -> set[frozenset]:
    """Pairs with a decision beside the leader's: the recommended arm's, and the best of each sort against another."""
    bases = [name for name in order if not rows[name]["needs_model"]]
    model = [name for name in order if rows[name]["needs_model"]][:1]
    tuned = [name for name in order if rows[name]["tuned"]][:1]
    prompt = [name for name in order if rows[name]["needs_model"] and not rows[name]["uses_weights"]][:1]
    pairs = [(pick, name) for name in order] + [(a, b) for a in tuned for b in prompt]
    pairs += [(a, base) for a in model + tuned + prompt for base in bases]
    return {frozenset(pair) for pair in pairs if pair[0] != pair[1]}


def _recommended(book: Book, verdict: dict, arms: dict[str, Arm], rows: dict, winners: list[str], lead: dict):
    """The leader, or a cheaper winner that is as good; the one of the highest score where the study has weights."""
    wish, margin = verdict["facts"].get("decision", {}), verdict["facts"]["margin"]
    costs = {name: _costs(book, arms[name], rows[name]) for name in winners}
    if weights := wish.get("weights"):
        size = 100 if verdict["facts"]["up"] else 1
        worth = {name: _weighed(size * arms[name].mean, costs[name], weights) for name in winners}
        known = [value for value in worth.values() if value is not None]
        winners = [name for name in winners if known and worth[name] == max(known)] or winners
    elif wish.get("prefer") == "best":
        winners = winners[:1]
    else:
        best = arms[winners[0]].mean if winners else 0.0
        winners = [
            name
            for name in winners
            if name == winners[0] or lead[name] == "practically_equal" or best - arms[name].mean <= margin
        ]
    first = wish.get("cost", COSTS[0])
    order = (first, *(name for name in COSTS if name != first))
    unknown_last = {name: [inf if costs[name][key] is None else costs[name][key] for key in order] for name in winners}
    return min(winners, key=lambda name: unknown_last[name], default=None)


def _weighed(quality: float, costs: dict, weights: dict) -> float | None:
    own = [costs[name] for name in weights if name != "quality"]
    if None in own:
        return None
    return weights.get("quality", 1) * quality - sum(
        weights[name] * costs[name] for name in weights if name != "quality"
    )


def _costs(book: Book, arm: Arm, row: dict) -> dict[str, float | None]:
    mean = {
        key: _mean([job["cost"].get(key) for job in arm.jobs]) for key in ("prompt_tokens", "artifact_bytes", "train_s")
    }
    axis = {name: _axis(book, arm, name) for name in ("first_token_ms_1", "retention_drift")}
    seconds = None if row["tuned"] and not row["trains"] else mean["train_s"]
    return {
        "serving": None if mean["prompt_tokens"] is None else round(mean["prompt_tokens"], 1),
        "artifact": None if mean["artifact_bytes"] is None else mean["artifact_bytes"] / 1e6,
        "training": None if seconds is None else seconds / 60,
        "latency": axis["first_token_ms_1"],
        "forgetting": 0.0 if not row["tuned"] else axis["retention_drift"],
    }


def _axis(book: Book, arm: Arm, name: str) -> float | None:
    keys = {job["key"] for job in arm.jobs}
    return _mean([row["value"] for row in book.axes if row["name"] == name and row["job"] in keys])


def _bounds(verdict: dict, arms: dict[str, Arm]) -> tuple[float, float]:
    """Of a score; a loss, which counts below 0, has none, and the largest one seen stands for it."""
    if verdict["facts"]["up"]:
        return 0.0, 1.0
    return min((float(arm.x_RS.min()) for arm in arms.values()), default=-1.0), 0.0


def _root(key: str, bounds: tuple[float, float] | list[float]) -> float:
    """What the search for a bound may leave."""
    return 0.0 if key == "mean" else ROOT * (bounds[1] - bounds[0]) / 2


def _out(row: dict) -> bool:
    return row["status"] == "ruled out"


def _variance(x_R: np.ndarray) -> float:
    return float(x_R.var(ddof=1)) if len(x_R) > 1 else 0.0


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _equal(told: object, found: object, within: float = 0.0) -> bool:
    numbers = all(isinstance(each, int | float | np.number) and not isinstance(each, bool) for each in (told, found))
    return abs(told - found) <= within + 1e-9 + 1e-6 * abs(found) if numbers else told == found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

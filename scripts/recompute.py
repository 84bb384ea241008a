"""Check a verdict's figures from the ledger alone: nothing of the package is imported, all formulas stand here again.

    python scripts/recompute.py runs/emotion

    lora against few_shot, p: the verdict says 0.0041, the ledger gives 0.0057
    {"claims": 214, "differ": 1, "skipped": []}

Recomputed, for a deciding metric that is a mean over records: every arm's mean, interval, validation, artifact and
costs, every contrast, Holm's correction, finalists, winners, the recommended arm. Not recomputed: what would settle
an open pair, the words, and figures of metrics that are no means (skipped, and named). Ends with 1 where anything
differs by more than 1e-9 and a millionth of itself. The formulas are those of docs/verdict.md.

R records, S seeds.
"""

import json
import sqlite3
import sys
from itertools import combinations
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

FINALISTS = 8
COSTS = ("serving", "artifact", "training")


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
        """Mean of each job's validation records: of what it left behind (step 0), else of its last rung."""
        steps: dict[str, dict[int, list[float]]] = {}
        for row in self.rows:
            if row["split"] == "validation" and row["metric"] == metric and row["stats"] is not None:
                steps.setdefault(row["job"], {}).setdefault(row["step"], []).append(json.loads(row["stats"])[0])
        return {job: fmean(at[0] if 0 in at else at[max(at)]) for job, at in steps.items()}


class Arm:
    """One arm's chosen jobs, and x_RS on the records that all arms share."""

    def __init__(self, name: str, jobs: list[dict], validation: dict[str, float]):
        self.name, self.jobs = name, jobs
        self.validation = [validation.get(job["key"]) for job in jobs]
        self.x_RS = np.empty((0, len(jobs)))

    @property
    def seeds(self) -> list[int]:
        return [job["seed"] for job in self.jobs]


class Check:
    """Claims compared one by one."""

    def __init__(self):
        self.claims, self.differ, self.skipped = 0, 0, []

    def same(self, what: str, told: object, found: object) -> None:
        self.claims += 1
        if not _equal(told, found):
            self.differ += 1
            print(f"{what}: the verdict says {told}, the ledger gives {found}")


def main(run: Path) -> int:
    verdict = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    book, check = Book(run / "ledger.sqlite"), Check()
    arms, unscored = chosen_arms(book, verdict)
    check.same("unscored", verdict["unscored"], unscored)
    check.same("test_opened", verdict["test_opened"], int(book.meta.get("test_opened") or 0))
    if any(len(row["stats"] or [0]) != 1 for rows in book.test(verdict["metric"]).values() for row in rows.values()):
        check.skipped.append(f"{verdict['metric']} is no mean over records")
    else:
        standings(check, book, verdict, arms)
        decision(check, book, verdict, arms)
    print(json.dumps({"claims": check.claims, "differ": check.differ, "skipped": check.skipped}))
    return int(check.differ > 0)


def chosen_arms(book: Book, verdict: dict) -> tuple[dict[str, Arm], int]:
    """Tested arms with their scores, and how many records were left out for all."""
    rows, validation = book.test(verdict["metric"]), book.validation(verdict["metric"])
    arms = {}
    for standing in verdict["standings"]:
        jobs = _chosen([job for job in book.jobs if job["arm"] == standing["arm"]], validation, verdict["facts"]["up"])
        jobs = jobs[:1] if standing["seed_spread"] == "none" else jobs
        if jobs and all(any(row["stats"] for row in rows.get(job["key"], {}).values()) for job in jobs):
            arms[standing["arm"]] = Arm(standing["arm"], jobs, validation)
    keys = [job["key"] for arm in arms.values() for job in arm.jobs]
    seen = sorted({record for key in keys for record in rows[key]})
    kept = [record for record in seen if all(rows[key].get(record, {}).get("stats") for key in keys)]
    for arm in arms.values():
        arm.x_RS = np.array([[rows[job["key"]][record]["stats"][0] for job in arm.jobs] for record in kept])
        arm.answers = [row["answer"] for job in arm.jobs for row in rows[job["key"]].values() if row["stats"]]
    return (arms if kept else {}), len(seen) - len(kept)


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


def standings(check: Check, book: Book, verdict: dict, arms: dict[str, Arm]) -> None:
    """Every arm's own figures."""
    bounds = _bounds(verdict, arms)
    for told in verdict["standings"]:
        name, arm = told["arm"], arms.get(told["arm"])
        if told["status"] != "tested" or arm is None:
            check.same(f"{name}, mean", told["mean"], None)
            check.same(f"{name}, tested", told["status"] in ("tested", "unscored"), arm is not None and not _out(told))
            continue
        figures = dict(zip(("mean", "low", "high"), interval(arm.x_RS, bounds)))
        figures |= {"n_test": len(arm.x_RS), "seeds": len(arm.jobs)}
        known = [value for value in arm.validation if value is not None]
        figures["validation"] = fmean(known) if known else None
        own = interval(arm.x_RS[:, [_artifact(arm, verdict["facts"]["up"])]], bounds)
        figures |= dict(zip(("artifact_mean", "artifact_low", "artifact_high"), own))
        figures["unreadable"] = sum(not answer.strip() for answer in arm.answers) / len(arm.answers)
        for key, found in figures.items():
            check.same(f"{name}, {key}", told[key], found)
        for key in told["cost"]:
            check.same(f"{name}, cost {key}", told["cost"][key], _mean([job["cost"].get(key) for job in arm.jobs]))
        for metric, value in told["others"].items():
            _other(check, book, arm, metric, value)


def _other(check: Check, book: Book, arm: Arm, metric: str, told: float | None) -> None:
    """A further metric's mean over seeds; skipped where records are left out or the metric is no mean."""
    rows = book.test(metric)
    columns = [[row["stats"] for row in rows.get(job["key"], {}).values() if row["stats"]] for job in arm.jobs]
    if any(len(column) != len(arm.x_RS) or any(len(each) != 1 for each in column) for column in columns):
        check.skipped.append(f"{arm.name}, {metric}")
        return
    check.same(f"{arm.name}, {metric}", told, fmean(fmean(each[0] for each in column) for column in columns))


def decision(check: Check, book: Book, verdict: dict, arms: dict[str, Arm]) -> None:
    """Contrasts, winners and the recommended arm."""
    up, margin = verdict["facts"]["up"], verdict["facts"]["margin"]
    rows = {row["arm"]: row for row in verdict["standings"] if row["arm"] in arms and not _out(row)}
    best = sorted(rows, key=lambda name: (-1 if up else 1) * arms[name].x_RS.mean())[:FINALISTS]
    check.same("finalists", verdict["facts"]["finalists"], best)
    pairs = list(combinations(best, 2))
    check.same("pairs", [[row["a"], row["b"]] for row in verdict["contrasts"]], [list(pair) for pair in pairs])
    pool = seed_pool(verdict, arms)
    tests = [compared(arms[a], arms[b], _bounds(verdict, arms)[1], pool) for a, b in pairs]
    corrected = multipletests([test["p"] for test in tests], method="holm")[1] if tests else []
    beaten = set()
    for (a, b), test, p_holm, told in zip(pairs, tests, corrected, verdict["contrasts"]):
        inside = -margin <= test["low"] and test["high"] <= margin
        kind = "different" if p_holm < 0.05 else "practically_equal" if inside else "open"
        for key, found in {**test, "p_holm": p_holm, "different": p_holm < 0.05, "kind": kind}.items():
            check.same(f"{a} against {b}, {key}", told[key], found)
        if p_holm < 0.05:
            beaten.add(b if (test["diff"] > 0) == up else a)
    winners = [name for name in best if name not in beaten]
    check.same("winners", verdict["winners"], winners)
    check.same("recommended", verdict["recommended"], _recommended(book, verdict, arms, rows, winners))


def seed_pool(verdict: dict, arms: dict[str, Arm]) -> tuple[set[str], float, int]:
    """Trained arms with several seeds, the variance that one seed adds to a run of theirs, and its df."""
    own = {
        row["arm"]
        for row in verdict["standings"]
        if row["trains"] and row["arm"] in arms and len(arms[row["arm"]].jobs) > 1
    }
    dfs = [len(arms[name].jobs) - 1 for name in own]
    squares = [(mean_squares(arms[name].x_RS), len(arms[name].x_RS)) for name in own]
    adds = [(ms[1] - ms[2]) / records for ms, records in squares]
    return own, max(float(np.average(adds, weights=dfs)), 0.0) if own else 0.0, sum(dfs)


def seed_floor(a: Arm, b: Arm, pool: tuple[set[str], float, int]) -> tuple[float, int]:
    """What seeds add to the variance of a - b at the least, and its df."""
    names, variance, df = pool
    runs = [len(arm.jobs) for arm in (a, b) if arm.name in names]
    return (len(runs) * variance / min(runs), df) if runs else (0.0, 0)


def compared(a: Arm, b: Arm, span: float, pool: tuple[set[str], float, int]) -> dict[str, float]:
    """a minus b, seed by seed of the same number, else in order; one column against all of the other."""
    x_RS, y_RS = a.x_RS, b.x_RS
    if len(a.jobs) > 1 and len(b.jobs) > 1:
        both, fewest = sorted(set(a.seeds) & set(b.seeds)), min(len(a.jobs), len(b.jobs))
        paired = len(both) == fewest
        x_RS = x_RS[:, [a.seeds.index(seed) for seed in both] if paired else range(fewest)]
        y_RS = y_RS[:, [b.seeds.index(seed) for seed in both] if paired else range(fewest)]
    d_RS = x_RS - y_RS
    records, diff = len(d_RS), float(d_RS.mean())
    spread = _spread(d_RS, *seed_floor(a, b, pool))
    if records < 2 or not spread[0]:
        _, low, high = exact(diff, records, (-span, span))
        p = 1.0 if records < 2 or diff == 0 else min(1.0, 2 * 0.5**records)
    else:
        half = half_width(spread)
        low, high = max(diff - half, -span), min(diff + half, span)
        p = float(2 * stats.t.sf(stats.t.isf(0.025, spread[1]) * abs(diff) / half, spread[1]))
    return {"diff": diff, "low": low, "high": high, "p": p}


def interval(x_RS: np.ndarray, bounds: tuple[float, float]) -> tuple[float, float, float]:
    """Mean and 95 % bounds: Wilson, its form for several seeds, t, or exact where nothing varies."""
    mean, (records, seeds) = float(x_RS.mean()), x_RS.shape
    if seeds == 1 and bounds == (0.0, 1.0) and set(np.unique(x_RS)) <= {0.0, 1.0}:
        low, high = proportion_confint(int(x_RS.sum()), records, method="wilson")
        return mean, max(low, 0.0), min(high, 1.0)
    if records < 2 or np.ptp(x_RS) == 0:
        return exact(mean, records, bounds)
    half = half_width(_spread(x_RS))
    if bounds == (0.0, 1.0) and seeds > 1:  # |mean - mu| = half sqrt(mu (1 - mu) / (mean (1 - mean))), both roots
        ratio = half**2 / (mean * (1 - mean))
        low, high = sorted(np.roots([1 + ratio, -(2 * mean + ratio), mean**2]).real)
        return mean, low, high
    return mean, max(mean - half, bounds[0]), min(mean + half, bounds[1])


def exact(value: float, records: int, bounds: tuple[float, float]) -> tuple[float, float, float]:
    hidden = 1 - 0.025 ** (1 / records)
    return value, value - hidden * (value - bounds[0]), value + hidden * (bounds[1] - value)


def half_width(spread: tuple[float, float, list[tuple[float, float]]]) -> float:
    """The wider of Satterthwaite's and Howe's, at 95 %."""
    variance, df, parts = spread
    howe = sum(part * stats.t.isf(0.025, df_part) ** 2 for part, df_part in parts)
    return max(stats.t.isf(0.025, df) * variance**0.5, howe**0.5)


def mean_squares(x_RS: np.ndarray) -> list[float]:
    """Of records, seeds and the rest; with one seed only the first is known."""
    records, seeds = x_RS.shape
    square = x_RS.mean() ** 2
    record = seeds * (np.square(x_RS.mean(axis=1)).sum() - records * square)
    seed = records * (np.square(x_RS.mean(axis=0)).sum() - seeds * square)
    rest = np.square(x_RS).sum() - records * seeds * square - record - seed
    dfs = [max(records - 1, 1), seeds - 1, (records - 1) * (seeds - 1)]
    return [max(total, 0.0) / df if df else 0.0 for total, df in zip((record, seed, rest), dfs)]


def _spread(x_RS: np.ndarray, least: float = 0.0, pooled_df: int = 0):
    """Variance of the mean, Satterthwaite's df, and the variance by part with the df of each.

    least: what seeds add at the least, known with pooled_df degrees of freedom.
    """
    records, seeds = x_RS.shape
    cells, ms = records * seeds, mean_squares(x_RS)
    dfs = [records - 1, seeds - 1, (records - 1) * (seeds - 1)]
    if seeds == 1:
        ms[1:] = 0.0, 0.0
    if least * cells + ms[2] > ms[1] and pooled_df:
        ms[1], dfs[1] = least * cells + ms[2], pooled_df
    parts = [(max(ms[0], ms[2]) / cells, dfs[0]), (max(ms[1] - ms[2], 0.0) / cells, max(dfs[1], 1))]
    variance = parts[0][0] + parts[1][0]
    doubt = sum((each / cells) ** 2 / df for each, df in zip(ms, dfs) if df)
    return variance, max(variance**2 / doubt, 1.0) if doubt else records - 1, parts


def _recommended(book: Book, verdict: dict, arms: dict[str, Arm], rows: dict, winners: list[str]) -> str | None:
    """The cheapest winner, unless the study weighs costs or prefers the best."""
    wish = verdict["facts"].get("decision", {})
    costs = {name: _costs(book, arms[name], rows[name]) for name in winners}
    quality = {name: 100 * arms[name].x_RS.mean() * (1 if verdict["facts"]["up"] else -0.01) for name in winners}
    if weights := wish.get("weights"):
        quality = {name: _weighed(quality[name], costs[name], weights) for name in winners}
    if weights or wish.get("prefer") == "best":
        known = [value for value in quality.values() if value is not None]
        winners = [name for name in winners if quality[name] is not None and quality[name] == max(known)] or winners
    first = wish.get("cost", COSTS[0])
    order = (first, *(name for name in COSTS if name != first))
    unknown_last = {
        name: [np.inf if costs[name][key] is None else costs[name][key] for key in order] for name in winners
    }
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


def _artifact(arm: Arm, up: bool) -> int:
    """The seed that is best on validation; the first of equals."""
    worst = -np.inf if up else np.inf
    values = [worst if value is None else value for value in arm.validation]
    return values.index(max(values) if up else min(values))


def _bounds(verdict: dict, arms: dict[str, Arm]) -> tuple[float, float]:
    """Of a score, and of a loss the largest one seen."""
    return 0.0, 1.0 if verdict["facts"]["up"] else max((float(arm.x_RS.max()) for arm in arms.values()), default=1.0)


def _out(row: dict) -> bool:
    return row["status"] == "ruled out"


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _equal(told: object, found: object) -> bool:
    numbers = all(isinstance(each, int | float | np.number) and not isinstance(each, bool) for each in (told, found))
    return abs(told - found) <= 1e-9 + 1e-6 * abs(found) if numbers else told == found


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

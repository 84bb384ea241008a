"""Copies of one arm that were really trained (recordings/aa_*): how often the shipped test calls two of them different.

A replay draws two disjoint triples out of the 24 seeds and as many records as there are, with replacement, and asks
for p. The seeds are few and every replay uses them again, so the share declared has an error of its own: that of the
delete-half jackknife (Shao and Wu, Annals of Statistics 1989), the standard deviation of the share over random halves
of the seeds, with the replays' own noise taken off.

    passed: share <= 5 % + 2 standard errors

R records, S seeds.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.judge import pair
from tuneoff.core.errors import DataError
from tuneoff.stats.interval import wilson
from tuneoff.stats.many import ALPHA

if TYPE_CHECKING:
    from benchmarks.harness import Settings

__all__ = ["answers", "declared", "jackknife", "judge_aa_recorded", "recorded_line"]

HERE = Path(__file__).parent / "recordings"
REPLAYS, HALVES, PER_HALF = 4000, 40, 1000


def judge_aa_recorded(settings: "Settings") -> Iterator[dict]:
    """A line for each recording and each score: the answer's correctness, and the right label's probability."""
    folders = sorted(path for path in HERE.glob("aa_*") if any(path.glob("part-*.parquet")))
    if not folders:
        raise DataError("no recording of copies is there", where=HERE, fix="python -m benchmarks.record aa_emotion")
    for folder in folders:
        for score in ("correct", "p_right"):
            yield recorded_line(
                folder, score, settings.few(REPLAYS, 60), settings.few(HALVES, 4), settings.few(PER_HALF, 100)
            )


def recorded_line(folder: Path, score: str, replays: int, halves: int, per_half: int) -> dict:
    """The line of one recording."""
    x_RS = answers(folder, score)
    rng = np.random.default_rng(0)
    share, low, high = wilson(round(replays * declared(x_RS, rng, replays)), replays)
    error = jackknife(x_RS, rng, halves, per_half)
    return {
        "name": "judge_aa_recorded",
        "case": f"{folder.name}, {score}",
        "records": len(x_RS),
        "seeds": x_RS.shape[1],
        "mean": _short(x_RS.mean()),
        "seeds_vary_by": _short(x_RS.mean(axis=0).std(ddof=1)),
        "replays": replays,
        "share": _short(share),
        "low": _short(low),
        "high": _short(high),
        "standard_error": _short(error),
        "allowed": _short(ALPHA + 2 * error),
        "passed": bool(share <= ALPHA + 2 * error),
    }


def answers(folder: Path, score: str) -> np.ndarray:
    """[R, S] test scores of the last rung. Raises DataError where a seed lacks a record."""
    import pyarrow.parquet as pq

    parts = sorted(folder.glob("part-*.parquet"))
    rows = [row for part in parts for row in pq.read_table(part).to_pylist() if row["split"] == "test"]
    last = max(row["rung"] for row in rows)
    cells = {(row["record"], row["seed"]): row[score] for row in rows if row["rung"] == last}
    records, seeds = (sorted({place[at] for place in cells}) for at in (0, 1))
    missing = [(record, seed) for record in records for seed in seeds if (record, seed) not in cells]
    if missing:
        raise DataError(
            f"{len(missing)} answers are missing, the first of seed {missing[0][1]}", where=folder, found=missing[0][0]
        )
    return np.array([[cells[record, seed] for seed in seeds] for record in records], dtype=float)


def declared(x_RS: np.ndarray, rng: np.random.Generator, replays: int) -> float:
    """The share of replays in which two triples of its columns are called different."""
    records, seeds = x_RS.shape
    alarms = 0
    for _ in range(replays):
        six = rng.permutation(seeds)[:6]
        drawn_R6 = x_RS[rng.integers(0, records, size=records)[:, None], six]
        alarms += pair([drawn_R6[:, :3], drawn_R6[:, 3:]]).p < ALPHA
    return alarms / replays


def jackknife(x_RS: np.ndarray, rng: np.random.Generator, halves: int, replays: int) -> float:
    """Standard error of the share declared, over which seeds happened to be recorded."""
    seeds = x_RS.shape[1]
    shares = [declared(x_RS[:, rng.permutation(seeds)[: seeds // 2]], rng, replays) for _ in range(halves)]
    noise = np.mean([share * (1 - share) for share in shares]) / replays
    return float(np.sqrt(max(np.var(shares, ddof=1) - noise, 0.0)))


def _short(number: float) -> float:
    return float(f"{number:.4g}")

"""The race run over curves that were recorded in full, so that what it saves and what it misses can be counted.

A recording is a folder of part-*.parquet, a row per record, rung and job (no texts), and part-*.json, a row per job:

    split       record        arm   trial  seed  rung  correct  p_right
    validation  3f09c1...     lora      2     0     3        1    0.871
    test        9ad0e7...     lora      2     0     6        1    0.934

Each replay draws the validation and test records anew (with replacement) and the order of the seeds, runs the race,
and asks two things: what share of the training tokens was spent, and whether the setting that won is the one that the
whole grid would have chosen, or as good on the test records within the margin, or not shown to be worse by the test
that a verdict would make. What the whole grid would choose on another draw is the yardstick: where settings lie closer
than records can tell apart, not even everything trained to its end finds the same one twice.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tuneoff.core.errors import StudyError
from tuneoff.core.rungs import LAST, RUNGS, RaceKind
from tuneoff.core.seeds import stream
from tuneoff.stats.comparison import compare
from tuneoff.stats.many import ALPHA
from tuneoff.study.outcome import JobRow
from tuneoff.study.race import Entry, Place, Seen, next_step

__all__ = ["Curve", "Raced", "Recording", "Replay", "raced", "read_recording", "replay", "replayed"]


Setting = tuple[str, int]
"arm, trial"


@dataclass(frozen=True, slots=True)
class Curve:
    """One job. correct_CN, p_right_CN: by check and validation record. step_C: after which. test_M: correct."""

    correct_CN: np.ndarray
    p_right_CN: np.ndarray
    step_C: np.ndarray
    test_M: np.ndarray
    tokens: int

    def check(self, rung: int) -> int:
        """The check that stands at a rung."""
        return int(np.searchsorted(self.step_C, max(1, round(self.step_C[-1] * RUNGS[rung - 1]))))

    def value(self, draw_N: np.ndarray) -> tuple[float, float, int]:
        """The best late check's accuracy, its mean probability of the right label, and which check it is."""
        late = range(1 + self.check(LAST - 1), len(self.step_C)) or [len(self.step_C) - 1]
        means = ((self.correct_CN[at, draw_N].mean(), self.p_right_CN[at, draw_N].mean(), at) for at in late)
        return max((float(right), float(p), at) for right, p, at in means)

    def spent(self, rung: int) -> float:
        """Tokens trained up to a rung."""
        return self.tokens * float(self.step_C[self.check(rung)] / self.step_C[-1])


@dataclass(frozen=True, slots=True)
class Recording:
    """Curves by (arm, trial, seed). families: by arm."""

    curves: Mapping[Place, Curve]
    families: Mapping[str, str]

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(arm for arm, _, _ in self.curves))

    @property
    def seeds(self) -> int:
        return 1 + max(seed for _, _, seed in self.curves)

    def trials(self, arm: str) -> int:
        return 1 + max(trial for own, trial, _ in self.curves if own == arm)

    def tokens(self) -> float:
        """Trained in all."""
        return float(sum(curve.tokens for curve in self.curves.values()))

    def entries(self) -> list[Entry]:
        """Every method with all its settings: each is a family of its own, so that all get the same number."""
        return [Entry(arm, arm, self.trials(arm), self.seeds, share=self.trials(arm)) for arm in self.arms]


class Replay(NamedTuple):
    """share: of the recording's tokens. won, best: (arm, trial) by the race and by the whole grid.

    loss: how much worse the race's choice is on the test records, as a share of right answers; below 0: better.
    tied: whether it is not shown to be worse. again_loss: of what the whole grid chooses on another draw.
    """

    share: float
    won: Setting
    best: Setting
    loss: float
    tied: bool
    again_loss: float


class Raced(NamedTuple):
    """A race from its start to its end. fits: by step, jobs and the rung that each came to. tested: jobs."""

    fits: tuple[tuple[tuple[Place, int], ...], ...]
    tested: tuple[Place, ...]

    @property
    def spent(self) -> dict[Place, int]:
        """The last rung of every job."""
        return {place: rung for fit in self.fits for place, rung in fit}


class Draw(NamedTuple):
    """What one replay draws: records, and the order of the seeds."""

    validation_N: np.ndarray
    test_M: np.ndarray
    seed_S: np.ndarray


def read_recording(folder: Path) -> Recording:
    """Raises StudyError where the folder holds no recording."""
    parts = sorted(folder.glob("part-*.parquet"))
    if not parts:
        raise StudyError(
            "this folder holds no recording", where=folder, fix="python -m benchmarks.record NAME makes one"
        )
    import pyarrow.parquet as pq

    rows = [row for part in parts for row in pq.read_table(part).to_pylist()]
    jobs = [job for part in parts for job in json.loads(part.with_suffix(".json").read_text(encoding="utf-8"))]
    held: dict[Place, list[dict]] = {}
    for row in rows:
        held.setdefault((row["arm"], row["trial"], row["seed"]), []).append(row)
    curves = {place: _curve(held[place], job) for job in jobs if (place := (job["arm"], job["trial"], job["seed"]))}
    return Recording(curves, {arm: arm for arm, _, _ in curves})


def replay(recording: Recording, number: int, race: RaceKind = "rungs") -> Replay:
    """One replay; the number settles what it draws."""
    draw = _draw(recording, number)
    spent = _replayed(recording, draw, race).spent
    tokens = sum(_curve_of(recording, draw, place).spent(rung) for place, rung in spent.items())
    won, best = _race_winner(recording, draw, spent), _grid_winner(recording, draw)
    again = _grid_winner(recording, _draw(recording, number, "again"))
    best_M = _test(recording, draw, best)
    loss, again_loss = (float((best_M - _test(recording, draw, each)).mean()) for each in (won, again))
    pair = {"best": best_M, "won": _test(recording, draw, won)}
    tied = loss <= 0 or compare(pair).contrasts[0].p >= ALPHA
    return Replay(tokens / recording.tokens(), won, best, loss, tied, again_loss)


def replayed(recording: Recording, number: int) -> Raced:
    """The steps of the replay with this number."""
    return _replayed(recording, _draw(recording, number))


def raced(
    entries: Sequence[Entry], ledger: Callable[[Mapping[Place, int]], list[Seen]], race: RaceKind = "rungs"
) -> Raced:
    """A race to its end. ledger: what is seen of jobs that came to these rungs."""
    fits: list[tuple[tuple[Place, int], ...]] = []
    while (step := next_step(entries, seen := ledger(Raced(tuple(fits), ()).spent), race)).fit:
        fits.append(step.fit)
    tested = [(job.row.arm, job.row.trial, job.row.seed) for job in seen if job.row.key in step.test]
    return Raced(tuple(fits), tuple(tested))


def _replayed(recording: Recording, draw: Draw, race: RaceKind = "rungs") -> Raced:
    return raced(recording.entries(), lambda spent: _seen(recording, draw, spent), race)


def _curve(rows: Iterable[dict], job: Mapping) -> Curve:
    rows = list(rows)
    validation = [row for row in rows if row["split"] == "validation"]
    records = list(dict.fromkeys(row["record"] for row in validation))
    shape = (len(validation) // len(records), len(records))
    ordered = sorted(validation, key=lambda row: row["rung"])
    return Curve(
        np.array([row["correct"] for row in ordered], dtype=float).reshape(shape),
        np.array([row["p_right"] for row in ordered], dtype=float).reshape(shape),
        np.array(job["steps"]),
        np.array([row["correct"] for row in rows if row["split"] == "test"], dtype=float),
        job["train_tokens"],
    )


def _draw(recording: Recording, number: int, name: str = "replay") -> Draw:
    random = np.random.default_rng(stream(number, name))
    curve = next(iter(recording.curves.values()))
    validation, test = curve.correct_CN.shape[1], len(curve.test_M)
    return Draw(
        random.integers(0, validation, validation),
        random.integers(0, test, test),
        random.permutation(recording.seeds),
    )


def _curve_of(recording: Recording, draw: Draw, place: Place) -> Curve:
    arm, trial, seed = place
    return recording.curves[arm, trial, int(draw.seed_S[seed])]


def _seen(recording: Recording, draw: Draw, spent: Mapping[Place, int]) -> list[Seen]:
    """The ledger that the race would have written."""
    return [_row(place, rung, _curve_of(recording, draw, place), draw) for place, rung in spent.items()]


def _row(place: Place, rung: int, curve: Curve, draw: Draw) -> Seen:
    scores = {
        early: dict(enumerate(curve.p_right_CN[curve.check(early), draw.validation_N]))
        for early in range(1, min(rung, LAST - 1) + 1)
    }
    arm, trial, seed = place
    row = JobRow(key=f"{arm}/{trial}/{seed}", arm=arm, trial=trial, seed=seed, status="paused", rung=rung)
    if rung < LAST:
        return Seen(row, scores, None)
    right, p, at = curve.value(draw.validation_N)
    scores[LAST] = dict(enumerate(curve.correct_CN[at, draw.validation_N]))
    done = JobRow(key=row.key, arm=arm, trial=trial, seed=seed, status="done", rung=LAST)
    return Seen(done, scores, (right, p), dict(enumerate(curve.p_right_CN[at, draw.validation_N])))


def _race_winner(recording: Recording, draw: Draw, spent: Mapping[Place, int]) -> Setting:
    """The setting with the best test mean over the seeds that were run to the end, one setting a method."""
    chosen = {}
    for arm in recording.arms:
        done = [place for place, rung in spent.items() if place[0] == arm and rung == LAST and place[2] == 0]
        if done:
            chosen[arm] = max(done, key=lambda place: _curve_of(recording, draw, place).value(draw.validation_N)[:2])
    runs = {
        (arm, place[1]): [
            seed for own, trial, seed in spent if (own, trial) == place[:2] and spent[own, trial, seed] == LAST
        ]
        for arm, place in chosen.items()
    }
    return max(runs, key=lambda setting: _test(recording, draw, setting, runs[setting]).mean())


def _grid_winner(recording: Recording, draw: Draw) -> Setting:
    """What the whole grid chooses: per method by mean validation over all seeds, then by the test."""

    def validation(arm: str, trial: int) -> float:
        values = [recording.curves[arm, trial, seed].value(draw.validation_N) for seed in range(recording.seeds)]
        return float(np.mean([value[:2] for value in values], axis=0) @ [1.0, 1e-6])

    settings = [(arm, max(range(recording.trials(arm)), key=lambda t: validation(arm, t))) for arm in recording.arms]
    return max(settings, key=lambda setting: _test(recording, draw, setting).mean())


def _test(recording: Recording, draw: Draw, setting: Setting, seeds: Iterable[int] | None = None) -> np.ndarray:
    """[M, S] test answers of a setting; of all recorded seeds where none are named."""
    seeds = range(recording.seeds) if seeds is None else seeds
    return np.stack([_curve_of(recording, draw, (*setting, seed)).test_M[draw.test_M] for seed in seeds], axis=1)

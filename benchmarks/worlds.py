"""Made-up arms whose true scores are known: hard and easy records, lucky and unlucky seeds, 0/1 answers.

    chance of a right answer = 1 / (1 + exp(-(level + 2 record + spread x seed)))     record, seed standard normal

`level` is set so that the mean over all records and seeds is the accuracy asked for. Records are shared by the arms
of a pair, seeds are not. Spreads of 0.1, 0.3 and 1 give a run's accuracy a standard deviation of 1.5, 4.5 and 14 points
at accuracy 0.5, and of 0.6, 1.9 and 6 at 0.9.

T trials, R records, S seeds, U and V nodes of the quadrature over records and seeds.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tuneoff.stats.crossed import Components

__all__ = ["Arm", "expected", "once", "trials"]

HARD = 2.0
CELLS = 2_000_000  # answers drawn at once
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True, slots=True)
class Arm:
    """accuracy: over all records and seeds. spread: of its seeds. seeds: how many runs."""

    accuracy: float
    spread: float
    seeds: int = 3

    @property
    def level(self) -> float:
        """What the logit of the chance is on an average record with an average seed."""
        from scipy.optimize import brentq

        wide = np.hypot(HARD, self.spread)
        return brentq(lambda level: (WEIGHTS * _share(level + wide * NODES)).sum() - self.accuracy, -60, 60)

    def chances(self) -> np.ndarray:
        """[U, V] chance of a right answer at the nodes of record and seed."""
        return _share(self.level + HARD * NODES[:, None] + self.spread * NODES[None, :])


def trials(rng: np.random.Generator, arms: tuple[Arm, ...], records: int, count: int) -> Iterator[list[np.ndarray]]:
    """[R, S] answers of each arm, `count` times over; new records and new seeds each time."""
    level_S = np.concatenate([np.full(arm.seeds, arm.level) for arm in arms]).astype(np.float32)
    spread_S = np.concatenate([np.full(arm.seeds, arm.spread) for arm in arms]).astype(np.float32)
    cuts = np.cumsum([arm.seeds for arm in arms])[:-1]
    at_once = max(1, CELLS // (records * len(level_S)))
    for start in range(0, count, at_once):
        size = min(at_once, count - start)
        hard_TR1 = np.float32(HARD) * rng.standard_normal((size, records, 1), dtype=np.float32)
        luck_T1S = spread_S * rng.standard_normal((size, 1, len(level_S)), dtype=np.float32)
        chance_TRS = _share(level_S + hard_TR1 + luck_T1S)
        right_TRS = rng.random(chance_TRS.shape, dtype=np.float32) < chance_TRS
        for right_RS in right_TRS.astype(float):
            yield np.split(right_RS, cuts, axis=1)


def expected(a: Arm, b: Arm, records: int) -> Components:
    """The mean squares that the differences a - b have on average, by quadrature."""
    a_UV, b_UV = a.chances(), b.chances()
    a_U, b_U = a_UV @ WEIGHTS, b_UV @ WEIGHTS
    diff = WEIGHTS @ (a_U - b_U)
    of_records = WEIGHTS @ (a_U - b_U) ** 2 - diff**2
    of_seeds = sum(WEIGHTS @ (WEIGHTS @ x_UV - WEIGHTS @ x_UV @ WEIGHTS) ** 2 for x_UV in (a_UV, b_UV))
    rest = WEIGHTS @ (a_U + b_U - 2 * a_U * b_U) - diff**2 - of_records - of_seeds
    return Components(records, a.seeds, rest + a.seeds * of_records, rest + records * of_seeds, rest)


def once(arm: Arm) -> Arm:
    """The same arm without randomness, run once."""
    return replace(arm, spread=0.0, seeds=1)


def _share(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))

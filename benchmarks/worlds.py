"""Made-up arms whose true scores are known: hard and easy records, lucky and unlucky seeds, 0/1 answers or chances.

    right where   level + 1.5 record + luck x seed + 0.7 (record by seed) + noise > 0     all standard normal

How hard a record is, all arms share; the rest each arm and seed has for itself. An arm is given by its accuracy and by
`moves`, the standard deviation over seeds of a run's true mean; `level` and `luck` follow from them. Scores in between
are the chance of a right answer before the noise, and have the same mean and the same `moves`.

T trials, R records, S seeds of all arms, K arms, U nodes of the quadrature.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from zlib import crc32

import numpy as np

__all__ = ["Arm", "Cell", "trials"]

HARD, OWN = 1.5, 0.7
WIDE = float(np.sqrt(HARD**2 + OWN**2 + 1))  # of what one run's answers have in them
MOST_LUCK = 5.0
AT_ONCE = 6_000_000  # scores drawn together
NODES_U, WEIGHTS_U = np.polynomial.hermite_e.hermegauss(61)
WEIGHTS_U = WEIGHTS_U / WEIGHTS_U.sum()


@dataclass(frozen=True, slots=True)
class Arm:
    """accuracy: over all records and seeds. moves: a share, 0.02 is two points. seeds: 1 is an arm without randomness.

    Raises ValueError where no luck moves the runs so far.
    """

    accuracy: float
    moves: float = 0.0
    seeds: int = 3

    def __post_init__(self):
        _luck(self.accuracy, self.moves)

    @property
    def luck(self) -> float:
        return _luck(self.accuracy, self.moves)

    @property
    def level(self) -> float:
        return _level(self.accuracy, self.luck)

    def variance(self, records: int) -> float:
        """Of the arm's mean, without what the records that all arms share add to it; of 0/1 scores."""
        from scipy.special import ndtr

        right_U = ndtr((self.level + HARD * NODES_U) / np.sqrt(OWN**2 + 1 + self.luck**2))
        of_records = WEIGHTS_U @ (right_U - self.accuracy) ** 2
        rest = self.accuracy * (1 - self.accuracy) - of_records - self.moves**2
        return float(self.moves**2 + rest / records) / self.seeds


@dataclass(frozen=True, slots=True)
class Cell:
    """K arms and their records. moves, below: of each arm; an arm's accuracy is `accuracy` less its `below`.

    once: the second arm is one without randomness, of one column. between: scores are chances, not 0/1.
    """

    records: int
    accuracy: float
    moves: tuple[float, ...]
    below: tuple[float, ...]
    seeds: int = 3
    once: bool = False
    between: bool = False

    def arms(self) -> list[Arm]:
        """All K of them."""
        arms = [Arm(self.accuracy - less, moves, self.seeds) for moves, less in zip(self.moves, self.below)]
        if self.once:
            arms[1] = replace(arms[1], moves=0.0, seeds=1)
        return arms

    def standard_error(self) -> float:
        """Of the difference of the first two arms where they are equal, by formula."""
        return float(np.sqrt(sum(arm.variance(self.records) for arm in self.arms()[:2])))

    def drawn(self, count: int) -> Iterator[list[np.ndarray]]:
        """[R, S] scores of each arm, `count` times over, from a stream of the cell's own: it can be run again alone."""
        rng = np.random.default_rng(crc32(repr(self).encode()))
        return trials(rng, self.arms(), self.records, count, self.between)


def trials(
    rng: np.random.Generator, arms: list[Arm], records: int, count: int, between: bool = False
) -> Iterator[list[np.ndarray]]:
    """[R, S] scores of each arm, `count` times over; new records and new seeds each time."""
    level_S, luck_S = (
        np.concatenate([np.full(arm.seeds, getattr(arm, name)) for arm in arms]).astype(np.float32)
        for name in ("level", "luck")
    )
    cuts = np.cumsum([arm.seeds for arm in arms])[:-1]
    at_once = max(1, AT_ONCE // (records * len(level_S)))
    for start in range(0, count, at_once):
        for score_RS in _scores(rng, level_S, luck_S, min(at_once, count - start), records, between):
            yield np.split(score_RS.astype(float), cuts, axis=1)


def _scores(rng, level_S: np.ndarray, luck_S: np.ndarray, size: int, records: int, between: bool) -> np.ndarray:
    """[T, R, S] scores; the noise of 0/1 ones is drawn together with the record by seed."""
    own = np.float32(OWN if between else np.hypot(OWN, 1))
    latent_TRS = rng.standard_normal((size, records, len(level_S)), dtype=np.float32)
    latent_TRS *= own
    latent_TRS += np.float32(HARD) * rng.standard_normal((size, records, 1), dtype=np.float32)
    latent_TRS += level_S + luck_S * rng.standard_normal((size, 1, len(level_S)), dtype=np.float32)
    if not between:
        return latent_TRS > 0
    from scipy.special import ndtr

    return ndtr(latent_TRS, out=latent_TRS)


def _level(accuracy: float, luck: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(accuracy) * np.hypot(WIDE, luck))


@cache
def _luck(accuracy: float, moves: float) -> float:
    """The luck whose runs' true means have `moves` as their standard deviation."""
    from scipy.optimize import brentq

    if not moves:
        return 0.0
    if (most := _moved(accuracy, MOST_LUCK)) < moves:
        raise ValueError(f"seeds move an arm at accuracy {accuracy:g} by {most:.3g} at most, not by {moves:g}")
    return float(brentq(lambda luck: _moved(accuracy, luck) - moves, 0.0, MOST_LUCK))


def _moved(accuracy: float, luck: float) -> float:
    """Standard deviation over seeds of a run's true mean."""
    from scipy.special import ndtr

    mean_U = ndtr((_level(accuracy, luck) + luck * NODES_U) / WIDE)
    return float(np.sqrt(WEIGHTS_U @ (mean_U - accuracy) ** 2))

"""Two groups of different records, such as those trained on and those that were not.

    difference  a - b of two figures with intervals of their own: each side's distance to its bound, squared and added
                (Newcombe, Statistics in Medicine 1998, method 10; Zou & Donner, Statistics in Medicine 2008)
    auc         how often a record of one group lies below one of the other, ties counted half: 0.5 where the groups
                cannot be told apart. Interval after DeLong, DeLong & Clarke-Pearson (Biometrics 1988)

M, N: records of the two groups.
"""

import numpy as np

from tuneoff.stats.interval import Interval, exact

__all__ = ["auc", "difference"]

Z = 1.959964  # of a two-sided 95 % interval


def difference(a: Interval, b: Interval) -> Interval:
    """a minus b, where no record stands in both."""
    diff = a.mean - b.mean
    down = np.hypot(a.mean - a.low, b.high - b.mean)
    up = np.hypot(a.high - a.mean, b.mean - b.low)
    return Interval(diff, float(diff - down), float(diff + up))


def auc(lower_M: np.ndarray, higher_N: np.ndarray) -> Interval:
    """The chance that a value of the first group lies below one of the second, each group having at least 2."""
    lower_M, higher_N = np.asarray(lower_M, dtype=float), np.asarray(higher_N, dtype=float)
    wins_MN = (lower_M[:, None] < higher_N) + 0.5 * (lower_M[:, None] == higher_N)
    value = float(wins_MN.mean())
    variance = sum(wins_MN.mean(axis=axis).var(ddof=1) / wins_MN.shape[1 - axis] for axis in (0, 1))
    if variance < 1e-18:  # one group wholly below the other: no spread is seen, and yet there is doubt
        return exact(value, min(wins_MN.shape), (0.0, 1.0))
    half = Z * float(np.sqrt(variance))
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0))

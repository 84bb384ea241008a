"""A ratio of sums with its 95 % interval over records: bits per byte, where long texts count for more.

    r = sum(y) / sum(x),   error = sqrt(n / (n - 1) x sum (y_i - r x_i)^2) / sum(x)

Linearised, as in Cochran, Sampling Techniques (3rd ed. 1977), chapter 6; a t interval with n - 1 degrees of freedom.

R records.
"""

from typing import NamedTuple

import numpy as np

from tuneoff.stats.interval import Interval

__all__ = ["Ratio", "minus", "ratio"]


class Ratio(NamedTuple):
    """value: of n records. error: its standard error; None where one record cannot tell."""

    value: float
    error: float | None
    n: int

    @property
    def interval(self) -> Interval | None:
        """95 %, over records."""
        return None if self.error is None else _around(self.value, self.error, self.n - 1)


def ratio(y_R: np.ndarray, x_R: np.ndarray) -> Ratio:
    """Sum of y over sum of x, x being positive."""
    y_R, x_R = np.asarray(y_R, dtype=float), np.asarray(x_R, dtype=float)
    n, value = len(y_R), float(y_R.sum() / x_R.sum())
    if n < 2:
        return Ratio(value, None, n)
    error = np.sqrt(n / (n - 1) * np.sum((y_R - value * x_R) ** 2)) / x_R.sum()
    return Ratio(value, float(error), n)


def minus(a: Ratio, b: Ratio) -> Interval | None:
    """The difference of two ratios of unlike records (Welch); None where one of them has no error."""
    if a.error is None or b.error is None:
        return None
    va, vb = a.error**2, b.error**2
    if va + vb == 0:
        return Interval(a.value - b.value, a.value - b.value, a.value - b.value)
    df = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
    return _around(a.value - b.value, float(np.sqrt(va + vb)), df)


def _around(value: float, error: float, df: float) -> Interval:
    from scipy import stats

    half = float(stats.t.ppf(0.975, df)) * error
    return Interval(value, value - half, value + half)

"""How sure a mean is: 95 % intervals over records, or over records and seeds.

    0/1 scores of one run         Wilson's interval (JASA 1927): stays inside [0, 1] and works at 0 and 1
    other scores of one run       t interval over records
    several seeds                 t interval with Satterthwaite's df, records and seeds crossed (crossed.py)
    nothing varies at all         exact: if n records all show c, then at most u = 1 - 0.025^(1/n) of all records
                                  differ (Clopper & Pearson, Biometrika 1934), and those can lie at either bound

R records, S seeds.
"""

from typing import NamedTuple

import numpy as np

from tuneoff.stats.crossed import Components, Spread, components, spread

__all__ = ["Interval", "around", "crossed_interval", "exact", "hidden_share", "mean_interval", "t_interval", "wilson"]

Bounds = tuple[float, float]


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    mean: float
    low: float
    high: float


def mean_interval(x_R: np.ndarray, bounds: Bounds = (0.0, 1.0)) -> Interval:
    """One run's mean over at least one record; the interval is over records alone."""
    x_R = np.asarray(x_R, dtype=float)
    if bounds == (0.0, 1.0) and np.isin(x_R, (0.0, 1.0)).all():
        return wilson(int(x_R.sum()), len(x_R))
    return crossed_interval(x_R[:, None], bounds)


def crossed_interval(x_RS: np.ndarray, bounds: Bounds = (0.0, 1.0)) -> Interval:
    """The mean over records and seeds of x[record, seed]."""
    x_RS = np.asarray(x_RS, dtype=float)
    if len(x_RS) < 2:
        return exact(float(x_RS.mean()), len(x_RS), bounds)
    return around(float(x_RS.mean()), components(x_RS), bounds)


def around(mean: float, c: Components, bounds: Bounds) -> Interval:
    """The interval that mean squares allow around a figure, inside its bounds."""
    if c.flat:
        return exact(mean, c.records, bounds)
    return t_interval(mean, spread(c), bounds)


def t_interval(mean: float, s: Spread, bounds: Bounds) -> Interval:
    """mean -+ t(0.975, df) x standard error, cut at the bounds."""
    from scipy import stats

    half = stats.t.ppf(0.975, s.df) * np.sqrt(s.variance)
    return Interval(mean, float(max(mean - half, bounds[0])), float(min(mean + half, bounds[1])))


def wilson(hits: int, n: int) -> Interval:
    """Share of hits in n trials."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(hits, n, method="wilson")
    return Interval(hits / n, float(max(low, 0.0)), float(min(high, 1.0)))


def exact(value: float, n: int, bounds: Bounds) -> Interval:
    """n records that all show the same value, which lies between the bounds."""
    hidden = hidden_share(n)
    return Interval(value, value - hidden * (value - bounds[0]), value + hidden * (bounds[1] - value))


def hidden_share(n: int) -> float:
    """The largest share of all records that may differ when none of n did: 1 - 0.025^(1/n), about 3.7/n."""
    return float(1 - 0.025 ** (1 / n))

"""How sure a mean is: 95 % intervals over records, or over records and seeds.

    0/1 scores of one run         Wilson's interval (JASA 1927): stays inside [0, 1] and works at 0 and 1
    other scores of one run       t interval over records
    scores of several seeds       the same with records and seeds crossed (crossed.py): all means mu for which
                                  |mean - mu| <= half width x sqrt(mu (1 - mu) / (mean (1 - mean)))
    losses, and differences       mean -+ that half width
    nothing varies at all         exact: if n records all show c, then at most u = 1 - 0.025^(1/n) of all records
                                  differ (Clopper & Pearson, Biometrika 1934), and those can lie at either bound

R records, S seeds.
"""

from typing import NamedTuple

import numpy as np

from tuneoff.stats.crossed import Components, components, half_width, spread

__all__ = [
    "Bounds",
    "Interval",
    "around",
    "crossed_interval",
    "exact",
    "hidden_share",
    "mean_interval",
    "score_interval",
    "wilson",
]

Bounds = tuple[float, float]
SCORE = (0.0, 1.0)


class Interval(NamedTuple):
    """A figure and its 95 % interval."""

    mean: float
    low: float
    high: float


def mean_interval(x_R: np.ndarray, bounds: Bounds = SCORE) -> Interval:
    """One run's mean over at least one record; the interval is over records alone."""
    x_R = np.asarray(x_R, dtype=float)
    if bounds == SCORE and np.isin(x_R, (0.0, 1.0)).all():
        return wilson(int(x_R.sum()), len(x_R))
    return crossed_interval(x_R[:, None], bounds)


def crossed_interval(x_RS: np.ndarray, bounds: Bounds = SCORE) -> Interval:
    """The mean over records and seeds of x[record, seed]."""
    x_RS = np.asarray(x_RS, dtype=float)
    if len(x_RS) < 2:
        return exact(float(x_RS.mean()), len(x_RS), bounds)
    return around(float(x_RS.mean()), components(x_RS), bounds)


def around(mean: float, c: Components, bounds: Bounds) -> Interval:
    """The interval that mean squares allow around a figure, inside its bounds."""
    if c.flat:
        return exact(mean, c.records, bounds)
    half = half_width(spread(c))
    if c.seeds > 1:
        return score_interval(mean, half, bounds)
    return Interval(mean, float(max(mean - half, bounds[0])), float(min(mean + half, bounds[1])))


def score_interval(mean: float, half: float, bounds: Bounds = SCORE) -> Interval:
    """mean -+ half inside the bounds; of a score, in Wilson's form."""
    if bounds == SCORE and 0 < mean < 1:
        return _score(mean, half)
    return Interval(mean, float(max(mean - half, bounds[0])), float(min(mean + half, bounds[1])))


def _score(mean: float, half: float) -> Interval:
    """Wilson's form: a mean's variance shrinks towards 0 and 1, so the interval reaches further inwards than out.

    A plain t interval misses the mean up to three times as often as it says, at accuracies of 0.9 and more.
    """
    variance = mean * (1 - mean)
    odds = half**2 / variance
    middle = (mean + odds / 2) / (1 + odds)
    reach = np.sqrt(odds * (variance + odds / 4)) / (1 + odds)
    return Interval(mean, float(max(middle - reach, 0.0)), float(min(middle + reach, 1.0)))


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

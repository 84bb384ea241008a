"""What a test set can show, before and after it was used.

For 0/1 scores of two arms on the same n records, of which a share q is answered differently, the variance of a
difference D is (q - D^2) / n, and D is seen with 80 % power at 5 % when D >= (1.96 + 0.84) x its standard error:

    D = 2.80 sqrt(q / (n + 2.80^2))        n = 150, q = 0.2: 10 points        n = 1,000: 4 points

After a comparison, the measured variances of records and seeds say how many more of either would settle it.
"""

from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from tuneoff.stats.crossed import Components, Spread, half_width, spread
from tuneoff.stats.interval import hidden_share
from tuneoff.stats.many import ALPHA

__all__ = ["More", "power", "settle", "smallest_difference", "visible"]

POWER = 0.8
MOST_RECORDS = 50
"times the records at hand: beyond it the advice helps nobody"
MOST_SEEDS = 30


class More(NamedTuple):
    """What would settle a comparison. together: both are needed; otherwise each one alone is enough."""

    records: int | None
    seeds: int | None
    together: bool = False


def smallest_difference(n: int, disagreement: float = 0.2, tests: int = 1) -> float | None:
    """The smallest difference that n records show with 80 % power, Bonferroni over `tests`; None: none at all.

    disagreement: share of records that the two arms score differently; no difference can be larger than it.
    """
    k = _reach(tests)
    smallest = float(k * np.sqrt(disagreement / (n + k**2)))
    return smallest if smallest <= disagreement else None


def visible(c: Components, tests: int = 1) -> float:
    """The smallest difference that a measured comparison would have shown with 80 % power, Bonferroni over `tests`."""
    return 0.0 if c.flat else _needed(spread(c), tests)


def power(diff: float, c: Components, tests: int = 1) -> float:
    """The chance that a true difference is declared, Bonferroni over `tests`: a noncentral t beyond the half width.

    The t is averaged over 1,000 quantiles of its denominator; scipy's own is not a number for large differences.
    c: the mean squares to expect, or measured ones taken as true; they must not be flat.
    """
    from scipy import stats

    s = spread(c)
    error = np.sqrt(s.variance)
    shares = (np.arange(1000) + 0.5) / 1000
    beyond = _critical(s, tests) / error * np.sqrt(stats.chi2.ppf(shares, s.df) / s.df)
    shift = abs(diff) / error
    return float(np.mean(stats.norm.sf(beyond - shift) + stats.norm.cdf(-beyond - shift)))


def settle(diff: float, c: Components, margin: float, tests: int = 1) -> More:
    """How many more records, or seeds, or both, would show the difference or show that it is inside the margin.

    tests: comparisons still open, over which the error rate is shared. More(None, None): hopeless.
    """
    if c.flat:
        return More(_none_differ(c.records, margin), None)
    most = MOST_RECORDS * c.records
    alone = _least(c.records, most, lambda records: _settled(diff, c, margin, tests, records, c.seeds))
    if c.seeds == 1:
        return More(_extra(alone, c.records), None)
    runs = _least(c.seeds, MOST_SEEDS, lambda seeds: _settled(diff, c, margin, tests, c.records, seeds))
    if alone is None and runs is None:
        return _together(diff, c, margin, tests)
    return More(_extra(alone, c.records), _extra(runs, c.seeds))


def _settled(diff: float, c: Components, margin: float, tests: int, records: int, seeds: int) -> bool:
    """Whether so many records and seeds would do, the measured variances taken as true."""
    s = spread(_grown(c, records, seeds))
    return _needed(s, tests) <= abs(diff) or half_width(s) <= margin - abs(diff)


def _grown(c: Components, records: int, seeds: int) -> Components:
    """The mean squares that more records and seeds would have; what was pooled grows with the seeds."""
    pooled_df = c.pooled_df * (seeds - 1) / (c.seeds - 1) if c.seeds > 1 else 0.0
    return Components(records, seeds, c.ms_rest + seeds * c.record, c.ms_rest + records * c.seed, c.ms_rest, pooled_df)


def _critical(s: Spread, tests: int) -> float:
    """The difference whose p is 5 % over `tests`."""
    from scipy.special import stdtrit

    return half_width(s) * stdtrit(s.df, 1 - ALPHA / tests / 2) / stdtrit(s.df, 1 - ALPHA / 2)


def _needed(s: Spread, tests: int) -> float:
    """The true difference that is declared with 80 % power."""
    from scipy.special import stdtrit

    return float(_critical(s, tests) + np.sqrt(s.variance) * stdtrit(s.df, POWER))


def _together(diff: float, c: Components, margin: float, tests: int) -> More:
    """The records and seeds that cost the fewest answers."""
    found = []
    for seeds in range(c.seeds + 1, MOST_SEEDS + 1):
        do = partial(_settled, diff, c, margin, tests, seeds=seeds)
        if records := _least(c.records, MOST_RECORDS * c.records, do):
            found.append((records * seeds, records, seeds))
    if not found:
        return More(None, None)
    _, records, seeds = min(found)
    return More(_extra(records, c.records), _extra(seeds, c.seeds), together=True)


def _none_differ(records: int, margin: float) -> int | None:
    """Records until "none of n differs" bounds the difference by the margin."""
    if margin <= 0 or hidden_share(records) <= margin:
        return None
    return _extra(int(np.ceil(np.log(0.025) / np.log(1 - margin))), records)


def _least(low: int, high: int, good: Callable[[int], bool]) -> int | None:
    """The smallest number that is good; once one is, so are all above it."""
    at = low + bisect_left(range(low, high + 1), True, key=good)
    return at if at <= high else None


def _extra(wanted: int | None, had: int) -> int | None:
    """At least one more, rounded up to two digits: the estimate knows no better."""
    if wanted is None:
        return None
    more = max(int(wanted) - had, 1)
    size = 10 ** max(len(str(more)) - 2, 0)
    return -(-more // size) * size


def _reach(tests: int) -> float:
    from scipy import stats

    return float(stats.norm.ppf(1 - ALPHA / tests / 2) + stats.norm.ppf(POWER))

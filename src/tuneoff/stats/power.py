"""What a test set can show, before and after it was used.

For 0/1 scores of two arms on the same n records, of which a share q is answered differently, the variance of a
difference D is (q - D^2) / n, and D is seen with 80 % power at 5 % when D >= (1.96 + 0.84) x its standard error:

    D = 2.80 sqrt(q / (n + 2.80^2))        n = 150, q = 0.2: 10 points        n = 1,000: 4 points

After a comparison, the measured variances of records and seeds say how many more of either would settle it.
"""

from typing import NamedTuple

import numpy as np

from tuneoff.stats.crossed import Components, half_width, spread
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
    """The smallest difference that a measured comparison would have shown with 80 % power."""
    return float(_reach(tests) * np.sqrt(spread(c).variance))


def power(diff: float, c: Components, tests: int = 1) -> float:
    """The chance that a true difference is declared, Bonferroni over `tests`: a noncentral t beyond the half width.

    The t is averaged over 1,000 quantiles of its denominator; scipy's own is not a number for large differences.
    c: the mean squares to expect, or measured ones taken as true; they must not be flat.
    """
    from scipy import stats

    s = spread(c)
    error = np.sqrt(s.variance)
    wider = stats.t.ppf(1 - ALPHA / tests / 2, s.df) / stats.t.ppf(1 - ALPHA / 2, s.df)
    shares = (np.arange(1000) + 0.5) / 1000
    beyond = wider * half_width(s) / error * np.sqrt(stats.chi2.ppf(shares, s.df) / s.df)
    shift = abs(diff) / error
    return float(np.mean(stats.norm.sf(beyond - shift) + stats.norm.cdf(-beyond - shift)))


def settle(diff: float, c: Components, margin: float, tests: int = 1) -> More:
    """How many more records, or seeds, or both, would show the difference or show that it is inside the margin.

    tests: comparisons still open, over which the error rate is shared. More(None, None): hopeless.
    """
    if c.flat:
        return More(_none_differ(c.records, margin), None)
    records_N = np.unique(np.geomspace(c.records, MOST_RECORDS * c.records, 400).astype(int))
    seeds_N = np.arange(c.seeds, MOST_SEEDS + 1)
    alone = _first(records_N, _settled(diff, c, margin, tests, records_N, c.seeds))
    if c.seeds == 1:
        return More(_extra(alone, c.records), None)
    runs = _first(seeds_N, _settled(diff, c, margin, tests, c.records, seeds_N))
    if alone is None and runs is None:
        return _together(diff, c, margin, tests, records_N, seeds_N)
    return More(_extra(alone, c.records), _extra(runs, c.seeds))


def _settled(diff: float, c: Components, margin: float, tests: int, records, seeds) -> np.ndarray:
    """Whether so many records and seeds would do, the measured variances taken as true."""
    from scipy import stats

    rest = c.ms_rest
    ms_record, ms_seed = rest + seeds * c.record, rest + records * c.seed
    cells = records * seeds
    variance = (ms_record + ms_seed - rest) / cells
    rest_df = np.maximum((records - 1) * (seeds - 1), 1)
    seed_df = np.maximum(seeds - 1, 1)
    doubt = ms_record**2 / (records - 1) + np.where(seeds > 1, ms_seed**2 / seed_df + rest**2 / rest_df, 0.0)
    df = np.maximum((variance * cells) ** 2 / doubt, 1.0)
    error = np.sqrt(variance)
    shown = error * (stats.t.ppf(1 - ALPHA / tests / 2, df) + stats.t.ppf(POWER, df)) <= abs(diff)
    equal = error * stats.t.ppf(0.975, df) <= margin - abs(diff)
    return shown | equal


def _together(diff, c, margin, tests, records_N, seeds_N) -> More:
    grid = _settled(diff, c, margin, tests, records_N[:, None], seeds_N[None, :])
    if not grid.any():
        return More(None, None)
    runs = np.where(grid, records_N[:, None] * seeds_N[None, :], np.iinfo(np.int64).max)
    row, column = np.unravel_index(runs.argmin(), runs.shape)
    return More(_extra(records_N[row], c.records), _extra(seeds_N[column], c.seeds), together=True)


def _none_differ(records: int, margin: float) -> int | None:
    """Records until "none of n differs" bounds the difference by the margin."""
    if margin <= 0 or hidden_share(records) <= margin:
        return None
    return _extra(int(np.ceil(np.log(0.025) / np.log(1 - margin))), records)


def _first(values: np.ndarray, good: np.ndarray) -> int | None:
    return int(values[good.argmax()]) if good.any() else None


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

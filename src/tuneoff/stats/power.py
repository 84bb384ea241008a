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

from tuneoff.stats.field import Parts, error_of
from tuneoff.stats.interval import hidden_share
from tuneoff.stats.many import ALPHA

__all__ = ["More", "settle", "smallest_difference", "visible"]

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
    from scipy.special import ndtri

    k = ndtri(1 - ALPHA / tests / 2) + ndtri(POWER)
    smallest = float(k * np.sqrt(disagreement / (n + k**2)))
    return smallest if smallest <= disagreement else None


def visible(parts: Parts, tests: float = 1) -> float:
    """The smallest difference that a measured comparison would have shown with 80 % power, Bonferroni over `tests`."""
    error = error_of(*parts.grown(parts.records, 0)[:2], parts.weight_M, parts.df)
    return error.reach(ALPHA / tests / 2) + error.reach(1 - POWER) if error else 0.0


def settle(diff: float, parts: Parts, margin: float, tests: float = 1) -> More:
    """How many more records, or seeds, or both, would show the difference or show that it is inside the margin, in four
    of five studies if the difference is what was measured.

    tests: comparisons still open, over which the error rate is shared. More(None, None): hopeless.
    """
    of_records, seed_M, _ = parts.grown(parts.records, 0)
    if of_records + seed_M.max() < 1e-18:
        return More(_none_differ(parts.records, margin), None)
    do = partial(_settled, diff, parts, margin, tests)
    most = MOST_RECORDS * parts.records
    alone = _least(parts.records, most, lambda records: do(records, 0))
    random = bool(parts.seeds_a or parts.seeds_b)
    runs = _least(0, MOST_SEEDS, lambda seeds: do(parts.records, seeds)) if random else None
    if alone is None and runs is None and random:
        return _together(parts, do)
    return More(_extra(alone, parts.records), _extra(runs, 0))


def _settled(diff: float, parts: Parts, margin: float, tests: float, records: int, seeds: int) -> bool:
    """Whether so many records in all and so many more seeds would do, as the parts of the variance stand now.

    What will be declared then is not known before the seeds are read again, so the share of seeds in the error counts
    with the t of the two arms' own seeds (Howe, JASA 1974): more cautious than the comparison itself.
    """
    from scipy.special import ndtr, ndtri, stdtrit

    of_records, seed_M, df = parts.grown(records, seeds)
    error_M = np.sqrt(of_records + seed_M)

    def chance(size: float, tail: float) -> float:
        """That an error stays below size by what is needed to declare it."""
        t = stdtrit(df, 1 - tail) if df else ndtri(1 - tail)
        needed_M = np.sqrt(of_records * ndtri(1 - tail) ** 2 + seed_M * t**2)
        return float(parts.weight_M @ ndtr((size - needed_M) / error_M))

    equal = chance(margin - abs(diff), ALPHA) - (1 - chance(margin + abs(diff), ALPHA))
    return chance(abs(diff), ALPHA / tests / 2) >= POWER or equal >= POWER


def _together(parts: Parts, do: Callable[[int, int], bool]) -> More:
    """The records and seeds that cost the fewest answers."""
    had, most = max(parts.seeds_a, parts.seeds_b), MOST_RECORDS * parts.records
    tried = [(seeds, _least(parts.records, most, partial(_swapped, do, seeds))) for seeds in range(1, MOST_SEEDS + 1)]
    found = [(records * (had + seeds), records, seeds) for seeds, records in tried if records]
    if not found:
        return More(None, None)
    _, records, seeds = min(found)
    return More(_extra(records, parts.records), seeds, together=True)


def _swapped(do: Callable[[int, int], bool], seeds: int, records: int) -> bool:
    return do(records, seeds)


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

"""One arm minus another on the same records.

d[record, seed] = a[record, seed] - b[record, seed]; where one arm has a single column (it has no randomness, or only
one seed was run) that column is subtracted from every seed of the other. Records that are hard for both cancel out,
which is why pairing needs about a third of the records that two separate intervals would (two arms that agree on
85 % of the records: variance 0.15 rather than 0.45).

R records, S seeds.
"""

from typing import NamedTuple

import numpy as np

from tuneoff.stats.crossed import UNKNOWN, Components, Seeds, components, p_value, raised, spread
from tuneoff.stats.interval import around, exact

__all__ = ["Paired", "differences", "judged", "paired"]


class Paired(NamedTuple):
    """diff: mean of a - b. low, high: 95 %. p: two-sided, that the true difference is 0."""

    diff: float
    low: float
    high: float
    p: float
    components: Components


def differences(a_RS: np.ndarray, b_RS: np.ndarray) -> np.ndarray:
    """a - b by record and seed; seeds must be equal in number, or one of the two has one column."""
    if a_RS.shape[0] != b_RS.shape[0]:
        raise ValueError(f"records do not pair: {a_RS.shape[0]} and {b_RS.shape[0]}")
    if a_RS.shape[1] != b_RS.shape[1] and 1 not in (a_RS.shape[1], b_RS.shape[1]):
        raise ValueError(f"seeds do not pair: {a_RS.shape[1]} and {b_RS.shape[1]}")
    return np.asarray(a_RS, dtype=float) - np.asarray(b_RS, dtype=float)


def paired(d_RS: np.ndarray, span: float = 1.0, floor: Seeds = UNKNOWN) -> Paired:
    """Test whether differences d are 0 on average. span: the largest difference that a record can show.

    floor: what seeds add to the variance of the mean at the least, known from other arms too.
    """
    if len(d_RS) < 2:
        _, low, high = exact(float(d_RS.mean()), len(d_RS), (-span, span))
        return Paired(float(d_RS.mean()), low, high, 1.0, Components(len(d_RS), d_RS.shape[1], 0.0, 0.0, 0.0))
    return judged(float(d_RS.mean()), raised(components(d_RS), floor), span)


def judged(diff: float, c: Components, span: float = 1.0) -> Paired:
    """The same from mean squares, however they were found."""
    _, low, high = around(diff, c, (-span, span))
    return Paired(diff, low, high, _p(diff, c), c)


def _p(diff: float, c: Components) -> float:
    """Student's t; where nothing varies, the sign test over records."""
    if c.flat:
        return 1.0 if diff == 0 else min(1.0, 2 * 0.5**c.records)
    return p_value(diff, spread(c))

"""Two arms compared record by record, with a right to look after every record.

A gambler who starts with 1 bets before each record that the mean of d is above m, and cannot gain on average where it
is not: whoever turns 1 into 2/alpha at any time has shown it, at error rate alpha/2 over all times together (Ville
1939). With differences d in [-1, 1] and a share b of the capital at stake, the "grid Kelly" capital of Waudby-Smith
and Ramdas (Estimating means of bounded random variables by betting, JRSS B 2023, section 5) against a mean of m is

    K_n(m) = mean over b of  prod of (1 + b (d_i - m) / (1 + m)), i = 1..n        b = 1/16, 3/16 ... 15/16

and the same on -d for the other side. Bets are fixed, so nothing has to be estimated from the records before; K falls
in m, so all m that were ever rejected lie below one bound.

    one arm right alone on every third record, the other never, alpha 0.05     ->     separated at the 8th of these

Found among 128 records at alpha 0.05, in 2,000 trials each; "predictable" are that paper's plug-in bets, cut at 1/2 and
at 3/4, "Bernstein" is its empirical Bernstein bound:

    difference, disagreement     10, 10 points     10, 20     20, 30
    fixed bets                        95 %          43 %       94 %
    predictable                  84 and 95 %   41 and 40 %  94 and 90 %
    Bernstein                          8 %           9 %       79 %

N records, G bets, M candidate means.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["Sequence", "confidence_sequence", "separated"]

BETS_G = (np.arange(8) + 0.5) / 8
STEP = 0.005
"bounds are multiples of it, rounded outwards"
FULL = 700.0
"the logarithm of a capital is cut here, before exp overflows"


class Sequence(NamedTuple):
    """low_N, high_N: bounds of the mean after each record; all of them hold at once with probability 1 - alpha."""

    low_N: np.ndarray
    high_N: np.ndarray


def separated(d_N: np.ndarray, alpha: float) -> int:
    """Whether the mean of d is shown to be above 0 (+1) or below it (-1) after any of the first n records; else 0.

    d_N: paired differences in [-1, 1], in an order that does not depend on them. alpha: chance of a false answer,
    however often one looks. Records that show both, which equal ones hardly ever do, show nothing. Raises ValueError
    for differences that are not in [-1, 1].
    """
    d_N = _differences(d_N)
    bar = 2 / alpha
    return int((_capital(d_N) >= bar).any()) - int((_capital(-d_N) >= bar).any())


def confidence_sequence(d_N: np.ndarray, alpha: float) -> Sequence:
    """Bounds of the mean of d after each record, each at least as tight as the one before.

    separated(d_N, alpha) is +1 where the last low is at least 0. Raises ValueError as there.
    """
    d_N = _differences(d_N)
    return Sequence(_low(d_N, alpha), -_low(-d_N, alpha))


def _capital(d_N: np.ndarray) -> np.ndarray:
    """K_n(0) after each record."""
    log_GN = np.log1p(BETS_G[:, None] * d_N).cumsum(axis=1)
    return np.exp(np.minimum(log_GN, FULL)).mean(axis=0)


def _low(d_N: np.ndarray, alpha: float) -> np.ndarray:
    """The largest candidate mean that was rejected so far; -1 where none was."""
    mean_M = np.arange(-1 + STEP, 1, STEP).round(6)
    odds_MN = (1 + d_N) / (1 + mean_M)[:, None]
    capital_MN = np.zeros(odds_MN.shape)
    for bet in BETS_G:
        log_MN = np.log1p(bet * (odds_MN - 1)).cumsum(axis=1)
        capital_MN += np.exp(np.minimum(log_MN, FULL)) / len(BETS_G)
    rejected_MN = np.logical_or.accumulate(capital_MN >= 2 / alpha, axis=1)
    return np.where(rejected_MN, mean_M[:, None], -1.0).max(axis=0, initial=-1.0)


def _differences(d_N: np.ndarray) -> np.ndarray:
    d_N = np.asarray(d_N, dtype=float)
    if d_N.ndim != 1 or not (np.abs(d_N) <= 1).all():
        raise ValueError("a sequence of differences is one number a record, each in [-1, 1]")
    return d_N

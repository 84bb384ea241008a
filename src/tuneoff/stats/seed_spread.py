"""How much a run's mean moves from one seed to the next, learned from all arms of a study together.

Three seeds of one arm tell little: the variance of three numbers is wrong by a factor of 2 in every third study. So
the arms are read together. For an arm with S seeds on n records the analysis of variance gives

    F = MS_seed / MS_rest,   which falls like  (1 + L) x chi-squared(S - 1) / (S - 1),   L = n s^2 / MS_rest

with s the standard deviation of a run's true mean. L, and not s, is what arms have in common: an arm at 62 % moves more
points than one at 80 %. What is believed of the arms' L before F is seen:

    the common L is 0 (probability 0.5), or anything from 0.6 to 3,000, each factor of e as likely as the next
    each arm has it, or is odd (probability 0.1 or 0.4): its L is 20 to 55 times as large, and its s 4.5 to 7.4 times

and a test averages over what is left of that once every F is seen, rather than taking one estimate for the truth. Two
arms that share what is known of the common L share its uncertainty too. The numbers were chosen by simulation, as the
best power found among those that keep the error rate (benchmarks/judge.py, docs/verdict.md, docs/log.md).

A arms, U values of L, H hypotheses on the common L and on how many arms are odd.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

__all__ = ["MeanSquares", "SeedSpread", "mean_squares"]

NONE = 0.5  # probability that seeds move no arm
ODD = (0.1, 0.4)  # share of arms that move more than the others; each is as likely
ODD_FROM, ODD_TO = 3.0, 4.0  # log of how much more
LEAST = 1e-100  # likelihood: a run that broke down explains nothing, and 0 / 0 is not a number
SAME = 1e-20  # mean squares below it are rounding
COMMON_FROM, COMMON_TO, STEP = -0.5, 8.0, 0.5  # log L of the common spread


class MeanSquares(NamedTuple):
    """Of one arm's x[record, seed]. seed_df: seeds - 1; 0: one column only, which tells nothing of seeds."""

    rest: float
    seed: float
    seed_df: int


def mean_squares(x_RS: np.ndarray) -> MeanSquares:
    """Those of a matrix (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4)."""
    records, seeds = x_RS.shape
    if seeds == 1:
        return MeanSquares(0.0, 0.0, 0)
    column_S = x_RS.mean(axis=0)
    left_RS = x_RS - column_S
    left_RS = left_RS - left_RS.mean(axis=1, keepdims=True)
    rest = np.square(left_RS).sum() / (max(records - 1, 1) * (seeds - 1))
    rest = float(rest) if rest > SAME else 0.0
    return MeanSquares(rest, float(records * column_S.var(ddof=1)), seeds - 1)


class SeedSpread:
    """What is known of L for each of a group of arms, given all their mean squares."""

    def __init__(self, arms: Mapping[str, MeanSquares]):
        self.values_U, self.given_HU, before_H = _beliefs()
        self.likely = {name: _likelihood(own, self.values_U) for name, own in arms.items()}
        self.total = {name: self.given_HU @ likely_U for name, likely_U in self.likely.items()}
        log_H = np.log(before_H) + sum(np.log(total_H) for total_H in self.total.values())
        share_H = np.exp(log_H - log_H.max())
        self.share_H = share_H / share_H.sum()

    def of(self, arm: str) -> np.ndarray:
        """[U] probabilities of the arm's L."""
        return (self.share_H / self.total[arm]) @ self.given_HU * self.likely[arm]

    def of_both(self, a: str, b: str) -> np.ndarray:
        """[U, U] probabilities of the two arms' L, which are not independent: both lean on the common one."""
        weight_H = self.share_H / (self.total[a] * self.total[b])
        return (self.given_HU * weight_H[:, None]).T @ self.given_HU * self.likely[a][:, None] * self.likely[b]

    def draw(self, rng: np.random.Generator, arms: list[str], count: int) -> np.ndarray:
        """[count, A] values of L, drawn together."""
        picked_N = rng.choice(len(self.share_H), size=count, p=self.share_H)
        return np.stack([self._drawn(rng, name, picked_N) for name in arms], axis=1)

    def _drawn(self, rng: np.random.Generator, arm: str, picked_N: np.ndarray) -> np.ndarray:
        """An L for each picked hypothesis, found in all cumulated probabilities laid end to end."""
        share_HU = self.given_HU * self.likely[arm] / self.total[arm][:, None]
        upto_HU = np.minimum(share_HU.cumsum(axis=1), 1.0) + np.arange(len(share_HU))[:, None]
        at_N = np.searchsorted(upto_HU.ravel(), picked_N + rng.random(len(picked_N)))
        return self.values_U[np.minimum(at_N - picked_N * len(self.values_U), len(self.values_U) - 1)]


def _likelihood(arm: MeanSquares, values_U: np.ndarray) -> np.ndarray:
    """How well each L explains the arm's F, up to a factor; flat where it has none."""
    if not arm.seed_df or arm.rest <= 0:
        return np.ones(len(values_U))
    log_U = -arm.seed_df / 2 * (np.log1p(values_U) + arm.seed / arm.rest / (1 + values_U))
    return np.maximum(np.exp(log_U - log_U.max()), LEAST)


@cache
def _beliefs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """values_U of L; [H, U] an arm's probabilities under each hypothesis; [H] those of the hypotheses."""
    log_U = np.arange(COMMON_FROM, COMMON_TO + ODD_TO + STEP / 2, STEP)
    common = log_U[log_U <= COMMON_TO + STEP / 2]
    given, before = [], []
    for odd in ODD:
        given += [_arm(log_U, None, odd), *(_arm(log_U, each, odd) for each in common)]
        before += [NONE, *[(1 - NONE) / len(common)] * len(common)]
    return np.concatenate([[0.0], np.exp(log_U)]), np.array(given), np.array(before) / len(ODD)


def _arm(log_U: np.ndarray, common: float | None, odd: float) -> np.ndarray:
    """An arm's probabilities of 0 and of each L. Where the common one is 0, the odd ones stand above the smallest."""
    base = COMMON_FROM if common is None else common
    more_U = (log_U >= base + ODD_FROM - STEP / 2) & (log_U <= base + ODD_TO + STEP / 2)
    own_U = odd * more_U / more_U.sum()
    if common is None:
        return np.concatenate([[1 - odd], own_U])
    return np.concatenate([[0.0], own_U + (1 - odd) * (np.abs(log_U - common) < STEP / 2)])

"""All arms of a comparison with what is known of their variances: the error of each difference, and of all together.

The variance of a mean difference has two parts. Records: the variance of the paired differences of row means, over n.
Seeds: s_a^2 / S_a + s_b^2 / S_b, with what is known of s from all arms together (seed_spread.py). The error of a
difference is the mixture of Student's t that this leaves (student.py); intervals, p and equivalence are read off it.

R records, S seeds, K arms, A random arms, N draws, M parts of a mixture.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

import numpy as np

from tuneoff.stats.interval import Bounds, Interval, exact, hidden_share, score_interval
from tuneoff.stats.seed_spread import MeanSquares, SeedSpread, mean_squares
from tuneoff.stats.student import Error

__all__ = ["Contrast", "Field", "Parts", "error_of"]

DRAWS = 4000


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the variance of a - b comes from.

    records, seeds_a, seeds_b: as measured; 0 seeds where the arm is not random. between: variance of a record's
    difference that more seeds do not average away. rest_a, rest_b: of one run, what they do. df: of the part that comes
    from records. seed_M, weight_M: what seeds add to the variance of the difference, and its probabilities.
    """

    records: int
    seeds_a: int
    seeds_b: int
    between: float
    rest_a: float
    rest_b: float
    df: float
    seed_M: np.ndarray = field(repr=False, compare=False)
    weight_M: np.ndarray = field(repr=False, compare=False)

    def grown(self, records: int, seeds: int) -> tuple[float, np.ndarray, int]:
        """With so many records in all and so many more seeds: what records and what seeds add to the variance of the
        difference, and the degrees of freedom that the two arms' own seeds would have (0: they have none)."""
        runs = [own + seeds if own else 1 for own in (self.seeds_a, self.seeds_b)]
        of_records = (self.between + self.rest_a / runs[0] + self.rest_b / runs[1]) / records
        had = max(self.seeds_a, self.seeds_b)
        df = sum(own + seeds - 1 for own in (self.seeds_a, self.seeds_b) if own)
        return of_records, self.seed_M * (had / (had + seeds) if had else 1.0), df


class Contrast(NamedTuple):
    """a minus b. low, high, p: two-sided at alpha, for this pair alone. p_equal: that the difference is not inside the
    margin. p_adjusted and decision (different, practically_equal or open): over all contrasts reported."""

    a: str
    b: str
    diff: float
    low: float
    high: float
    p: float
    p_equal: float
    parts: Parts
    p_adjusted: float = 1.0
    decision: str = "open"


class Field:
    """All arms with what is known of their variances.

    arms: [R, S] by name. deterministic: those without seeds. groups: by name, whose seeds may be alike. alpha: error
    rate. margin: differences inside it do not matter. bounds: of a mean.
    """

    def __init__(
        self,
        arms: Mapping[str, np.ndarray],
        deterministic: Collection[str],
        groups: Mapping[str, str],
        alpha: float,
        margin: float,
        bounds: Bounds,
    ):
        self.alpha, self.margin, self.bounds = alpha, margin, bounds
        self.names, self.runs = list(arms), {name: x_RS.shape[1] for name, x_RS in arms.items()}
        self.row_KR = np.stack([x_RS.mean(axis=1) for x_RS in arms.values()])
        self.records = self.row_KR.shape[1]
        self.mean = dict(zip(self.names, self.row_KR.mean(axis=1).tolist()))
        cov_KK = _covariance(self.row_KR)
        self.covariance_KK = cov_KK / self.records
        squares = {name: mean_squares(x_RS) for name, x_RS in arms.items() if name not in deterministic}
        self.group = {name: groups.get(name, "") for name in squares}
        several = {self.group[name] for name, own in squares.items() if own.seed_df}
        self.unknown = {name for name in squares if self.group[name] not in several}
        self.squares = _filled(squares, self.group, dict(zip(self.names, cov_KK.diagonal())))
        self.spreads = {each: SeedSpread(self._members(each)) for each in sorted(several)}
        self.errors: dict[frozenset, Error | None] = {}

    def _members(self, group: str) -> dict[str, MeanSquares]:
        return {name: own for name, own in self.squares.items() if self.group[name] == group}

    def _random(self, name: str) -> bool:
        return name in self.squares and name not in self.unknown

    def _per_L(self, name: str) -> float:
        """What one unit of L adds to the variance of the arm's mean."""
        return self.squares[name].rest / (self.records * self.runs[name]) if self._random(name) else 0.0

    def _chances(self, *arms: str) -> tuple[np.ndarray, np.ndarray]:
        """What seeds add to the variance of a mean, or of a difference of two, and the probabilities of that."""
        known = [name for name in arms if self._random(name)]
        if not known:
            return np.zeros(1), np.ones(1)
        values = [self._per_L(name) * self._spread(name).values_U for name in known]
        if len(known) == 1:
            return values[0], self._spread(known[0]).of(known[0])
        if self.group[known[0]] == self.group[known[1]]:
            both_UU = self._spread(known[0]).of_both(*known)
        else:
            both_UU = np.outer(*(self._spread(name).of(name) for name in known))
        return np.add.outer(*values).ravel(), both_UU.ravel()

    def _spread(self, name: str) -> SeedSpread:
        return self.spreads[self.group[name]]

    def error(self, a: str, b: str) -> Error | None:
        """Of the difference of two means; None where all records show the same."""
        key = frozenset((a, b))
        if key not in self.errors:
            d_R = self._row(a) - self._row(b)
            self.errors[key] = error_of(self._of_records(d_R), *self._chances(a, b), df=_df(d_R))
        return self.errors[key]

    def _of_records(self, x_R: np.ndarray) -> float:
        """What records add to the variance of the mean of x; one record alone cannot tell."""
        return float(x_R.var(ddof=1)) / self.records if self.records > 1 else 0.0

    def _row(self, name: str) -> np.ndarray:
        return self.row_KR[self.names.index(name)]

    def interval(self, name: str) -> Interval:
        """An arm's mean with its interval, inside the bounds."""
        error = error_of(self._of_records(self._row(name)), *self._chances(name), df=self.records - 1)
        if error is None:
            return exact(self.mean[name], self.records, self.bounds)
        return score_interval(self.mean[name], error.reach(self.alpha / 2), self.bounds)

    def contrast(self, a: str, b: str) -> Contrast:
        """One pair, taken alone."""
        diff, error, span = self.mean[a] - self.mean[b], self.error(a, b), self.bounds[1] - self.bounds[0]
        if error is None:
            half = hidden_share(self.records) * span
            p = 1.0 if abs(diff) < 1e-12 else min(1.0, 2 * 0.5**self.records)
            p_equal = float(half + abs(diff) > self.margin)
        else:
            half = error.reach(self.alpha / 2)
            p = min(1.0, 2 * error.beyond(abs(diff)))
            p_equal = error.beyond(self.margin - abs(diff))
        return Contrast(a, b, diff, max(diff - half, -span), min(diff + half, span), p, p_equal, self._parts(a, b))

    def _parts(self, a: str, b: str) -> Parts:
        rest = {name: self.squares[name].rest if name in self.squares else 0.0 for name in (a, b)}
        seeds = [self.runs[name] if self._random(name) else 0 for name in (a, b)]
        d_R = self._row(a) - self._row(b)
        of_rest = sum(rest[name] / self.runs[name] for name in (a, b))
        between = max(self.records * self._of_records(d_R) - of_rest, 0.0)
        return Parts(self.records, *seeds, between, rest[a], rest[b], _df(d_R), *self._chances(a, b))

    def not_best(self, names: Sequence[str]) -> dict[str, float]:
        """For each arm, how likely the lead of its strongest rival would be if the arm were the best."""
        lead_KK = np.array([[self.mean[j] - self.mean[i] for j in names] for i in names])
        reach_KK, error_NK = self._reaches(names), self._draws(names)
        found = {}
        for i, name in enumerate(names):
            alike = reach_KK[i] <= 0  # the arm itself too
            luck_NK = (error_NK[:, ~alike] - error_NK[:, [i]]) / reach_KK[i, ~alike]
            chance = _tail(luck_NK, lead_KK[i, ~alike] / reach_KK[i, ~alike], self.alpha)
            if lead_KK[i, alike].max() > 1e-12:
                chance = min(chance, 0.5**self.records)  # ahead on every record: the sign test
            found[name] = chance
        return found

    def _reaches(self, names: Sequence[str]) -> np.ndarray:
        """[K, K] the lead that luck gives one arm over another with probability alpha."""
        reach_KK = np.zeros((len(names), len(names)))
        for i, j in combinations(range(len(names)), 2):
            error = self.error(names[i], names[j])
            reach_KK[i, j] = reach_KK[j, i] = error.reach(self.alpha) if error else 0.0
        return reach_KK

    def _draws(self, names: Sequence[str]) -> np.ndarray:
        """[N, K] errors of all means together."""
        rng = np.random.default_rng(0)
        order = [self.names.index(name) for name in names]
        value_K, vector_KK = np.linalg.eigh(self.covariance_KK[np.ix_(order, order)])
        root_KK = vector_KK * np.sqrt(np.maximum(value_K, 0.0))
        error_NK = rng.standard_normal((DRAWS, len(names))) @ root_KK.T
        for group, spread in self.spreads.items():
            inside = [name for name in names if name in self.squares and self.group[name] == group]
            variance_NA = spread.draw(rng, inside, DRAWS) * np.array([self._per_L(name) for name in inside])
            places = [names.index(name) for name in inside]
            error_NK[:, places] += np.sqrt(variance_NA) * rng.standard_normal(variance_NA.shape)
        return error_NK


def error_of(of_records: float, of_seeds_M: np.ndarray, share_M: np.ndarray, df: float) -> Error | None:
    """None where nothing varies at all."""
    if of_records + of_seeds_M.max() < 1e-18:
        return None
    return Error(of_records + of_seeds_M, share_M, of_records, df)


def _covariance(row_KR: np.ndarray) -> np.ndarray:
    """[K, K] over records, of one record 0."""
    if row_KR.shape[1] < 2:
        return np.zeros((len(row_KR), len(row_KR)))
    return np.atleast_2d(np.cov(row_KR))


def _tail(luck_NK: np.ndarray, leads_K: np.ndarray, alpha: float) -> float:
    """How likely the largest of these leads is, in reaches. Luck of one rival alone is beyond 1 reach with probability
    alpha by definition; the draws say how much more the best of all of them reaches."""
    if not len(leads_K) or leads_K.max() <= 0:
        return 1.0
    one = np.quantile(luck_NK, 1 - alpha, axis=0).max()
    return float((1 + (luck_NK.max(axis=1) >= leads_K.max() * one).sum()) / (1 + len(luck_NK)))


def _df(d_R: np.ndarray) -> float:
    """Degrees of freedom of the variance of differences: twice the records that differ, less 1, where these are 0/1
    scores of one seed, since those that agree tell little of it."""
    fourth = np.square(np.square(d_R)).sum()
    return max(2 * float(np.square(d_R).sum() ** 2 / fourth) - 1, 1.0) if fourth > 0 else 1.0


def _filled(
    squares: Mapping[str, MeanSquares], group: Mapping[str, str], variance: Mapping[str, float]
) -> dict[str, MeanSquares]:
    """An arm of one column gets MS_rest as large, beside the variance over its records, as its group's."""
    found = dict(squares)
    for name, own in squares.items():
        peers = [each for each in squares if group[each] == group[name] and squares[each].seed_df]
        if own.seed_df or not peers:
            continue
        whole = sum(variance[each] + squares[each].rest * (1 - 1 / (squares[each].seed_df + 1)) for each in peers)
        share = sum(squares[each].rest for each in peers) / whole if whole else 0.0
        found[name] = own._replace(rest=float(share * variance[name]))
    return found

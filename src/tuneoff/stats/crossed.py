"""Two-way random effects: records and seeds are both samples, so both count in how sure a mean is.

A matrix x[record, seed] is modelled as mean + record + seed + rest, one cell each (Searle, Casella & McCulloch,
Variance Components, 1992, chapter 4). With R records, S seeds and the mean squares of the analysis of variance

    variance of the mean = (MS_record + MS_seed - MS_rest) / (R S)

Mean squares are noisy, so that difference can come out too small, even negative. Here the two parts are floored:

    V_record = max(MS_record, MS_rest) / (R S)       V_seed = max(MS_seed - MS_rest, 0) / (R S)
    df       = V^2 / sum of (MS / (R S))^2 / df_MS   with V their sum (Satterthwaite, Biometrics 1946)

With 3 seeds MS_seed is small by luck now and then, V with it, and df is then overestimated too. So the half width of
a 95 % interval is the wider of Satterthwaite's and the one that gives each part its own t (Howe, JASA 1974):

    half width = max(t(df) sqrt(V), sqrt(t(R-1)^2 V_record + t(S-1)^2 V_seed))          p = 0.05 where it ends
    p          = that of t(df) for  t(0.975, df) x difference / half width

Two arms are compared with more than the luck of their own few seeds: what one seed adds is pooled over all arms of a
kind (K arms of S seeds know it with K (S - 1) degrees of freedom), and a pair's V_seed is at least what that says.
Without it Holm's correction over many pairs asks for tails that three seeds do not have. Figures: benchmarks/judge.py,
docs/verdict.md.

R records, S seeds.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

__all__ = [
    "UNKNOWN",
    "Components",
    "Seeds",
    "Spread",
    "components",
    "half_width",
    "p_value",
    "pooled_seeds",
    "raised",
    "spread",
]


class Spread(NamedTuple):
    """variance: of the mean over records and seeds. df: Satterthwaite's degrees of freedom.

    seed: the part of the variance that comes from seeds. record_df, seed_df: degrees of freedom of the two parts.
    """

    variance: float
    df: float
    seed: float
    record_df: float
    seed_df: float


class Seeds(NamedTuple):
    """What seeds add to the variance of a mean, and how well that is known."""

    variance: float
    df: float

    def times(self, factor: float) -> "Seeds":
        """So many times the variance."""
        return self._replace(variance=factor * self.variance)


UNKNOWN = Seeds(0.0, 0.0)


class Components(NamedTuple):
    """The mean squares of x[record, seed]. With one seed only ms_record is known, and the others are 0.

    pooled_df: the degrees of freedom of ms_seed where it was raised to what other arms say; 0: seeds - 1.
    """

    records: int
    seeds: int
    ms_record: float
    ms_seed: float
    ms_rest: float
    pooled_df: float = 0.0

    @property
    def seed_df(self) -> float:
        """Degrees of freedom of ms_seed."""
        return self.pooled_df or self.seeds - 1

    @property
    def record(self) -> float:
        """Variance between records."""
        return max(self.ms_record - self.ms_rest, 0.0) / self.seeds

    @property
    def seed(self) -> float:
        """Variance between seeds."""
        return max(self.ms_seed - self.ms_rest, 0.0) / self.records

    @property
    def flat(self) -> bool:
        """Whether nothing varies at all, so that no t interval exists."""
        return max(self.ms_record, self.ms_seed, self.ms_rest) < 1e-18


def components(x_RS: np.ndarray) -> Components:
    """Mean squares of a matrix with at least 2 records; a vector counts as one seed.

    Raises ValueError where there are fewer than 2 records.
    """
    x_RS = _matrix(x_RS)
    records, seeds = x_RS.shape
    if records < 2:
        raise ValueError("an analysis of variance needs at least 2 records")
    mean, row_R, column_S = x_RS.mean(), x_RS.mean(axis=1), x_RS.mean(axis=0)
    ms_record = seeds * np.square(row_R - mean).sum() / (records - 1)
    if seeds == 1:
        return Components(records, 1, float(ms_record), 0.0, 0.0)
    ms_seed = records * np.square(column_S - mean).sum() / (seeds - 1)
    rest_RS = x_RS - row_R[:, None] - column_S[None, :] + mean
    ms_rest = np.square(rest_RS).sum() / ((records - 1) * (seeds - 1))
    return Components(records, seeds, float(ms_record), float(ms_seed), float(ms_rest))


def pooled_seeds(arms: Iterable[Components]) -> Seeds:
    """What one seed adds to a run's mean, over arms of one kind; those with one seed say nothing. df 0: unknown."""
    known = [(c.seed_df, (c.ms_seed - c.ms_rest) / c.records) for c in arms if c.seeds > 1]
    df = sum(own for own, _ in known)
    return Seeds(max(sum(own * each for own, each in known) / df, 0.0) if df else 0.0, df)


def raised(c: Components, floor: Seeds) -> Components:
    """The same mean squares, its seeds adding no less to the variance of the mean than `floor`."""
    least = c.ms_rest + floor.variance * c.records * c.seeds
    return c._replace(ms_seed=least, pooled_df=floor.df) if floor.df and least > c.ms_seed else c


def spread(c: Components) -> Spread:
    """Variance of the mean and its degrees of freedom."""
    cells = c.records * c.seeds
    seed = max(c.ms_seed - c.ms_rest, 0.0) / cells
    variance = max(c.ms_record, c.ms_rest) / cells + seed
    parts = [(c.ms_record, c.records - 1), (c.ms_seed, c.seed_df), (c.ms_rest, (c.records - 1) * (c.seeds - 1))]
    doubt = sum((square / cells) ** 2 / df for square, df in parts if df)
    df = max(variance**2 / doubt, 1.0) if doubt else float(c.records - 1)
    return Spread(variance, df, seed, c.records - 1, max(c.seed_df, 1))


def half_width(s: Spread) -> float:
    """Half of the 95 % interval: the wider of Satterthwaite's and Howe's."""
    from scipy.special import stdtrit

    howe = (s.variance - s.seed) * stdtrit(s.record_df, 0.975) ** 2 + s.seed * stdtrit(s.seed_df, 0.975) ** 2
    return float(np.sqrt(max(s.variance * stdtrit(s.df, 0.975) ** 2, howe)))


def p_value(diff: float, s: Spread) -> float:
    """Two-sided, that the mean is 0: below 0.05 where the interval leaves out 0."""
    from scipy.special import stdtr, stdtrit

    return float(2 * stdtr(s.df, -stdtrit(s.df, 0.975) * abs(diff) / half_width(s)))


def _matrix(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=float)
    return x[:, None] if x.ndim == 1 else x

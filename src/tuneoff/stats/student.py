"""The error of a difference whose variance is known only as a list of chances: a mixture of Student's t.

    variance 1 with probability 0.8, 9 with probability 0.2    ->    95 % of errors lie within 3.5, not 2.0 or 5.9

M parts of the mixture.
"""

import numpy as np

__all__ = ["Error"]

LEAST = 1e-7  # parts of less weight are left out


class Error:
    """Symmetric around 0. variance_M with weight_M, which sums to 1; the first `sure` of a variance has `df` degrees of
    freedom and the rest none of its own (Satterthwaite)."""

    def __init__(self, variance_M: np.ndarray, weight_M: np.ndarray, sure: float, df: float):
        kept = weight_M > LEAST
        self.variance_M, weight_M = variance_M[kept], weight_M[kept]
        self.weight_M = weight_M / weight_M.sum()
        self.df_M = df * (self.variance_M / sure) ** 2 if sure else np.full(len(self.variance_M), np.inf)

    @property
    def variance(self) -> float:
        """On average."""
        return float(self.weight_M @ self.variance_M)

    def beyond(self, size: float) -> float:
        """The chance that the error is above `size`."""
        from scipy.special import stdtr

        deviation_M = np.sqrt(self.variance_M)
        sure = np.where(deviation_M > 0, deviation_M, 1.0)
        tail_M = stdtr(np.minimum(self.df_M, 1e9), -size / sure)
        return float(self.weight_M @ np.where(deviation_M > 0, tail_M, 0.5 * (size == 0) + 1.0 * (size < 0)))

    def reach(self, chance: float) -> float:
        """The size that the error is above with this chance, at most 0.5."""
        from scipy.optimize import brentq
        from scipy.special import stdtrit

        size_M = np.sqrt(self.variance_M) * -stdtrit(np.minimum(self.df_M, 1e9), chance)
        low, high = float(size_M.min()), float(size_M.max())
        if high - low < 1e-12:
            return high
        return float(brentq(lambda size: self.beyond(size) - chance, low * (1 - 1e-9), high * (1 + 1e-9), rtol=1e-4))

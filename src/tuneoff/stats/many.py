"""Several tests at once: Holm's step-down correction (Scandinavian Journal of Statistics 1979).

p = 0.01, 0.04, 0.03   ->   0.03, 0.06, 0.06      none of three is declared by luck in more than 5 % of studies
"""

import numpy as np

__all__ = ["ALPHA", "holm"]

ALPHA = 0.05


def holm(p_N: np.ndarray) -> np.ndarray:
    """Corrected p values, in the order given. An empty list stays empty."""
    from statsmodels.stats.multitest import multipletests

    p_N = np.asarray(p_N, dtype=float)
    return multipletests(p_N, alpha=ALPHA, method="holm")[1] if len(p_N) else p_N

"""A figure that is no mean over records, such as macro F1, as one number a record whose mean it is.

    pseudo value of record i = n f - (n - 1) f without i          (Quenouille 1956; Tukey 1958)

moved so that their mean is f itself. They are compared like the scores of a metric that is a mean: their variance over
records, over n, is the jackknife's variance of f (Efron & Stein, Annals of Statistics 1981).

R records, S seeds, K statistics of a record.
"""

from collections.abc import Callable

import numpy as np

__all__ = ["pseudo_values"]


def pseudo_values(rows_RSK: np.ndarray, pool: Callable[[np.ndarray], float]) -> np.ndarray:
    """[R, S] of each seed's figure. One record alone is the figure itself."""
    return np.stack([_of_one_seed(rows_RSK[:, seed], pool) for seed in range(rows_RSK.shape[1])], axis=1)


def _of_one_seed(rows_RK: np.ndarray, pool: Callable[[np.ndarray], float]) -> np.ndarray:
    whole, records = pool(rows_RK), len(rows_RK)
    if records < 2:
        return np.array([whole])
    without_R = np.array([pool(np.delete(rows_RK, at, axis=0)) for at in range(records)])
    return whole - (records - 1) * (without_R - without_R.mean())

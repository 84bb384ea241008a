"""One saved artifact against another on the same records, where no seed is left to chance.

    exact McNemar        0/1 scores: of the records that one alone has right, each is as likely to be either's
                         (McNemar, Psychometrika 1947; the binomial test, two-sided)
    permutation          other scores: the sign of each record's difference is as likely to be either (Fisher 1935)

R records.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["ArtifactContrast", "artifact_contrast"]

FLIPS = 2000


class ArtifactContrast(NamedTuple):
    """a minus b as saved. p: exact, two-sided. a_only / b_only: records on which the one scores more than the other."""

    a: str
    b: str
    diff: float
    p: float
    a_only: int
    b_only: int


def artifact_contrast(a: str, b: str, a_R: np.ndarray, b_R: np.ndarray) -> ArtifactContrast:
    """The scores of two saved files on the same records."""
    d_R = np.asarray(a_R, dtype=float) - np.asarray(b_R, dtype=float)
    more, less = int((d_R > 0).sum()), int((d_R < 0).sum())
    return ArtifactContrast(a, b, float(d_R.mean()), _p(d_R[d_R != 0], more, less), more, less)


def _p(d_R: np.ndarray, more: int, less: int) -> float:
    if not len(d_R):
        return 1.0
    if np.ptp(np.abs(d_R)) < 1e-12:
        from scipy.stats import binomtest

        return float(binomtest(more, more + less).pvalue)
    signs_FR = np.random.default_rng(0).integers(0, 2, size=(FLIPS, len(d_R)), dtype=np.int8)
    sums_F = (2 * signs_FR.astype(np.float32) - 1) @ d_R.astype(np.float32)
    as_far = np.abs(sums_F) >= abs(d_R.sum()) * (1 - 1e-6)
    return float((1 + as_far.sum()) / (1 + FLIPS))

"""Whether a curve still rises: what a third more steps would bring, from records that were scored again and again.

    score of record r at step s  =  a_r + b_r log s + what all records share at that step + noise
    gain                         =  mean of b_r x log(4/3)

    steps 60 80 100 120, mean likelihood 0.61 0.64 0.66 0.67    ->    gain 0.025, 95 % from 0.017 to 0.033

The line is drawn over the later half of the steps. Its error has two parts: the records are a sample, so that b_r
varies between them, and a training step moves all of them together, which the mean curve's distance from the line
shows. The degrees of freedom are Satterthwaite's (1946, Biometrics Bulletin 2).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["FEWEST", "MORE", "Trend", "trend"]

MORE = 4 / 3
"a third more steps"
WINDOW = 0.5  # of the steps so far: earlier ones tell of another part of the curve
FEWEST = 4  # checks that a line with an error can be drawn through
LEVEL = 0.95  # of each bound, taken alone


class Trend(NamedTuple):
    """What a third more steps would bring, with one-sided 95 % bounds."""

    gain: float
    lower: float
    upper: float

    def flat(self, margin: float) -> bool:
        """Whether more than the margin can be ruled out."""
        return self.upper < margin


def trend(steps: Sequence[int], scores_KR: np.ndarray) -> Trend | None:
    """The trend at the last of K checks of R records. None: too few checks or records to tell."""
    late = [at for at, step in enumerate(steps) if step >= WINDOW * steps[-1]]
    if len(late) < FEWEST or scores_KR.shape[1] < 2:
        return None
    at_K = np.log([steps[at] for at in late])
    at_K -= at_K.mean()
    spread = float(at_K @ at_K)
    own_KR = scores_KR[late]
    slope_R = at_K @ own_KR / spread
    mean_K = own_KR.mean(axis=1)
    rest_K = mean_K - mean_K.mean() - at_K * slope_R.mean()
    parts = (
        (float(slope_R.var(ddof=1)) / len(slope_R), len(slope_R) - 1),
        (float(rest_K @ rest_K) / (len(late) - 2) / spread, len(late) - 2),
    )
    return _bounds(float(slope_R.mean()), parts)


def _bounds(slope: float, parts: Sequence[tuple[float, int]]) -> Trend:
    """parts: (variance, its degrees of freedom)."""
    from scipy.stats import t

    third, variance = math.log(MORE), sum(part for part, _ in parts)
    if variance == 0:
        return Trend(third * slope, third * slope, third * slope)
    freedom = variance**2 / sum(part**2 / df for part, df in parts)
    reach = float(t.ppf(LEVEL, freedom)) * math.sqrt(variance)
    return Trend(third * slope, third * (slope - reach), third * (slope + reach))

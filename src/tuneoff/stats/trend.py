"""Whether a curve still rises: what a third more steps would bring.

    score at step s  =  a + b log s + noise           gain  =  b log(4/3)

    steps 70 80 90 100, mean likelihood 0.640 0.652 0.658 0.665    ->    gain 0.020, 95 % from 0.015 to 0.025

The line is drawn over the later two fifths of the steps. Curves bend down, so it says a little too much rather than too
little. The records that are scored are the same at each step and count as given: what is asked is whether this curve
has ended, not what other records would say of it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["FEWEST", "MORE", "Trend", "trend"]

MORE = 4 / 3
"a third more steps"
WINDOW = 0.6  # of the steps so far: earlier ones tell of another part of the curve
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


def trend(steps: Sequence[int], scores: Sequence[float]) -> Trend | None:
    """The trend at the last of K checks. scores: the mean at each. None: too few checks to tell."""
    from scipy.special import stdtrit

    late = [at for at, step in enumerate(steps) if step >= WINDOW * steps[-1]]
    if len(late) < FEWEST:
        return None
    at_K, score_K = np.log([steps[at] for at in late]), np.array([scores[at] for at in late])
    at_K, score_K = at_K - at_K.mean(), score_K - score_K.mean()
    slope = at_K @ score_K / (at_K @ at_K)
    rest_K = score_K - slope * at_K
    error = math.sqrt(rest_K @ rest_K / (len(late) - 2) / (at_K @ at_K))
    reach = stdtrit(len(late) - 2, LEVEL) * error
    return Trend(*(float(math.log(MORE) * each) for each in (slope, slope - reach, slope + reach)))

"""Whether a job's training had come to its end, from its curve.

flat          a third more steps would bring less than the margin, with 95 % confidence
improving     they would bring something
unknown       neither was shown
"""

from tuneoff.engine.learner import Trained
from tuneoff.study.outcome import Progress

__all__ = ["progress_of"]

LEAST, MOST = 1 / 3, 3.0  # times the steps so far that an unfinished training is said to need
SMALLEST = 1e-3  # margin that a need is reckoned with


def progress_of(curve: Trained, margin: float) -> Progress:
    """Of the last stage, at its end.

    How many more steps it needs is a guess: that what a third more brings falls as the steps rise.
    """
    steps, found = curve.points[-1].step, curve.trend
    if found is None:
        return Progress(state="unknown", steps=steps, more_steps=steps, more_s=curve.seconds)
    if curve.flat(margin):
        return Progress(state="flat", gain=found.gain, upper=found.upper, steps=steps)
    more = min(max(found.upper / max(margin, SMALLEST) - 1, LEAST), MOST)
    return Progress(
        state="improving" if found.lower > 0 else "unknown",
        gain=found.gain,
        upper=found.upper,
        steps=steps,
        more_steps=round(more * steps),
        more_s=more * curve.seconds,
    )

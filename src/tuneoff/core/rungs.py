"""The rungs of a race: the shares of its own schedule at which an arm is compared with the others.

Counted in training records seen, never in seconds, so that a slow machine races like a quick one.
"""

from typing import Literal

__all__ = ["BY_RUNGS", "LAST", "RUNGS", "RaceKind"]

RUNGS = (1 / 9, 1 / 3, 1.0)
LAST = len(RUNGS)
"the rung at which the whole schedule is done; rungs are counted from 1"

RaceKind = Literal["rungs", "extrapolate", "full"]
"how a race leaves behind: by what was reached, by where curves point, or not at all"
BY_RUNGS = ("rungs", "extrapolate")
"kinds that stop at the early rungs"

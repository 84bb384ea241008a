"""The rungs of a race: the shares of its own schedule at which an arm is compared with the others.

Counted in training records seen, never in seconds, so that a slow machine races like a quick one.
"""

__all__ = ["LAST", "RUNGS"]

RUNGS = (1 / 9, 1 / 3, 1.0)
LAST = len(RUNGS)
"the rung at which the whole schedule is done; rungs are counted from 1"

"""How long an arm trains and at which rate: warm up, then stay at the peak until its curve is flat.

    rate    ____________________
           /                    |
          /                     |    at the first check that finds the curve flat (stats/trend.py),
         warm-up     stable    end   at the cap at the latest

The end need not be known in advance, because no decay of the rate leads to it: what is judged and kept is the average
of the tensors over the steps (engine/learner.py), which is smooth at every step, as a decay is at its end alone. The
early rungs come before any end, so that arms are compared after equally many records.
Polyak and Juditsky 1992, SIAM J. Control Optim. 30(4); Hägele et al. 2024, arXiv 2405.18392, section 4.2.
"""

from dataclasses import dataclass

from tuneoff.core.rungs import LAST, RUNGS
from tuneoff.engine.batches import epoch_steps

__all__ = ["Schedule", "cap_epochs"]

FEWEST = 1280  # records seen: 160 steps of 8, below which nothing is learned from few records
MOST_PASSES, ENOUGH = 16, 3200  # over few records; records seen, where a pass is short
PASSES = 3  # over many records


def cap_epochs(records: int) -> float:
    """The longest training by default, in passes: 16 over 160 records, 3 over thousands."""
    return max(FEWEST, PASSES * records, min(MOST_PASSES * records, ENOUGH)) / records


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """What all trained arms share.

    epochs: the cap, in passes over the training records. checks: of validation, evenly over the cap. margin: a curve is
    flat where a third more steps would bring less likelihood. until: the share of the cap at which training ends at the
    latest, where time is short. warmup: a share of the cap.
    """

    epochs: float = 16.0
    batch_size: int = 8
    checks: int = 18
    margin: float = 0.01
    until: float = 1.0
    warmup: float = 0.03
    weight_decay: float = 0.0
    clip: float = 1.0

    def steps(self, records: int) -> int:
        """Optimiser steps of the cap."""
        return max(1, round(self.epochs * epoch_steps(records, self.batch_size)))

    def check_steps(self, records: int) -> list[int]:
        """The steps behind which validation is looked at: evenly, and at each rung."""
        steps = self.steps(records)
        even = [max(1, round(steps * at / self.checks)) for at in range(1, self.checks + 1)]
        return sorted({*even, *(self.rung_step(records, rung) for rung in range(1, LAST + 1))})

    def rung_step(self, records: int, rung: int) -> int:
        """The step at which a rung is reached; the last one at the latest."""
        return max(1, round(self.steps(records) * RUNGS[rung - 1]))

    def first_end(self, records: int) -> int:
        """The step at which it may end: arms must be comparable at the early rungs."""
        return self.rung_step(records, LAST - 1)

    def last_end(self, records: int) -> int:
        """The step at which it ends at the latest."""
        return max(self.first_end(records), round(self.until * self.steps(records)))

    def rate(self, step: int, records: int) -> float:
        """The share of the peak rate at a step counted from 0."""
        return min(1.0, (step + 1) / max(1, round(self.warmup * self.steps(records))))

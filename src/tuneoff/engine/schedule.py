"""How long an arm trains and at which rate: warm up, stay at the peak until the curve is flat, then decay.

    rate    ____________________
           /                    \\.
          /                      \\_       decay: a fifth of all steps, 1 - sqrt(share)
         warm-up        stable     end

The end need not be known in advance: the decay begins at the check that finds the curve flat (stats/trend.py), and
where it still rises, in time to end at the cap. The early rungs lie in the stable part, so that arms are compared at
the same rate.
Hu et al. 2024, "MiniCPM", arXiv 2404.06395, section 4; Hägele et al. 2024, arXiv 2405.18392, section 3.
"""

import math
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
    latest, where time is short. warmup, decay: shares of the cap, and of all steps.
    """

    epochs: float = 16.0
    batch_size: int = 8
    checks: int = 18
    margin: float = 0.01
    until: float = 1.0
    warmup: float = 0.03
    decay: float = 0.2
    weight_decay: float = 0.0
    clip: float = 1.0

    def steps(self, records: int) -> int:
        """Optimiser steps of the cap."""
        return max(1, round(self.epochs * epoch_steps(records, self.batch_size)))

    def check_steps(self, records: int) -> list[int]:
        """The steps behind which validation is looked at while the rate is stable: evenly, and at each rung."""
        steps = self.steps(records)
        even = [max(1, round(steps * at / self.checks)) for at in range(1, self.checks + 1)]
        return sorted({*even, *(self.rung_step(records, rung) for rung in range(1, LAST + 1))})

    def rung_step(self, records: int, rung: int) -> int:
        """The step at which a rung is reached; the last one at the latest."""
        return max(1, round(self.steps(records) * RUNGS[rung - 1]))

    def first_decay(self, records: int) -> int:
        """The step at which the decay may begin: arms must be comparable at the early rungs."""
        return min(self.rung_step(records, LAST - 1), self.last_decay(records))

    def last_decay(self, records: int) -> int:
        """The step at which it begins at the latest."""
        steps = self.steps(records)
        latest = math.floor((1 - self.decay) * self.until * steps)
        return max(1, min(max(latest, self.rung_step(records, LAST - 1)), steps - 1))

    def end(self, records: int, start: int) -> int:
        """The last step, where the decay began at another."""
        return min(self.steps(records), start + max(1, round(start * self.decay / (1 - self.decay))))

    def rate(self, step: int, records: int, start: int | None) -> float:
        """The share of the peak rate at a step counted from 0. start: where the decay began; None: not yet."""
        warm = max(1, round(self.warmup * self.steps(records)))
        up = min(1.0, (step + 1) / warm)
        if start is None or step < start:
            return up
        return up * (1 - math.sqrt((step - start + 1) / (self.end(records, start) - start + 1)))

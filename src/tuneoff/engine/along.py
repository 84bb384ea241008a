"""Starts in the same pass as the rows behind them: where something learns in a start, it runs at every step anyway.

    arm 0: start s, rows a b    arm 1: start t, row c    ->    [s a b t c] through every layer at once,
                                                               a b behind the keys of s, c behind those of t

A pass of its own would take the same frozen matmuls on a few positions, at a fraction of the speed that they have on
many, and every step's fixed costs twice.

Letters: G arms, R rows of all arms without the starts, K keys of the past, T positions of the longest row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tuneoff.engine.folds import Starts
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows, joined

__all__ = ["NOBODY", "Led", "MakeMasks", "led_by"]

NOBODY = -2  # owner of a position that no row sees
MakeMasks = Callable[[Rows, Past | None], Mapping[str, Tensor]]


class Led(NamedTuple):
    """every: all rows of the pass, each arm's behind its start. starts: which they are, if any. masks: of the rows that
    are no starts."""

    every: Rows
    starts: Starts | None
    masks: Mapping[str, Tensor]


def led_by(starts: Sequence[Rows] | None, rows: Sequence[Rows], past: Past | None, make_masks: MakeMasks) -> Led:
    """starts: of each arm, one row; an arm without a start has a position that is NOBODY's. None: no start runs along.
    past: of G rows, or of one; of R rows where no start runs along."""
    if starts is None:
        every = joined(rows)
        return Led(every, None, make_masks(every, past))
    device = starts[0].ids.device
    counts = torch.tensor([len(own.lengths) for own in rows], device=device)
    arm = torch.arange(len(starts), device=device)
    of = arm.repeat_interleave(counts)
    ahead, behind = joined(starts), joined(rows)
    places = Past((), (), ahead.padded(ahead.position, 0), ahead.padded(ahead.owner, NOBODY) != NOBODY)
    seen = places if past is None else places.behind(past.places())
    return Led(
        every=joined([own for both in zip(starts, rows) for own in both]),
        starts=Starts(arm + counts.cumsum(0) - counts, of, make_masks(ahead, past)),
        masks=make_masks(behind, seen if seen.rows == 1 else seen.select(of)),
    )

"""How a model can be run, found out by a trial: no architecture is named for it.

Each quick way is tried on five tokens behind two against the next slower one, with nothing worn. On a GPU, whether one
kernel for a whole pass is quicker than folds is measured on the spot.
"""

from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch

from tuneoff.engine.trial import Trial, Way
from tuneoff.models.base import Base

__all__ = ["Ways", "ways"]


class Ways(NamedTuple):
    """packs: whether packed states equal masked ones. reads: whether the last layer gives the same at some positions
    alone. begins: whether the upper layers give the same, begun with what the lower ones gave. flexes: whether one
    kernel for all attention of a pass gives the same in value and gradient, and is quicker here."""

    packs: bool
    reads: bool
    begins: bool
    flexes: bool


_known: WeakKeyDictionary = WeakKeyDictionary()


def ways(base: Base, make_trial: Callable[[], Trial]) -> Ways:
    """How the model can be run; tried the first time."""
    if base not in _known:
        trial = make_trial()
        packs = _agree(trial, "masked", "packed")
        reads, begins = (packs and _agree(trial, "packed", way) for way in ("read", "above"))
        flexes = packs and base.device.type == "cuda" and _agree(trial, "folds", "flex") and _quicker(trial)
        _known[base] = Ways(packs, reads, begins, flexes)
    return _known[base]


def _quicker(trial: Trial) -> bool:
    try:
        return trial.seconds("flex") < trial.seconds("folds")
    except Exception:  # no room for what is timed, or no kernel of this size
        return False


def _agree(trial: Trial, slow: Way, quick: Way) -> bool:
    with torch.no_grad():
        right = trial(slow)
        try:
            made = trial(quick)
        except Exception:  # whatever a foreign model raises here, it does not go this way
            return False
    close = 1e-3 if right.dtype.itemsize >= 4 else 0.1
    return bool((made - right[-len(made) :]).abs().amax() <= close * right.abs().amax())

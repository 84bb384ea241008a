"""Which fast paths a model takes, and why not the others: found out by a probe, no architecture is named for it.

    fast paths: packed rows, upper layers alone; not: last layer where read (its trunk wants as many states as it was
    given), fused attention (it needs an NVIDIA GPU)

Each path is run on five tokens behind two against the next slower one, with no adapter. On a GPU, whether one kernel
for the attention of a whole pass is quicker than folds is timed.

A path that raises what is no answer (engine/unsupported.py) is broken: the slower path is taken, and never in silence.
BrokenPathWarning is issued, and the check keeps the traceback for whoever reports it.
"""

import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from tuneoff.core.errors import BrokenPathWarning
from tuneoff.engine.capability_probe import CapabilityProbe
from tuneoff.engine.unsupported import unsupported
from tuneoff.models.base import Base

__all__ = ["Capabilities", "Check", "capabilities", "paths_line"]

BOUND, BOUND_16_BITS = 1e-3, 0.1
"""How far the states of two paths may differ, root mean square against theirs. SmolLM2 in bfloat16: 0.02 between paths
that are equal, 0.17 where positions are off by one, 0.5 where rows see each other."""
FIRST = "it needs packed rows"
TITLES = {
    "packed_rows": "packed rows",
    "sparse_last_layer": "last layer where read",
    "partial_forward": "upper layers alone",
    "flex_attention": "fused attention",
}


class Check(NamedTuple):
    """What came out for one path. why: it is not taken; empty where it is. traceback: of a fault."""

    taken: bool
    why: str = ""
    traceback: str = ""

    def __bool__(self) -> bool:
        return self.taken


class Capabilities(NamedTuple):
    """packed_rows: packed states equal masked ones. sparse_last_layer: the last layer gives the same at some positions
    alone. partial_forward: the upper layers give the same, begun with what the lower ones gave. flex_attention: one
    kernel for all attention of a pass gives the same in value and gradient, and is quicker here."""

    packed_rows: Check
    sparse_last_layer: Check
    partial_forward: Check
    flex_attention: Check

    @property
    def reasons(self) -> dict[str, str]:
        """By what people call a path, why it is not taken; "" where it is."""
        return {TITLES[name]: check.why for name, check in self._asdict().items()}

    @property
    def line(self) -> str:
        """All of it in one line."""
        return paths_line(self.reasons)

    @property
    def faults(self) -> Iterator[tuple[str, str]]:
        """A sentence and a traceback for each broken path."""
        for name, check in self._asdict().items():
            if check.traceback:
                yield _fault(TITLES[name], check.why), check.traceback


def paths_line(reasons: Mapping[str, str]) -> str:
    """Which fast paths are taken, and why not the others; reasons: as `Capabilities.reasons`."""
    taken = [title for title, why in reasons.items() if not why]
    left = [f"{title} ({why})" for title, why in reasons.items() if why not in ("", FIRST)]
    return f"fast paths: {', '.join(taken) or 'none'}" + (f"; not: {', '.join(left)}" if left else "")


_known: WeakKeyDictionary[Base, Capabilities] = WeakKeyDictionary()


def capabilities(base: Base, make_probe: Callable[[], CapabilityProbe]) -> Capabilities:
    """Which paths the model takes; tried the first time. A fault issues a BrokenPathWarning."""
    if base not in _known:
        found = _tried(base, make_probe())
        for sentence, trace in found.faults:
            warning = BrokenPathWarning(sentence)
            warning.add_note(trace)
            warnings.warn(warning, stacklevel=2)
        _known[base] = found
    return _known[base]


@torch.no_grad()
def _tried(base: Base, probe: CapabilityProbe) -> Capabilities:
    plain = probe("masked")  # what fails here is no fast path: nothing stands behind it
    packed = _checked(lambda: _equal(plain, probe("packed")))
    if not packed:
        return Capabilities(packed, *[Check(False, FIRST)] * 3)
    sparse, partial = (_checked(lambda path=path: _equal(plain, probe(path))) for path in ("sparse", "partial"))
    return Capabilities(packed, sparse, partial, _flex(base, probe))


def _flex(base: Base, probe: CapabilityProbe) -> Check:
    if base.device.type != "cuda":
        return Check(False, "it needs an NVIDIA GPU")
    equal = _checked(lambda: _equal(probe("folds"), probe("flex")))
    return equal and _checked(lambda: _quicker(probe))


def _checked(check: Callable[[], Check]) -> Check:
    """What a check says, or why it cannot say it."""
    try:
        return check()
    except Exception as error:  # a foreign model may raise anything: what is no answer is kept as a fault
        why = unsupported(error)
        if why is not None:
            return Check(False, why)
        said = traceback.format_exception_only(error)[0].splitlines()[0]
        return Check(False, said, traceback.format_exc())


def _equal(right: Tensor, made: Tensor) -> Check:
    right = right[-len(made) :]
    bound = BOUND if right.dtype.itemsize >= 4 else BOUND_16_BITS
    apart = float((made - right).float().square().mean().sqrt() / right.float().square().mean().sqrt())
    if apart <= bound:  # False for NaN
        return Check(True)
    dtype = str(right.dtype).removeprefix("torch.")
    return Check(False, f"its states differ by {100 * apart:.2g} % in {dtype}, {100 * bound:g} % is allowed")


def _quicker(probe: CapabilityProbe) -> Check:
    fused_s, folds_s = probe.seconds("flex"), probe.seconds("folds")
    if fused_s < folds_s:
        return Check(True)
    return Check(False, f"no faster here: {1000 * fused_s:.2g} ms against {1000 * folds_s:.2g} ms")


def _fault(title: str, why: str) -> str:
    return f"fast path broken: {title} failed with {why}; the slower plain path is taken"

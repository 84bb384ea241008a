"""Two sides and their ceiling, slot by slot in one process, and the one line that comes out.

A cycle is L A B: the ceiling (bare matmuls of the shapes of the work), the peer, ours. Whatever slows the machine
for a while meets all three, so a ratio is taken inside each cycle and the median of them is told, with the lowest
and the highest. Every slot returns how much useful work it stood for: tokens that the task needs, each once.
"""

import gc
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch

from tuneoff.models.base import Base
from tuneoff.models.load import load_model

__all__ = ["WARM", "Claim", "Contest", "Settings", "Slot", "Unequal", "close", "line_of", "race", "rate", "short"]

WARM = -1  # the number of the cycle that warms up
STEADY = 0.15  # the ceiling may vary by this share before the run is called unsteady

Slot = Callable[[int], float]


class Unequal(AssertionError):
    """The two sides did not compute the same thing, so that a ratio of their times would mean nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What a benchmark is told. cycles, model: None is each benchmark's own."""

    cycles: int | None = None
    device: str = "cpu"
    quick: bool = False
    model: str | None = None

    def base(self, name: str, template: str = "auto") -> Base:
        """A model with weights of its own: each side gets one."""
        return load_model(self.model or name, device=self.device, template=template).base()

    def rounds(self, usual: int) -> int:
        """How many cycles to run."""
        return self.cycles or (2 if self.quick else usual)

    def few(self, usual: int, quick: int) -> int:
        """A size of the work: smaller in a quick run."""
        return quick if self.quick else usual


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What one line says of the work. unit: of the rates. goal: the least ratio that was set out for.

    facts: batch size, mean lengths, what was checked. packages: whose versions are told.
    """

    name: str
    case: str
    unit: str
    goal: float
    against: str
    facts: dict = field(default_factory=dict)
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest(Claim):
    """One line to be. A slot does the work of a cycle and returns its useful amount, in `unit`.

    theirs: None where our own ceiling is the other side; the ratio is then the fraction of it.
    """

    ours: Slot
    theirs: Slot | None
    ceiling: Slot


def race(contest: Contest, cycles: int, settings: Settings) -> dict:
    """Run all cycles; returns the line as a table."""
    sides = {"ceiling": contest.ceiling, "theirs": contest.theirs, "ours": contest.ours}
    sides = {name: slot for name, slot in sides.items() if slot is not None}
    for slot in sides.values():
        slot(WARM)
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for cycle in range(cycles):
        for name, slot in sides.items():
            rates[name].append(rate(slot, cycle))
    return line_of(contest, rates, settings)


def close(what: str, ours: float, theirs: float, tolerance: float) -> dict:
    """Both figures of one thing, for the line; raises Unequal where they differ relatively by more."""
    difference = abs(ours - theirs) / max(abs(theirs), 1e-12)
    if not difference <= tolerance:
        raise Unequal(f"{what}: ours {ours!r}, theirs {theirs!r}, allowed {tolerance:g} of it")
    return {"ours": ours, "theirs": theirs, "difference": short(difference), "allowed": tolerance}


def rate(slot: Slot, cycle: int) -> float:
    """Useful amount a second."""
    gc.collect()
    _wait()
    began = time.perf_counter()
    amount = slot(cycle)
    _wait()
    return amount / (time.perf_counter() - began)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def line_of(contest: Claim, rates: dict[str, list[float]], settings: Settings) -> dict:
    """The line of sides (ours, ceiling, and theirs where there is one) whose rates were measured cycle by cycle."""
    other = rates.get("theirs") or rates["ceiling"]
    ratios = [own / against for own, against in zip(rates["ours"], other)]
    spread = max(rates["ceiling"]) / min(rates["ceiling"]) - 1 if len(ratios) > 1 else None  # one cycle cannot tell
    figures = {name: _figure(own, rates["ceiling"], contest.unit) for name, own in rates.items()}
    return {
        "name": contest.name,
        "case": contest.case,
        "ratio": short(median(ratios)),
        "low": short(min(ratios)),
        "high": short(max(ratios)),
        "goal": contest.goal,
        "against": contest.against,
        **figures,
        **contest.facts,
        "versions": {name: version(name) for name in ("tuneoff", "torch", "transformers", *contest.packages)},
        "device": device_name(settings.device),
        "threads": torch.get_num_threads(),
        "cycles": len(ratios),
        "quick": settings.quick,
        "ceiling_varied_by": None if spread is None else short(spread),
        "steady": None if spread is None else spread <= STEADY,
    }


def _figure(own: list[float], ceiling: list[float], unit: str) -> dict:
    share = median(rate / most for rate, most in zip(own, ceiling))
    return {"value": short(median(own)), "unit": unit, "of_ceiling": short(share)}


def short(number: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{number:.4g}")


def device_name(device: str) -> str:
    """The processor's or the GPU's own name."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    lines = _lines(Path("/proc/cpuinfo"))
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []

"""Who is left: the finalists that no other finalist beats, and which of them are tied with which.

a beats c, nothing else is settled   ->   winners a, b (b is not beaten), tie group {a, b}
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["FINALISTS", "Beats", "cheapest", "finalists", "winners"]

FINALISTS = 8


class Beats(NamedTuple):
    """One settled pair."""

    better: str
    worse: str


def finalists(score: Mapping[str, float], up: bool) -> list[str]:
    """The best arms by mean, best first; at most 8, since all pairs share one error rate."""
    return sorted(score, key=lambda name: -score[name] if up else score[name])[:FINALISTS]


def winners(names: Sequence[str], settled: Sequence[Beats]) -> tuple[str, ...]:
    """Those of `names`, in that order, that nobody beats."""
    beaten = {pair.worse for pair in settled}
    return tuple(name for name in names if name not in beaten)


def cheapest(names: Sequence[str], price: Mapping[str, Sequence[float | None]]) -> str | None:
    """The name with the lowest price, compared part by part; an unknown part counts as dearest."""
    if not names:
        return None
    return min(names, key=lambda name: tuple(float("inf") if part is None else part for part in price[name]))

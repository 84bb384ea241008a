"""Which arm is worth its price: quality against one cost, in plain means.

front       no other arm is as good for less, or better for as much (Pareto)
bargains    at rates r between low and high, an arm has the highest  quality - r x cost  (the upper hull)

zero_shot 60 points, 31 tokens;  few_shot 74, 310;  lora 81, 45    ->   front: zero_shot, lora
bargains: lora while a token is worth 0 to 1.5 points, zero_shot beyond
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

__all__ = ["Bargain", "bargains", "cheapest", "front", "highest"]


class Bargain(NamedTuple):
    """Rates, in units of quality per unit of cost, between which an arm is worth most. high inf: without end."""

    low: float
    high: float


def cheapest(names: Sequence[str], price: Mapping[str, Sequence[float | None]]) -> str | None:
    """The name with the lowest price, compared part by part; an unknown part counts as the most expensive."""
    if not names:
        return None
    return min(names, key=lambda name: tuple(inf if part is None else part for part in price[name]))


def highest(names: Sequence[str], worth: Mapping[str, float | None]) -> list[str]:
    """The names that are worth most, more than one where they are worth the same; all of them where none is known."""
    known = {name: worth[name] for name in names if worth[name] is not None}
    return [name for name in known if known[name] == max(known.values())] or list(names)


def front(quality: Mapping[str, float], cost: Mapping[str, float]) -> list[str]:
    """The Pareto front, cheapest first. quality: more is better. Equal arms stand on it together."""

    def beaten(name: str) -> bool:
        q, c = quality[name], cost[name]
        return any(quality[o] >= q and cost[o] <= c and (quality[o] > q or cost[o] < c) for o in cost)

    return sorted((name for name in cost if not beaten(name)), key=lambda name: (cost[name], -quality[name]))


def bargains(quality: Mapping[str, float], cost: Mapping[str, float]) -> dict[str, Bargain]:
    """Each arm's rates at which it is worth most; an arm that is so at no rate, or at one point only, is left out."""
    ranges = {name: _range(name, quality, cost) for name in cost}
    return {name: found for name, found in ranges.items() if found.low < found.high}


def _range(name: str, quality: Mapping[str, float], cost: Mapping[str, float]) -> Bargain:
    low, high = 0.0, inf
    for other in cost:
        better, dearer = quality[name] - quality[other], cost[name] - cost[other]
        if dearer > 0:
            high = min(high, better / dearer)
        elif dearer < 0:
            low = max(low, better / dearer)
        elif better < 0:
            return Bargain(0.0, 0.0)
    return Bargain(low, high)

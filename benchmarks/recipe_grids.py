"""The settings of trained methods that are tried, by name of the grid: the first is what the others are changes of.

Each grid changes one knob at the defaults of the rest, rates first. `rank` also changes alpha, so that its share of the
update stays alpha / rank = 2, unless alpha is what is tried.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["GRIDS", "Setting"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """batch: records a step. epochs: the cap of the schedule; training ends earlier where the curve is flat."""

    method: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 8
    epochs: float = 16.0
    checks: int = 18
    seed: int = 0

    def but(self, **knobs: Any) -> "Setting":
        """The same with some knobs changed."""
        return replace(self, knobs={**self.knobs, **knobs})


def _rates(method: str, rates: Sequence[float]) -> list[Setting]:
    return [Setting(method=method, knobs={"lr": rate}) for rate in rates]


def _shape(method: str, lr: float, changes: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """Changes of other knobs at one rate, then of the batch."""
    start = Setting(method=method, knobs={"lr": lr})
    return [*(start.but(**change) for change in changes), replace(start, batch=4), replace(start, batch=16)]


GRIDS: dict[str, list[Setting]] = {
    "lora": _rates("lora", (1e-3, 2e-3, 5e-4, 4e-3)),
    "lora_shape": _shape(
        "lora",
        1e-3,
        [{"rank": 4, "alpha": 8.0}, {"rank": 32, "alpha": 64.0}, {"rank": 32, "alpha": 16.0}, {"alpha": 32.0}],
    ),
    "soft_prompt": _rates("soft_prompt", (0.4, 1.0, 0.15, 2.0)),
    "soft_prompt_after": _rates("soft_prompt_after", (0.4, 1.0, 0.15, 2.0)),
    "soft_prompt_shape": _shape("soft_prompt", 0.4, [{"length": 8}, {"length": 50}, {"start": "vocabulary"}]),
    "soft_prompt_after_shape": _shape(
        "soft_prompt_after", 0.4, [{"length": 8}, {"length": 50}, {"start": "vocabulary"}]
    ),
    "prefix": _rates("prefix", (5e-3, 1e-2, 2e-2)),
    "ia3": _rates("ia3", (1e-2, 2e-2, 5e-3)),
    "dora": _rates("dora", (1e-3, 2e-3)),
}

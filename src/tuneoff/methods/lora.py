"""LoRA: a low-rank update beside each frozen projection.

    y = x W^T + (alpha / rank) x A^T B^T,  A [rank, I] random, B [O, rank] zero

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685, section 4.1.
"""

import math
from typing import ClassVar

import torch

from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod, LowRank
from tuneoff.models.sites import LINEAR

__all__ = ["Lora"]


class Lora(AdapterMethod):
    family: ClassVar[str] = "parameter-efficient fine-tuning"
    paper: ClassVar[str] = "arXiv 2106.09685"

    rank: int = knob(8, "inner width of the update", ge=1)
    alpha: float = knob(16.0, "strength: the update is scaled by alpha / rank", gt=0)
    targets: list[str] = knob(list(LINEAR), "roles of the projections to adapt")
    lr: float = knob(1e-3, "peak learning rate", gt=0, search=(2e-4, 5e-3))

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self.targets)

    def init(self, site, task, start, gen):
        A = torch.empty(self.rank, site.in_dim)
        torch.nn.init.kaiming_uniform_(A, a=math.sqrt(5), generator=gen)
        return {"A": A, "B": torch.zeros(site.out_dim, self.rank)}

    def leave(self, site, x, y, p, virtual):
        return y + (x @ p["A"].T @ p["B"].T) * (self.alpha / self.rank)

    def form(self, site, p):
        return LowRank(p["A"], p["B"] * (self.alpha / self.rank))

    def peft(self, sites, tensors):
        config = {
            "peft_type": "LORA",
            "r": self.rank,
            "lora_alpha": self.alpha,
            "lora_dropout": 0.0,
            "bias": "none",
            "target_modules": sorted({site.name for site in sites}),
            "fan_in_fan_out": sites[0].transposed,
        }
        state = {}
        for site in sites:
            state[f"{site.name}.lora_A.weight"] = tensors[site.name]["A"]
            state[f"{site.name}.lora_B.weight"] = tensors[site.name]["B"]
        return config, state

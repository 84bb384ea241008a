"""What the low-rank methods share: two narrow matrices beside each frozen projection.

    update = (alpha / rank) x A^T B^T,  A [rank, I] random, B [O, rank] zero, so that nothing changes at the start

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685, section 4.1.
"""

import math
from typing import ClassVar

import torch

from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod
from tuneoff.models.sites import LINEAR

__all__ = ["LowRankMethod"]


class LowRankMethod(AdapterMethod):
    """Knobs, start and export of A and B; what they do is each method's own."""

    family: ClassVar[str] = "parameter-efficient fine-tuning"

    rank: int = knob(8, "inner width of the update", ge=1)
    alpha: float = knob(16.0, "strength: the update is scaled by alpha / rank", gt=0)
    targets: list[str] = knob(list(LINEAR), "roles of the projections to adapt")
    lr: float = knob(1e-3, "peak learning rate", gt=0, search=(2e-4, 5e-3))

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self.targets)

    @property
    def strength(self) -> float:
        return self.alpha / self.rank

    def init(self, site, task, start, gen):
        A = torch.empty(self.rank, site.in_dim)
        torch.nn.init.kaiming_uniform_(A, a=math.sqrt(5), generator=gen)
        return {"A": A, "B": torch.zeros(site.out_dim, self.rank)}

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

"""DoRA: LoRA for the direction of each weight row, and a learned length beside it.

    y = x V^T,  V = m * (W + k B A) / |W + k B A|_row,  m = |W|_row at the start; the norm is a constant in backward

Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation", arXiv 2402.09353, equation 5 and section 4.3.
"""

from typing import ClassVar

import torch

from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod
from tuneoff.models.sites import LINEAR

__all__ = ["Dora"]


class Dora(AdapterMethod):
    family: ClassVar[str] = "parameter-efficient fine-tuning"
    paper: ClassVar[str] = "arXiv 2402.09353"

    rank: int = knob(8, "inner width of the update", ge=1)
    alpha: float = knob(16.0, "strength: the update is scaled by alpha / rank", gt=0)
    targets: list[str] = knob(list(LINEAR), "roles of the projections to adapt")
    lr: float = knob(1e-3, "peak learning rate", gt=0, search=(2e-4, 5e-3))

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self.targets)

    def init(self, site, task, start, gen):
        A = torch.empty(self.rank, site.in_dim)
        torch.nn.init.kaiming_uniform_(A, a=5**0.5, generator=gen)
        return {"A": A, "B": torch.zeros(site.out_dim, self.rank), "m": site.weight().float().norm(dim=1).cpu()}

    def leave(self, site, x, y, p, virtual):
        bias = site.bias()
        plain = y if bias is None else y - bias
        update = (x @ p["A"].T @ p["B"].T) * (self.alpha / self.rank)
        scaled = (plain + update) * (p["m"] / self._length(site, p))
        return scaled if bias is None else scaled + bias

    def merge(self, site, p):
        return (p["m"] / self._length(site, p))[:, None] * self._direction(site, p)

    def _direction(self, site, p) -> torch.Tensor:
        return site.weight() + (self.alpha / self.rank) * p["B"] @ p["A"]

    def _length(self, site, p) -> torch.Tensor:
        with torch.no_grad():
            return self._direction(site, p).norm(dim=1)

    def peft(self, sites, tensors):
        config = {
            "peft_type": "LORA",
            "use_dora": True,
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
            state[f"{site.name}.lora_magnitude_vector"] = tensors[site.name]["m"]
        return config, state

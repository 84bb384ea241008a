"""DoRA: LoRA for the direction of each weight row, and a learned length beside it.

    y = x V^T,  V = m * (W + k B A) / |W + k B A|_row,  m = |W|_row at the start; the norm is a constant in backward

Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation", arXiv 2402.09353, equation 5 and section 4.3.
"""

from typing import ClassVar

import torch

from tuneoff.models.low_rank import LowRankMethod

__all__ = ["Dora"]


class Dora(LowRankMethod):
    paper: ClassVar[str] = "arXiv 2402.09353"

    def init(self, site, task, start, gen):
        return {**super().init(site, task, start, gen), "m": site.weight().float().norm(dim=1).cpu()}

    def leave(self, site, x, y, p, virtual):
        bias = site.bias()
        plain = y if bias is None else y - bias
        update = (x @ p["A"].T @ p["B"].T) * self.strength
        scaled = (plain + update) * (p["m"] / self._length(site, p))
        return scaled if bias is None else scaled + bias

    def merge(self, site, p):
        return (p["m"] / self._length(site, p))[:, None] * self._direction(site, p)

    def peft(self, sites, tensors):
        config, state = super().peft(sites, tensors)
        lengths = {f"{site.name}.lora_magnitude_vector": tensors[site.name]["m"] for site in sites}
        return {**config, "use_dora": True}, {**state, **lengths}

    def _direction(self, site, p) -> torch.Tensor:
        return site.weight() + self.strength * p["B"] @ p["A"]

    def _length(self, site, p) -> torch.Tensor:
        with torch.no_grad():
            return self._direction(site, p).norm(dim=1)

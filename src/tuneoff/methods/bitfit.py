"""BitFit: only biases learn. A projection without a bias is given one, which starts at zero.

    y = x W^T + b + d,  d = 0 at the start

Ben Zaken et al. 2021, "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked
Language-models", arXiv 2106.10199.
"""

from typing import ClassVar

import torch

from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod, Bias
from tuneoff.models.sites import LINEAR

__all__ = ["Bitfit"]


class Bitfit(AdapterMethod):
    family: ClassVar[str] = "parameter-efficient fine-tuning"
    paper: ClassVar[str] = "arXiv 2106.10199"

    targets: list[str] = knob(list(LINEAR), "roles of the projections whose biases learn")
    lr: float = knob(1e-2, "peak learning rate", gt=0, search=(1e-3, 5e-2))

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self.targets)

    def init(self, site, task, start, gen):
        return {"b": torch.zeros(site.out_dim)}

    def leave(self, site, x, y, p, virtual):
        return y + p["b"]

    def form(self, site, p):
        return Bias(p["b"])

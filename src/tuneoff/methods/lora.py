"""LoRA: a low-rank update beside each frozen projection.

    y = x W^T + (alpha / rank) x A^T B^T,  A [rank, I] random, B [O, rank] zero

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv 2106.09685, section 4.1.
"""

from typing import ClassVar

from tuneoff.models.adapt import LowRank
from tuneoff.models.low_rank import LowRankMethod

__all__ = ["Lora"]


class Lora(LowRankMethod):
    paper: ClassVar[str] = "arXiv 2106.09685"

    def leave(self, site, x, y, p, virtual):
        return y + (x @ p["A"].T @ p["B"].T) * self.strength

    def form(self, site, p):
        return LowRank(p["A"], p["B"] * self.strength)

"""IA3: learned scales on keys, values and the inner width of the feed-forward part.

    k = s_k * (x W_k^T),  v = s_v * (x W_v^T),  mlp = W_down (s_m * inner);  all scales start at 1

Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning",
arXiv 2205.05638, section 3.3.
"""

from typing import ClassVar

import torch

from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod, Scale

__all__ = ["Ia3"]


class Ia3(AdapterMethod):
    family: ClassVar[str] = "parameter-efficient fine-tuning"
    paper: ClassVar[str] = "arXiv 2205.05638"

    lr: float = knob(1e-2, "peak learning rate", gt=0, search=(2e-3, 5e-2))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("attn.k", "attn.v", "mlp.down")

    def init(self, site, task, start, gen):
        return {"s": torch.ones(site.in_dim if _inside(site) else site.out_dim)}

    def enter(self, site, x, p, virtual):
        return x * p["s"] if _inside(site) else x

    def leave(self, site, x, y, p, virtual):
        return y if _inside(site) else y * p["s"]

    def form(self, site, p):
        return Scale(p["s"], "enter" if _inside(site) else "leave")

    def peft(self, sites, tensors):
        inside = sorted({site.name for site in sites if _inside(site)})
        config = {
            "peft_type": "IA3",
            "target_modules": sorted({site.name for site in sites}),
            "feedforward_modules": inside,
            "fan_in_fan_out": sites[0].transposed,
        }
        state = {}
        for site in sites:
            scale = tensors[site.name]["s"]
            state[f"{site.name}.ia3_l"] = scale[None, :] if _inside(site) else scale[:, None]
        return config, state


def _inside(site) -> bool:
    """Whether the site's input is scaled (as in the paper's feed-forward part), rather than its output."""
    return site.role == "mlp.down"

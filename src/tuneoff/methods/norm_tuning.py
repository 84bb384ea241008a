"""Norm tuning: only the scales of the normalisation layers learn, as factors that start at 1.

    y = s * norm(x),  s = 1 at the start

A factor, not a new weight, so that models which keep (1 + w) and models which keep w learn alike.
Zhao et al. 2023, "Tuning LayerNorm in Attention: Towards Efficient Multi-Modal LLM Finetuning", arXiv 2312.11420.
"""

from typing import ClassVar

import torch

from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod, Scale

__all__ = ["NormTuning"]


class NormTuning(AdapterMethod):
    family: ClassVar[str] = "parameter-efficient fine-tuning"
    paper: ClassVar[str] = "arXiv 2312.11420"

    lr: float = knob(1e-2, "peak learning rate", gt=0, search=(1e-3, 5e-2))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("norm",)

    def init(self, site, task, start, gen):
        return {"s": torch.ones(site.out_dim)}

    def leave(self, site, x, y, p, virtual):
        bias = site.bias()
        return y * p["s"] if bias is None else (y - bias) * p["s"] + bias

    def form(self, site, p):
        return Scale(p["s"], "leave")

    def merge(self, site, p):
        weight = site.weight()
        return (1 + weight) * p["s"] - 1 if _counts_from_one(site.module) else weight * p["s"]

    def peft(self, sites, tensors):
        config = {"peft_type": "LN_TUNING", "target_modules": sorted({site.name for site in sites})}
        state = {}
        for site in sites:
            state[f"{site.name}.ln_tuning_layers.weight"] = self.merge(site, tensors[site.name])
            if (bias := site.bias()) is not None:
                state[f"{site.name}.ln_tuning_layers.bias"] = bias
        return config, state


def _counts_from_one(norm: torch.nn.Module) -> bool:
    """Whether the module multiplies by 1 + weight (Gemma) rather than by weight: asked of the module itself."""
    with torch.no_grad():
        probe = torch.ones(1, norm.weight.shape[0], dtype=norm.weight.dtype, device=norm.weight.device)
        probe[..., ::2] = -1  # zero mean and unit size: both kinds of norm leave it as it is
        out = norm(probe) * probe
        bias = getattr(norm, "bias", None)
        out = out if bias is None else out - bias * probe
        from_one = (out - (1 + norm.weight)).abs().mean()
        from_zero = (out - norm.weight).abs().mean()
    return bool(from_one < from_zero)

"""Prefix tuning: learned keys and values before the text, in every layer.

    attention sees [K_l; keys of the text], [V_l; values of the text],  K_l, V_l [V, heads, head_dim]

They are put into the cache as attention receives them, after rotation and key norm (the layout of the `peft`
library's PREFIX_TUNING). Starting from a real text's keys and values learns far better than noise.
Li and Liang 2021, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", arXiv 2101.00190, section 4;
Liu et al. 2021 (P-Tuning v2), arXiv 2110.07602.
"""

from typing import ClassVar, Literal

import torch

from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod, KeyValues
from tuneoff.models.soft import first_text

__all__ = ["Prefix"]


class Prefix(AdapterMethod):
    family: ClassVar[str] = "prompt tuning"
    paper: ClassVar[str] = "arXiv 2101.00190"

    length: int = knob(20, "learned positions", ge=1)
    start: Literal["text", "random"] = knob("text", "where the keys and values start: a text's own, or noise")
    text: str = knob("", "the text to start from; empty: the task's instruction")
    lr: float = knob(5e-3, "peak learning rate", gt=0, search=(1e-3, 3e-2))

    @property
    def roles(self) -> tuple[str, ...]:
        return ("cache",)

    @property
    def taken(self) -> int:
        return self.length

    def init(self, site, task, start, gen):
        if self.start == "random":
            shape = (self.length, site.heads, site.head_dim)
            return {name: torch.randn(shape, generator=gen) * 0.02 for name in ("k", "v")}
        states = start.key_values(site, self.text or first_text(task), self.length)
        return {"k": states.keys.float().cpu(), "v": states.values.float().cpu()}

    def form(self, site, p):
        return KeyValues(p["k"], p["v"])

    def peft(self, sites, tensors):
        # [V, layers * 2 * heads * head_dim], keys and values of a layer side by side
        rows = torch.cat([tensors[site.name][name].flatten(1) for site in sites for name in ("k", "v")], dim=1)
        config = {
            "peft_type": "PREFIX_TUNING",
            "num_virtual_tokens": self.length,
            "token_dim": sites[0].heads * sites[0].head_dim,
            "num_attention_heads": sites[0].heads,
            "num_layers": len(sites),
            "num_transformer_submodules": 1,
            "prefix_projection": False,
        }
        return config, {"prompt_embeddings": rows}

"""Prompt tuning: learned vectors at position 0, ahead of the text, its template and its BOS.

    [P_1 ... P_V] <bos> instruction input answer

Lester et al. 2021, arXiv 2104.08691. This is the layout of the `peft` library's PROMPT_TUNING.
"""

from tuneoff.models.soft import SoftPromptMethod

__all__ = ["SoftPrompt"]


class SoftPrompt(SoftPromptMethod):
    def peft(self, sites, tensors):
        rows = tensors[sites[0].name]["P"]
        config = {
            "peft_type": "PROMPT_TUNING",
            "num_virtual_tokens": self.length,
            "token_dim": rows.shape[1],
            "num_transformer_submodules": 1,
            "prompt_tuning_init": "RANDOM",
        }
        return config, {"prompt_embeddings": rows}

    @classmethod
    def from_peft(cls, config, state):
        if config["peft_type"] != "PROMPT_TUNING":
            return None
        rows = state["prompt_embeddings"].float()
        return cls(length=len(rows), start="random"), {"P": rows}

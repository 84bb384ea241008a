"""Full fine-tuning: all weights learn, or those of the top layers.

Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text Classification", arXiv 1801.06146, section 3.2.
"""

import re
from typing import ClassVar

from torch import nn

from tuneoff.core.config import knob
from tuneoff.models.adapt import WeightMethod
from tuneoff.models.sites import layer_modules

__all__ = ["Full"]


class Full(WeightMethod):
    family: ClassVar[str] = "full fine-tuning"
    paper: ClassVar[str] = "arXiv 1801.06146"

    top_layers: int = knob(0, "train only this many upper layers (and what follows them); 0: everything", ge=0)
    lr: float = knob(3e-5, "peak learning rate", gt=0, search=(5e-6, 2e-4))

    def trainable(self, net):
        names = [name for name, _ in net.named_parameters()]
        layers = [name for name, _ in layer_modules(net)]
        if not self.top_layers or self.top_layers >= len(layers):
            return names
        frozen = set(layers[: -self.top_layers])
        tables = {id(module.weight) for module in net.modules() if isinstance(module, nn.Embedding)}
        below = {name for name, p in net.named_parameters() if id(p) in tables}  # words, and learned positions
        lower = re.compile("|".join(rf"^{re.escape(layer)}\." for layer in frozen))
        return [name for name in names if name not in below and not lower.match(name)]

"""States that enter the lowest layer at which an arm acts: computed once for a record, and kept beside the contexts.

    full fine-tuning of the 4 upper of 30 layers: a step runs 4 layers forward and 4 back, and reads the rest

What they depend on is in their key: the base, the start that all prompts share, the layer, the row's tokens and where
each of them stands. So arms, trials and seeds share them, in training and in checks. They take a token's width, not the
keys and values of all layers.
"""

import torch
from torch import Tensor

from tuneoff.core.identity import content_hash
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows

__all__ = ["States"]


class States:
    """States of rows behind one start. key: of the base and the start. fixed: as `Contexts` has it."""

    def __init__(self, worn: Worn, start: Rows | None, cache: ContextCache, key: str, *, fixed: bool):
        self.worn, self.cache, self.fixed = worn, cache, fixed
        self._start = start
        self._key = content_hash([key, "enter", worn.lowest_layer])
        self._under: Past | None = None  # the start in the layers below, made when something is missing

    def start(self) -> Past | None:
        """The start in the layers above, with gradient where something learns there."""
        if self._start is None:
            return None
        key = content_hash([self._key, self._start.ids.tolist()])
        kept = self.cache.get(key)
        if kept is None:
            states, self._under = self.worn.below(self._start)
            kept = (_no_keys(self._start), states)
            self.cache.put(key, *kept)
        _, own = self.worn.run(self._start, read=self._start.ends, states=kept[1])
        return own

    def of(self, rows: Rows, branch: Tensor | None = None, tree: object = None) -> Tensor:
        """[N, width]. branch: [R, T, T], as `attention_masks` takes it, for rows that are always asked for together;
        tree: what it is made of."""
        if self.fixed:
            return self._kept(content_hash([self._key, rows.ids.tolist(), rows.lengths, tree]), rows, branch)
        each = (values.split(rows.lengths) for values in (rows.ids, rows.position, rows.owner))
        alone = [Rows(*of_row, (len(of_row[0]),)) for of_row in zip(*each)]
        return torch.cat([self._kept(content_hash([self._key, row.ids.tolist()]), row, None) for row in alone])

    def _kept(self, key: str, rows: Rows, branch: Tensor | None) -> Tensor:
        kept = self.cache.get(key)
        if kept is not None:
            return kept[1]
        if self._under is None and self._start is not None:
            _, self._under = self.worn.below(self._start)
        states, _ = self.worn.below(rows, self._under, branch)
        self.cache.put(key, _no_keys(rows), states)
        return states


def _no_keys(rows: Rows) -> Past:
    return Past((), (), rows.position[None], torch.ones_like(rows.position[None], dtype=torch.bool))

"""Keys and values of what was run before, with the position of each: the currency of prefix-once and caching.

Attention is masked by positions and reality alone, never by where a key happens to lie in memory. So padding may
stand anywhere, rows may be of any lengths, and sliding windows measure true distances. Nothing is ever cropped.

Pasts stand behind one another without being copied: a start of one row, seen by all; each row's prompt; what was
written since. `blocks` are the links of this chain, from the first on.

Letters: L layers, R rows, H key/value heads, K keys, T new positions, D width of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

__all__ = ["Past", "attention_masks", "stacked"]


@dataclass(frozen=True, slots=True)
class Past:
    """keys, values: one [R, H, K, D] per layer. position: [R, K]. real: [R, K], False on padding.

    before: what stands before all of this, of as many rows, or of one that every row sees.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    position: Tensor
    real: Tensor
    before: "Past | None" = None

    @property
    def blocks(self) -> list["Past"]:
        """The links of the chain, the first one first; each has keys and values of its own."""
        return [self] if self.before is None else [*self.before.blocks, self]

    @property
    def rows(self) -> int:
        return max(block.position.shape[0] for block in self.blocks)

    @property
    def next_position(self) -> Tensor:
        """[R]: the position of the next token of each row."""
        ends = [torch.where(block.real, block.position, -1).amax(dim=1) for block in self.blocks]
        return torch.stack([end.expand(self.rows) for end in ends]).amax(dim=0) + 1

    def behind(self, before: "Past | None") -> "Past":
        """This past with another before it; nothing is copied."""
        return replace(self, before=before if self.before is None else self.before.behind(before))

    def places(self) -> "Past":
        """Positions and reality of the whole chain as one block, without keys and values."""
        blocks = [(block.position.expand(self.rows, -1), block.real.expand(self.rows, -1)) for block in self.blocks]
        return Past((), (), *(torch.cat(each, dim=1) for each in zip(*blocks)))

    def whole(self) -> "Past":
        """The chain as one block of R rows, copied where it has several links."""
        first, *later = [
            block if len(block.position) == self.rows else block.expand(self.rows) for block in self.blocks
        ]
        whole = replace(first, before=None)
        for block in later:
            whole = whole.then(block)
        return whole

    def expand(self, rows: int) -> "Past":
        """A single row seen by many; no memory is copied. What stands before it is left out."""
        return Past(
            tuple(k.expand(rows, -1, -1, -1) for k in self.keys),
            tuple(v.expand(rows, -1, -1, -1) for v in self.values),
            self.position.expand(rows, -1),
            self.real.expand(rows, -1),
        )

    def select(self, rows: Tensor) -> "Past":
        """Some of the rows; a block of one row is seen by whatever is left."""
        before = None if self.before is None else self.before.select(rows)
        if self.position.shape[0] == 1:
            return replace(self, before=before)
        return Past(
            tuple(k.index_select(0, rows) for k in self.keys),  # five times as fast as k[rows] on a processor
            tuple(v.index_select(0, rows) for v in self.values),
            self.position[rows],
            self.real[rows],
            before,
        )

    def then(self, later: "Past") -> "Past":
        """This past, followed by a later one of the same rows, as one block."""
        return Past(
            tuple(torch.cat(pair, dim=2) for pair in zip(self.keys, later.keys)),
            tuple(torch.cat(pair, dim=2) for pair in zip(self.values, later.values)),
            torch.cat([self.position, later.position], dim=1),
            torch.cat([self.real, later.real], dim=1),
            self.before,
        )

    def nothing(self) -> "Past":
        """A past of one row that holds no key."""
        return Past(
            tuple(k[:1, :, :0] for k in self.keys),
            tuple(v[:1, :, :0] for v in self.values),
            self.position[:1, :0],
            self.real[:1, :0],
        )

    def row(self, at: int) -> "Past":
        """One row without its padding, detached and on its own memory, for keeping."""
        real = self.real[at]
        return Past(
            tuple(k[at : at + 1, :, real].detach().clone() for k in self.keys),
            tuple(v[at : at + 1, :, real].detach().clone() for v in self.values),
            self.position[at : at + 1, real],
            self.real[at : at + 1, real],
        )

    def as_cache(self) -> DynamicCache:
        """What a transformers model takes; it grows a copy and leaves this past as it is."""
        cache = DynamicCache()
        for keys, values in zip(self.keys, self.values):
            layer = DynamicLayer()
            layer.dtype, layer.device = keys.dtype, keys.device
            layer.keys, layer.values, layer.is_initialized = keys, values, True
            cache.layers.append(layer)
        return cache


def stacked(pasts: Sequence[Past]) -> Past:
    """Single rows of different lengths as one past, padded at the end (masks go by position, so the side is free)."""
    longest = max(past.position.shape[1] for past in pasts)
    first = pasts[0]

    def fill(pick) -> tuple[Tensor, ...]:
        layers = []
        for layer in range(len(first.keys)):
            one = pick(first)[layer]
            block = one.new_empty(len(pasts), one.shape[1], longest, one.shape[3])
            for row, past in enumerate(pasts):
                length = past.position.shape[1]
                block[row, :, :length] = pick(past)[layer][0]
                block[row, :, length:] = 0
            layers.append(block)
        return tuple(layers)

    position = first.position.new_zeros(len(pasts), longest)
    real = torch.zeros_like(position, dtype=torch.bool)
    for row, past in enumerate(pasts):
        position[row, : past.position.shape[1]] = past.position[0]
        real[row, : past.position.shape[1]] = True
    return Past(fill(lambda past: past.keys), fill(lambda past: past.values), position, real)


def attention_masks(
    windows: dict[str, int | None],
    position: Tensor,
    real: Tensor,
    past: Past | None,
    dtype: torch.dtype,
    branch: Tensor | None = None,
) -> Tensor | dict[str, Tensor]:
    """Additive masks [R, 1, T, K + T]: one, or one per layer type.

    A position sees real keys at or before it, inside the window. branch: [T, T] or [R, T, T], True where a new
    position may see another new one (the tree of answer choices); None: all that came before.
    """
    own = real[:, None, :] & (position[:, None, :] <= position[:, :, None])
    if branch is not None:
        own = own & branch
    own = own | torch.eye(position.shape[1], dtype=torch.bool, device=position.device)  # padding sees itself: no NaN
    key_position, allowed = position, own
    if past is not None:
        before = past.real[:, None, :] & (past.position[:, None, :] <= position[:, :, None])
        key_position, allowed = torch.cat([past.position, position], dim=1), torch.cat([before, own], dim=2)
    distance = position[:, :, None] - key_position[:, None, :]
    floor = torch.finfo(dtype).min
    masks = {
        kind: torch.zeros(allowed.shape, dtype=dtype, device=position.device)
        .masked_fill_(~(allowed if window is None else allowed & (distance < window)), floor)
        .unsqueeze(1)
        for kind, window in windows.items()
    }
    return masks.get("", masks)

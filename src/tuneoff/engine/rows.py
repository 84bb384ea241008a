"""New positions of several rows, real ones only, one row after another: what a model is run on.

    rows of 3, 1 and 2 tokens -> ids [a0 a1 a2 b0 c0 c1], positions [7 8 9  5  6 7], lengths (3, 1, 2)

Padding exists only where something needs a block [R, T]; `index` says where each real position then comes from.

Letters: N real positions, R rows, T the longest row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Rows", "joined"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """ids, position, owner: [N]; owner is the adapter that owns a virtual position, -1 on text. lengths: R of them."""

    ids: Tensor
    position: Tensor
    owner: Tensor
    lengths: tuple[int, ...]

    @classmethod
    def of(
        cls, ids: Sequence[Sequence[int]], first: Tensor | int, device, owners: Sequence[Sequence[int]] | None = None
    ) -> "Rows":
        """Rows of ids, each counting on from its first position (one for all, or [R])."""
        lengths = tuple(map(len, ids))
        flat = torch.tensor([token for row in ids for token in row], device=device)
        owner = torch.full_like(flat, -1)
        if owners is not None:
            owner = torch.tensor([number for row in owners for number in row], device=device)
        within = torch.tensor([at for length in lengths for at in range(length)], device=device)
        return cls(flat, within + _per_token(first, lengths, device), owner, lengths)

    @classmethod
    def block(
        cls, ids_T: Sequence[int], within_T: Sequence[int], first_R: Tensor, owner: Sequence[int] | None
    ) -> "Rows":
        """The same ids in every row, at the same places within it (a tree's depths, say)."""
        rows, device = len(first_R), first_R.device
        ids = torch.tensor(ids_T, device=device).repeat(rows)
        position = (first_R[:, None] + torch.tensor(within_T, device=device)).flatten()
        owned = torch.full_like(ids, -1) if owner is None else torch.tensor(owner, device=device).repeat(rows)
        return cls(ids, position, owned, (len(ids_T),) * rows)

    @property
    def longest(self) -> int:
        return max(self.lengths)

    @property
    def ends(self) -> Tensor:
        """[R]: the place of each row's last position among the N."""
        return torch.tensor(self.lengths, device=self.ids.device).cumsum(0) - 1

    @property
    def index(self) -> Tensor:
        """[R, T]: the place of each position among the N; -1 on padding, which stands at the end."""
        device = self.ids.device
        length = torch.tensor(self.lengths, device=device)
        within = torch.arange(self.longest, device=device)
        return torch.where(within < length[:, None], (length.cumsum(0) - length)[:, None] + within, -1)

    def padded(self, values_N: Tensor, fill: int) -> Tensor:
        """[R, T] of one value per position."""
        index = self.index
        return torch.where(index < 0, fill, values_N[index.clamp(min=0)])


def joined(rows: Sequence[Rows]) -> Rows:
    """Rows of several, one after another. Owners are those of each one's own adapters."""
    return Rows(
        torch.cat([each.ids for each in rows]),
        torch.cat([each.position for each in rows]),
        torch.cat([each.owner for each in rows]),
        tuple(length for each in rows for length in each.lengths),
    )


def _per_token(first: Tensor | int, lengths: tuple[int, ...], device) -> Tensor | int:
    if isinstance(first, int):
        return first
    return first.repeat_interleave(torch.tensor(lengths, device=device))

"""Attention of a whole pass as one kernel, for GPUs: all positions in one row, and a mask that says who sees whom.

    keys:  [ past blocks, row after row | own keys, row after row ]      queries: own, row after row
    a query sees a key of its own row, of its past's row, of its start, or of a block that all see,
    where the additive mask of its row says so

The masks are the same that folds are cut from (engine/folds.py), so trees, windows and padding need no words of their
own. torch's flex attention leaves out blocks in which nobody sees anybody (Dong et al. 2024, arXiv 2412.05496). It is
compiled on its first use, and has no backward on processors.

Letters: N positions, R rows, K keys in all, C columns of a mask.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from tuneoff.engine.attention import FoldPlan, fold_plan
from tuneoff.engine.folds import Starts
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows

__all__ = ["FlexPlan", "flex_plan"]

ALL = -1  # of a key that every row sees
MOST_PAIRS = 1 << 26  # of queries and keys: 16 bytes each while a mask is made; beyond, folds take less


class FlexPlan(NamedTuple):
    """masks: for each kind of layer."""

    masks: Mapping[str, BlockMask]

    def attend(self, kind: str, scale: float, q: Tensor, k: Tensor, v: Tensor, past: Sequence[Tensor]) -> Tensor:
        """q [N, H, J, D], k and v [N, H, D], then keys and values [1 or R, H, K, D] of each block of the past ->
        [N, H, J, D]."""
        keys, values = (
            torch.cat([*(block.transpose(0, 1).flatten(1, 2) for block in past[at::2]), own.transpose(0, 1)], dim=1)
            for at, own in enumerate((k, v))
        )
        query = q.flatten(1, 2).transpose(0, 1)[None]
        out = _kernel(q.device.type)(
            query, keys[None], values[None], block_mask=self.masks[kind], scale=scale, enable_gqa=True
        )
        return out[0].transpose(0, 1).unflatten(1, q.shape[1:3])


@cache
def _kernel(device: str) -> Callable[..., Tensor]:
    return flex_attention if device == "cpu" else torch.compile(flex_attention, dynamic=True)


def flex_plan(
    rows: Rows, masks: Mapping[str, Tensor], past: Sequence[Past], starts: Starts | None
) -> FlexPlan | FoldPlan:
    """masks: [R or 1, 1, T, C] additive, by kind of layer; of the rows that are no starts. past: its blocks. Folds
    where the mask of all pairs would be too large."""
    keys = len(rows.ids) + sum(block.position.numel() for block in past)
    if len(rows.ids) * keys > MOST_PAIRS:
        return fold_plan(rows, masks, past, starts)
    device = rows.ids.device
    own = _Places.of(rows, sum(block.position.shape[1] for block in past), starts)
    group, column = _past_keys(past, len(rows.lengths), device)
    group, column = torch.cat([group, own.row]), torch.cat([column, own.column])

    def blocks(kind: str) -> BlockMask:
        tables = [masks[kind]] if starts is None else [starts.masks[kind], masks[kind]]
        flat = torch.cat([table.flatten() == 0 for table in tables])
        line = own.lines(tables)

        def sees(batch, head, query, key):
            at = group[key]
            met = (at == ALL) | (at == own.row[query]) | (at == own.start[query]) | (at == own.past[query])
            return met & flat[(line[query] + column[key]).clamp(max=len(flat) - 1)]

        return create_block_mask(sees, None, None, len(rows.ids), len(group), device=device)

    return FlexPlan({kind: blocks(kind) for kind in masks})


class _Places(NamedTuple):
    """Of each position, [N]: its row; the row of its start, or its own; its row of the past, counted on from the rows;
    its place in its row; the column of a mask that tells who sees it; which table has its row, and where."""

    row: Tensor
    start: Tensor
    past: Tensor
    within: Tensor
    column: Tensor
    behind: Tensor
    number: Tensor

    @classmethod
    def of(cls, rows: Rows, seen: int, starts: Starts | None) -> "_Places":
        device = rows.ids.device
        count = len(rows.lengths)
        number = torch.arange(count, device=device)
        start, past, behind = number, number, torch.zeros_like(number)
        ahead = 0
        if starts is not None:
            behind = torch.ones_like(number).index_fill(0, starts.rows, 0)
            others = behind.nonzero()[:, 0]
            start = number.index_copy(0, others, starts.rows[starts.of])
            past = number.index_copy(0, starts.rows, torch.arange(len(starts.rows), device=device))
            past = past.index_copy(0, others, starts.of)
            number = torch.where(behind == 1, behind.cumsum(0) - 1, (1 - behind).cumsum(0) - 1)
            ahead = max(rows.lengths[row] for row in starts.rows.tolist())
        length = torch.tensor(rows.lengths, device=device)
        row = torch.arange(count, device=device).repeat_interleave(length)
        within = torch.arange(len(row), device=device) - (length.cumsum(0) - length)[row]
        column = seen + within + ahead * behind[row]
        return cls(row, start[row], count + past[row], within, column, behind[row], number[row])

    def lines(self, tables: Sequence[Tensor]) -> Tensor:
        """[N]: where each position's line begins, in the tables [R or 1, 1, T, C] written one after another."""
        begins, lines = 0, []
        for table in tables:
            alike, _, height, width = table.shape
            number = self.number if alike > 1 else torch.zeros_like(self.number)
            lines.append(begins + (number * height + self.within) * width)
            begins += table.numel()
        return lines[0] if len(lines) == 1 else torch.where(self.behind == 1, lines[1], lines[0])


def _past_keys(past: Sequence[Past], rows: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Of each key of the past, [K]: its row, counted on from the rows, or ALL; and its column of the masks."""
    none = torch.empty(0, dtype=torch.long, device=device)
    groups, columns, seen = [none], [none], 0
    for block in past:
        of, keys = block.position.shape
        row = torch.arange(of, device=device) + rows if of > 1 else torch.full((1,), ALL, device=device)
        groups.append(row.repeat_interleave(keys))
        columns.append((seen + torch.arange(keys, device=device)).repeat(of))
        seen += keys
    return torch.cat(groups), torch.cat(columns)

"""How the attention of packed rows is cut into blocks: rows of alike lengths together, long rows in slices.

    lengths (48, 47, 45, 12) -> rows 0, 1, 2 as [3, 48] and row 3 as [1, 12]

A block is dense and causal, so padding at a row's end is never seen by a real position: only its own output is
garbage, and is dropped. A slice of a long row sees keys up to its own end alone, which saves half of the scores.

Letters: N packed positions, R rows, G rows of a fold, Q queries, S own keys, K all keys (those of the past first).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuneoff.engine.rows import Rows

__all__ = ["Fold", "Starts", "folds", "folds_behind"]

ALIKE = 0.75  # of the longest row's length: shorter ones would pay more for padding than a block of their own costs
SLICE = 256  # queries of a slice


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """queries: [G, Q] and keys: [G, S], places among the N; padding repeats the row's last place.

    rows: [G], the rows of the past that are seen, or None where these are all of them in order. put: queries, with N in
    the place of padding. real: [G, Q], or None where nothing is padded. whole: whether queries and keys are all N in
    order, so that nothing is gathered. masks: [G or 1, 1, Q, 1, K] for each kind of layer; None where all is seen.
    behind: whether starts of the same pass stand behind the past and before own keys.
    """

    rows: Tensor | None
    queries: Tensor
    keys: Tensor
    put: Tensor
    real: Tensor | None
    whole: bool
    masks: Mapping[str, Tensor | None]
    behind: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Starts:
    """Rows of a pass that others of the same pass stand behind.

    rows: [S], their numbers; the past has as many rows, or one. of: [R - S], which of them each other row sees.
    masks: theirs, behind the past alone.
    """

    rows: Tensor
    of: Tensor
    masks: Mapping[str, Tensor]


def folds(rows: Rows, masks: Mapping[str, Tensor], seen: int) -> list[Fold]:
    """Cut packed rows up. masks: [R or 1, 1, T, seen + T] additive, by kind of layer; seen: keys of the past."""
    return _folds(rows.index, rows.lengths, len(rows.ids), masks, seen)


def folds_behind(rows: Rows, masks: Mapping[str, Tensor], seen: int, starts: Starts) -> tuple[list[Fold], Tensor]:
    """Cut up rows of which some stand behind others. masks: of those behind.

    Returns the folds, and [S, T]: the places of the starts, padding repeating the last one.
    """
    index, total = rows.index, len(rows.ids)
    first = set(starts.rows.tolist())
    others = torch.tensor([row for row in range(len(rows.lengths)) if row not in first], device=index.device)
    ahead, behind = ([rows.lengths[row] for row in some.tolist()] for some in (starts.rows, others))
    at_starts, at_others = index[starts.rows, : max(ahead)], index[others, : max(behind)]
    own = torch.arange(len(ahead), device=index.device)
    made = _folds(at_starts, ahead, total, masks=starts.masks, seen=seen, past=own)
    made += _folds(at_others, behind, total, masks=masks, seen=seen + max(ahead), past=starts.of, behind=True)
    return made, torch.where(at_starts >= 0, at_starts, at_starts.amax(dim=1, keepdim=True))


def _folds(
    index: Tensor,
    lengths: Sequence[int],
    total: int,
    masks: Mapping[str, Tensor],
    seen: int,
    past: Tensor | None = None,
    behind: bool = False,
) -> list[Fold]:
    """index: [R, T], places among `total`. past: [R], the row of the past that each sees; None: its own."""
    made = []
    for chosen in _alike(lengths):
        longest = max(lengths[row] for row in chosen)
        everything = chosen == list(range(len(lengths)))
        at = torch.tensor(chosen, device=index.device)
        own = index if everything else index[at, :longest]
        last = own.amax(dim=1, keepdim=True)
        real = own >= 0
        filled = torch.where(real, own, last)
        padded = min(lengths[row] for row in chosen) < longest
        seen_rows = at if past is None else past[at]
        for first, end in _slices(longest):
            made.append(
                Fold(
                    rows=None if everything and past is None else seen_rows,
                    queries=filled[:, first:end],
                    keys=filled[:, :end],
                    put=torch.where(real, own, total)[:, first:end],
                    real=real[:, first:end] if padded else None,
                    whole=everything and not padded and (first, end) == (0, longest) and filled.numel() == total,
                    masks={kind: _cut(mask, at, first, end, seen) for kind, mask in masks.items()},
                    behind=behind,
                )
            )
    return made


def _alike(lengths: Sequence[int]) -> list[list[int]]:
    """Rows together that are alike in length, in their own order within each group."""
    if min(lengths) >= ALIKE * max(lengths):
        return [list(range(len(lengths)))]
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if groups and lengths[row] >= ALIKE * lengths[groups[-1][0]]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return [sorted(group) for group in groups]


def _slices(length: int) -> Iterator[tuple[int, int]]:
    for first in range(0, length, SLICE):
        yield first, min(first + SLICE, length)


def _cut(mask: Tensor, rows: Tensor, first: int, end: int, seen: int) -> Tensor | None:
    """The part of a mask that a fold needs, with a place for the heads that share a key."""
    own = mask if mask.shape[0] == 1 else mask[rows]
    part = own[:, :, first:end, : seen + end].unsqueeze(3)
    return part if bool((part != 0).any()) else None

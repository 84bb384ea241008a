"""Attention of packed rows, fold by fold, with its backward written out.

    p = softmax(scale q [k_past; k]^T + mask),  out = p [v_past; v]

The heads that share a key stand side by side as more rows of one matmul. A long past of one row is read by all rows in
one matmul, never copied. Starts that run in the same pass give one more block of the past to the rows behind them.
Probabilities are kept for short rows and made again for long ones.

Letters: N positions, G rows of a fold, H key/value heads, J query heads that share one, Q queries, S own keys, K all
keys, D width of a head.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tuneoff.engine.folds import Fold, Starts, folds, folds_behind
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows

__all__ = ["FoldPlan", "fold_plan"]

# up to here, of a row and head, probabilities are kept for the backward; beyond, they are made again
KEPT_SCORES = 1 << 16
NEAR_KEYS = 64  # a start of one row up to here is copied to each row: cheaper than a matmul and a sum of its own


class FoldPlan(NamedTuple):
    """starts: [S, T], places of rows that others of the pass stand behind, padding repeating the last one."""

    folds: Sequence[Fold]
    starts: Tensor | None = None

    def attend(self, kind: str, scale: float, q: Tensor, k: Tensor, v: Tensor, past: Sequence[Tensor]) -> Tensor:
        """q [N, H, J, D], k and v [N, H, D], then keys and values [1 or R, H, K, D] of each block of the past ->
        [N, H, J, D]. kind: of the layer."""
        return _Attend.apply(self, kind, scale, q, k, v, *past)


def fold_plan(rows: Rows, masks: Mapping[str, Tensor], past: Sequence[Past], starts: Starts | None) -> FoldPlan:
    """masks: [R or 1, 1, T, K] additive, by kind of layer; of the rows that are no starts. past: its blocks."""
    seen = sum(block.position.shape[1] for block in past)
    if starts is None:
        return FoldPlan(folds(rows, masks, seen))
    return FoldPlan(*folds_behind(rows, masks, seen, starts))


class _Attend(torch.autograd.Function):
    """q [N, H, J, D], k and v [N, H, D], then keys and values [1 or R, H, K, D] of each block of the past. Those of the
    plan's starts are one more block of it, for the folds behind them."""

    @staticmethod
    def forward(ctx, plan, kind, scale, q, k, v, *past):
        ctx.plan, ctx.kind, ctx.scale = plan, kind, scale
        kept: list[Tensor | None] = []
        behind = _with_starts(past, plan.starts, k, v)
        out = q.new_empty(len(q) + 1, *q.shape[1:3], v.shape[-1])
        for fold in plan.folds:
            look = _Look(fold, kind, scale, (q, k, v), behind if fold.behind else past)
            p = look.probabilities()
            _put(out, fold, look.read(p))
            if any(ctx.needs_input_grad):
                kept.append(p if fold.queries.shape[1] * p.shape[-1] <= KEPT_SCORES else None)
        ctx.save_for_backward(q, k, v, *kept, *past)
        return out[:-1]

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        q, k, v, *others = ctx.saved_tensors
        kept, past = others[: len(ctx.plan.folds)], others[len(ctx.plan.folds) :]
        wanted = ctx.needs_input_grad[3:]
        behind = _with_starts(past, ctx.plan.starts, k, v)
        grads = [torch.zeros(len(t) + 1, *t.shape[1:], dtype=t.dtype, device=t.device) for t in (q, k, v)]
        grads += [torch.zeros_like(t) if need else None for t, need in zip(past, wanted[3:])]
        grads += [torch.zeros_like(t) for t in behind[len(past) :]]
        for fold, p in zip(ctx.plan.folds, kept):
            seen = behind if fold.behind else past
            look = _Look(fold, ctx.kind, ctx.scale, (q, k, v), seen)
            look.send_back(look.probabilities() if p is None else p, grad, grads[: 3 + len(seen)])
        for own, at_starts in zip(grads[1:3], grads[3 + len(past) :]):
            _add_at(own, ctx.plan.starts, at_starts)
        own = [g[:-1] if need else None for g, need in zip(grads, wanted[:3])]
        return None, None, None, *own, *grads[3 : 3 + len(past)]


def _with_starts(past: Sequence[Tensor], starts: Tensor | None, k: Tensor, v: Tensor) -> Sequence[Tensor]:
    """The past's keys and values, and those of the starts [S, H, T, D] as its last block."""
    return past if starts is None else [*past, *(_gather(own, starts, False) for own in (k, v))]


class _Look:
    """One fold's queries and the keys and values that they see, block by block, its own last."""

    def __init__(self, fold: Fold, kind: str, scale: float, own: Sequence[Tensor], past: Sequence[Tensor]):
        q, k, v = own
        self.fold, self.mask, self.scale = fold, fold.masks[kind], scale
        self.q = _gather(q, fold.queries, fold.whole).flatten(2, 3)  # [G, H, Q J, D]
        self.joined = q.shape[2]
        keys, values = ([_of_rows(block, fold) for block in past[which::2]] for which in (0, 1))
        self.near = keys.pop().shape[2] if past and _is_near(past[-1]) else 0  # keys of the start that own ones join
        near = [past[-2:][which].expand(len(self.q), -1, -1, -1) if self.near else None for which in (0, 1)]
        values = values[: len(keys)]
        self.keys = [*keys, _behind(near[0], _gather(k, fold.keys, fold.whole))]
        self.values = [*values, _behind(near[1], _gather(v, fold.keys, fold.whole))]
        self.widths = [block.shape[2] for block in self.keys]

    def probabilities(self) -> Tensor:
        """[G, H, Q J, K]."""
        scores = _join([_times(self.q, block.transpose(2, 3)) for block in self.keys]).mul_(self.scale)
        if self.mask is not None:
            scores.unflatten(2, (-1, self.joined)).add_(self.mask)
        return torch.softmax(scores, dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(scores.dtype)

    def read(self, p: Tensor) -> Tensor:
        """[G, H, Q J, D]: what the queries get."""
        return _sum([_times(part, block) for part, block in zip(p.split(self.widths, dim=-1), self.values)])

    def send_back(self, p: Tensor, grad: Tensor, grads: list[Tensor | None]) -> None:
        """Add this fold's share to the gradients of q, k, v and of the past's blocks."""
        fold, parts = self.fold, p.split(self.widths, dim=-1)
        g = _gather(grad, fold.queries, fold.whole)
        if fold.real is not None:
            g = g * fold.real[:, None, :, None, None]
        g = g.flatten(2, 3)
        d_p = _join([_times(g, block.transpose(2, 3)) for block in self.values])
        d_s = torch._softmax_backward_data(d_p, p, -1, p.dtype).mul_(self.scale)
        sent = d_s.split(self.widths, dim=-1)
        _put(grads[0], fold, _sum([_times(part, block) for part, block in zip(sent, self.keys)]))
        for at in range(len(self.keys) - 1):
            for grad_at, left, right in ((3 + 2 * at, sent[at], self.q), (4 + 2 * at, parts[at], g)):
                if grads[grad_at] is not None:
                    _add_past(grads[grad_at], fold, left, right)
        for which, left, right in ((0, sent[-1], self.q), (1, parts[-1], g)):
            own = left.transpose(2, 3) @ right
            _add(grads[1 + which], fold, own[:, :, self.near :])
            if self.near and grads[which - 2] is not None:
                grads[which - 2] += own[:, :, : self.near].sum(dim=0, keepdim=True)


def _is_near(block: Tensor) -> bool:
    return block.shape[0] == 1 and block.shape[2] <= NEAR_KEYS


def _behind(near: Tensor | None, own: Tensor) -> Tensor:
    return own if near is None else torch.cat([near, own], dim=2)


def _gather(x: Tensor, at: Tensor, whole: bool) -> Tensor:
    """[N, H, ...] -> [G, H, Q, ...], contiguous."""
    chosen = x if whole else x.index_select(0, at.flatten())
    return chosen.unflatten(0, at.shape).transpose(1, 2).contiguous()


def _put(out: Tensor, fold: Fold, x: Tensor) -> None:
    """[G, H, Q J, D] to its places in [N + 1, H, J, D]; the last place takes the padding."""
    rows = x.unflatten(2, (-1, out.shape[2])).transpose(1, 2)
    if fold.whole:
        out[:-1].unflatten(0, fold.put.shape).copy_(rows)
    else:
        out.index_copy_(0, fold.put.flatten(), rows.flatten(0, 1))


def _add(grad: Tensor, fold: Fold, x: Tensor) -> None:
    """[G, H, S, D] onto its places in [N + 1, H, D]. Padding brings zeros, to the row's last place."""
    if fold.whole:
        grad[:-1].unflatten(0, fold.keys.shape).copy_(x.transpose(1, 2))
    else:
        _add_at(grad, fold.keys, x)


def _add_at(grad: Tensor, at: Tensor, x: Tensor) -> None:
    grad.index_add_(0, at.flatten(), x.transpose(1, 2).flatten(0, 1))


def _add_past(grad: Tensor, fold: Fold, left: Tensor, right: Tensor) -> None:
    """left^T right onto the gradient of a block of the past; a block of one row takes the sum over rows."""
    if grad.shape[0] == 1:
        grad[0] += _side_by_side(left).transpose(1, 2) @ _side_by_side(right)
    elif fold.rows is None:
        grad += left.transpose(2, 3) @ right
    else:
        grad.index_add_(0, fold.rows, left.transpose(2, 3) @ right)


def _of_rows(block: Tensor, fold: Fold) -> Tensor:
    return block if block.shape[0] == 1 or fold.rows is None else block[fold.rows]


def _times(x: Tensor, block: Tensor) -> Tensor:
    """[G, H, M, A] x [G or 1, H, A, B] -> [G, H, M, B]; one row's block meets all rows in one matmul."""
    if block.shape[0] == len(x):
        return x @ block
    return (_side_by_side(x) @ block[0]).unflatten(1, (len(x), -1)).transpose(0, 1)


def _side_by_side(x: Tensor) -> Tensor:
    """[G, H, M, A] -> [H, G M, A]."""
    return x.transpose(0, 1).flatten(1, 2)


def _join(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _sum(parts: Sequence[Tensor]) -> Tensor:
    first, *others = parts
    for part in others:
        first = first.add_(part)
    return first

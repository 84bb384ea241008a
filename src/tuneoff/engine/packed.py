"""The trunk on packed rows: real tokens only through every linear layer, attention on rows folded by length.

A transformers model asks for its attention by name, and hands new keys and values to a cache. Both are ours here:
the cache keeps the new ones and hands them back as they are, the attention puts them behind the past, fold by fold

    p = softmax(scale q [k_past; k]^T + mask),  out = p [v_past; v]

with the heads that share a key side by side as more rows of one matmul, and a long past of one row read by all rows
in one matmul, never copied. Where something learns in a start that rows share, the start is a row of the same pass, and
its keys and values stand before theirs like a past's. The backward is written out: probabilities are kept for short
rows and made again for long ones. Models that do not ask this way, or ask for more than this says, are found out by a
trial on five tokens.

Letters: N positions, G rows, H key/value heads, J query heads that share one, Q queries, S own keys, D width of a head.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers import DynamicCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tuneoff.engine.below import Reached, begins_above, ends_before
from tuneoff.engine.folds import Fold, Plan, Starts, folds, folds_behind
from tuneoff.engine.last_layer import Attended, read_only
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows
from tuneoff.models.base import Base

__all__ = ["CannotPack", "Ways", "run_below", "run_packed", "ways"]

NAME = "tuneoff_packed"
# up to here, of a row and head, probabilities are kept for the backward; beyond, they are made again
KEPT_SCORES = 1 << 16
NEAR_KEYS = 64  # a start of one row up to here is copied to each row: cheaper than a matmul and a sum of its own


class CannotPack(Exception):
    """The model asks its attention for something that packed rows do not say."""


class Pass(DynamicCache):
    """One run of the trunk: its plan, its pasts, and the keys and values it makes. kinds: of each layer. first: the
    lowest layer that runs, and that the pasts have keys of."""

    def __init__(self, plan: Plan, blocks: Sequence[Past], kinds: Sequence[str], first: int):
        super().__init__()
        self.plan, self.blocks, self.kinds = plan, blocks, kinds
        self.made: dict[int, tuple[Tensor, Tensor]] = {}
        self.layer = -1  # the one whose attention asks next
        self.first = first
        self.stops, self.attended = False, None  # of the last layer: see engine/last_layer.py

    def update(self, key_states, value_states, layer_idx):
        self.layer = layer_idx
        self.made.setdefault(layer_idx, (key_states, value_states))
        return key_states, value_states


_under_way: ContextVar[Pass] = ContextVar("packed pass")


def run_packed(
    base: Base,
    embedded_1NE: Tensor,
    rows: Rows,
    past: Past | None,
    masks: Mapping[str, Tensor],
    *,
    read: Tensor | None = None,
    look: Callable[[Tensor], None] = lambda read: None,
    first: int = 0,
    starts: Starts | None = None,
) -> tuple[Tensor, Pass]:
    """Hidden states [N, width] of packed rows behind a past. masks: as `attention_masks` makes them, by kind.

    read: [M] places among the N; the states are then [M, width]. look: as `read_only` calls it. first: the lowest layer
    that runs; what is embedded are then the states that enter it. starts: rows that the others stand behind, if any;
    the masks are then of the others.
    """
    with _a_pass(base, rows, past, masks, first, starts) as made:
        last = nullcontext() if read is None else read_only(base.stack[-1], made, read, look)
        with last, begins_above(base.stack[:first], embedded_1NE):
            output = _trunk(base, embedded_1NE, rows, made)
    return output.last_hidden_state[0], made


def run_below(
    base: Base, embedded_1NE: Tensor, rows: Rows, past: Past | None, masks: Mapping[str, Tensor], end: int
) -> tuple[Tensor, Pass]:
    """The states [N, width] that enter layer `end`, behind a past that has keys of the layers below it."""
    with _a_pass(base, rows, past, masks) as made, ends_before(base.stack[end]):
        try:
            _trunk(base, embedded_1NE, rows, made)
        except Reached as reached:
            return reached.states[0], made
    raise CannotPack("the trunk went round its layers")


@contextmanager
def _a_pass(
    base: Base,
    rows: Rows,
    past: Past | None,
    masks: Mapping[str, Tensor],
    first: int = 0,
    starts: Starts | None = None,
) -> Iterator[Pass]:
    blocks = [] if past is None else past.blocks
    seen = sum(block.position.shape[1] for block in blocks)
    plan = Plan(folds(rows, masks, seen)) if starts is None else folds_behind(rows, masks, seen, starts)
    made = Pass(plan, blocks, layer_kinds(base, masks), first)
    token = _under_way.set(made)
    try:
        with _attention_of(base.config, NAME):
            yield made
    finally:
        _under_way.reset(token)


def _trunk(base: Base, embedded_1NE: Tensor, rows: Rows, made: Pass):
    return base.trunk(
        inputs_embeds=embedded_1NE, position_ids=rows.position[None], past_key_values=made, use_cache=True
    )


def new_past(made: Pass, rows: Rows) -> Past:
    """Keys and values of packed rows as blocks [R, H, T, D], padding at the end."""
    index = rows.index
    real = index >= 0
    flat = index.clamp(min=0)
    whole = bool(real.all())

    def block(states: Tensor) -> Tensor:
        if whole:
            return states[0].unflatten(1, index.shape).transpose(0, 1)
        return states[0][:, flat].transpose(0, 1)

    layers = [made.made[at] for at in sorted(made.made)]
    keys, values = (tuple(block(layer[which]) for layer in layers) for which in (0, 1))
    return Past(keys, values, rows.padded(rows.position, 0), real)


def layer_kinds(base: Base, masks: Mapping[str, Tensor]) -> list[str]:
    """Which of the masks each layer wants."""
    return list(base.config.layer_types) if len(masks) > 1 else [next(iter(masks))] * base.layers


@contextmanager
def _attention_of(config, name: str) -> Iterator[None]:
    was = config._attn_implementation
    config._attn_implementation = name
    try:
        yield
    finally:
        config._attn_implementation = was


def _attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **asked):
    """What a model calls: query [1, H J, N, D], key and value [1, H, N, D] -> [1, N, H J, D]."""
    unsaid = [name for name in ("softcap", "s_aux", "position_bias") if asked.get(name) is not None]
    if unsaid or dropout or attention_mask is not None:
        raise CannotPack(", ".join(unsaid))
    run = _under_way.get()
    if run.attended is not None:
        return run.attended, None
    heads = key.shape[1]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    kind = run.kinds[run.layer]
    at = run.layer - run.first
    pairs = [tensor for block in run.blocks for tensor in (block.keys[at], block.values[at])]
    q = query[0].transpose(0, 1).unflatten(1, (heads, -1))
    out = _Attend.apply(run.plan, kind, scale, q, key[0].transpose(0, 1), value[0].transpose(0, 1), *pairs)
    out = out.flatten(1, 2)[None]
    if run.stops:
        raise Attended(out)
    return out, None


ALL_ATTENTION_FUNCTIONS.register(NAME, _attention)


class _Attend(torch.autograd.Function):
    """q [N, H, J, D], k and v [N, H, D], then keys and values [1 or R, H, K, D] of each block of the past. Those of the
    plan's starts are one more block of it, for the folds behind them."""

    @staticmethod
    def forward(ctx, plan, kind, scale, q, k, v, *past):
        ctx.plan, ctx.kind, ctx.scale = plan, kind, scale
        ctx.save_for_backward(q, k, v, *past)
        ctx.probabilities = []
        behind = _with_starts(past, plan.starts, k, v)
        out = q.new_empty(len(q) + 1, *q.shape[1:3], v.shape[-1])
        for fold in plan.folds:
            look = _Look(fold, kind, scale, (q, k, v), behind if fold.behind else past)
            p = look.probabilities()
            _put(out, fold, look.read(p))
            if any(ctx.needs_input_grad):
                ctx.probabilities.append(p if fold.queries.shape[1] * p.shape[-1] <= KEPT_SCORES else None)
        return out[:-1]

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        q, k, v, *past = ctx.saved_tensors
        wanted = ctx.needs_input_grad[3:]
        behind = _with_starts(past, ctx.plan.starts, k, v)
        grads = [torch.zeros(len(t) + 1, *t.shape[1:], dtype=t.dtype, device=t.device) for t in (q, k, v)]
        grads += [torch.zeros_like(t) if need else None for t, need in zip(past, wanted[3:])]
        grads += [torch.zeros_like(t) for t in behind[len(past) :]]
        for fold, kept in zip(ctx.plan.folds, ctx.probabilities):
            seen = behind if fold.behind else past
            look = _Look(fold, ctx.kind, ctx.scale, (q, k, v), seen)
            look.send_back(look.probabilities() if kept is None else kept, grad, grads[: 3 + len(seen)])
        ctx.probabilities = []
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


Way = Literal["masked", "packed", "read", "above"]
Trial = Callable[[Way], Tensor]  # states of five tokens; read: of the last ones alone; above: in two parts


class Ways(NamedTuple):
    """packs: whether packed states equal masked ones. reads: whether the last layer gives the same at some positions
    alone. begins: whether the upper layers give the same, begun with what the lower ones gave."""

    packs: bool
    reads: bool
    begins: bool


_known: WeakKeyDictionary = WeakKeyDictionary()


def ways(base: Base, trial: Trial) -> Ways:
    """How the model can be run. The first time it is tried, with nothing worn."""
    if base not in _known:
        packs = _agree(trial, "masked", "packed")
        _known[base] = Ways(packs, *(packs and _agree(trial, "packed", way) for way in ("read", "above")))
    return _known[base]


def _agree(trial: Trial, slow: Way, quick: Way) -> bool:
    with torch.no_grad():
        right = trial(slow)
        try:
            made = trial(quick)
        except Exception:  # whatever a foreign model raises here, it does not go this way
            return False
    close = 1e-3 if right.dtype.itemsize >= 4 else 0.1
    return bool((made - right[-len(made) :]).abs().amax() <= close * right.abs().amax())

"""The trunk on packed rows: real tokens only through every linear layer, all rows of a pass as one.

A transformers model asks for its attention by name, and hands new keys and values to a cache. Both are ours here: the
cache keeps the new ones and hands them back as they are, and the pass's plan says who sees whom, fold by fold
(engine/attention.py) or in one kernel (engine/flex.py). Where something learns in a start that rows share, the start is
a row of the same pass, and its keys and values stand before theirs like a past's. Models that do not ask this way, or
ask for more than this says, are found out by a probe (engine/capabilities.py).

Letters: N positions, R rows, H key/value heads, J query heads that share one, D width of a head.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol

from torch import Tensor
from transformers import DynamicCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from tuneoff.engine.again import run_again
from tuneoff.engine.attention import fold_plan
from tuneoff.engine.below import Reached, begins_above, ends_before
from tuneoff.engine.folds import Starts
from tuneoff.engine.last_layer import Attended, read_only
from tuneoff.engine.past import Past
from tuneoff.engine.rows import Rows
from tuneoff.engine.unsupported import Unsupported
from tuneoff.models.base import Base

__all__ = ["MakePlan", "run_below", "run_packed"]

NAME = "tuneoff_packed"
MORE = {"softcap": "a softcap", "s_aux": "sinks", "position_bias": "a position bias"}
"what attention may be asked for that packed rows do not do"


class Plan(Protocol):
    """Who sees whom in a pass."""

    def attend(self, kind: str, scale: float, q: Tensor, k: Tensor, v: Tensor, past: Sequence[Tensor]) -> Tensor:
        """q [N, H, J, D], k and v [N, H, D], then keys and values [1 or R, H, K, D] of each block of the past ->
        [N, H, J, D]. kind: of the layer."""
        ...


MakePlan = Callable[[Rows, Mapping[str, Tensor], Sequence[Past], Starts | None], Plan]


class Pass(DynamicCache):
    """One run of the trunk: its plan, its pasts, and the keys and values it makes. kinds: of each layer. first: the
    lowest layer that runs, and that the pasts have keys of. keep: whether what is made is asked for afterwards."""

    def __init__(self, plan: Plan, blocks: Sequence[Past], kinds: Sequence[str], first: int, keep: bool = True):
        super().__init__()
        self.plan, self.blocks, self.kinds, self.keep = plan, blocks, kinds, keep
        self.made: dict[int, tuple[Tensor, Tensor]] = {}
        self.layer = -1  # the one whose attention asks next
        self.first = first
        self.asked = False  # whether attention was
        self.stops, self.attended = False, None  # of the last layer: see engine/last_layer.py

    def update(self, key_states, value_states, layer_idx, cache_kwargs=None, **asked):
        """cache_kwargs, asked: transformers 5.0 hands over rotations, 5.23 nothing, 5.24 `kwargs`; none is needed."""
        self.layer = layer_idx
        if self.keep:
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
    look: Callable[[Tensor | None], None] = lambda read: None,
    first: int = 0,
    starts: Starts | None = None,
    make_plan: MakePlan = fold_plan,
    keep: bool = True,
) -> tuple[Tensor, Pass]:
    """Hidden states [N, width] of packed rows behind a past. masks: as `attention_masks` makes them, by kind.

    read: [M] places among the N; the states are then [M, width]. look: told what runs from here on, None for all, where
    that changes (engine/last_layer.py, engine/again.py). first: the lowest layer
    that runs; what is embedded are then the states that enter it. starts: rows that the others stand behind, if any;
    the masks are then of the others.
    """
    blocks = [] if past is None else past.blocks
    plan = make_plan(rows, masks, blocks, starts)
    with _under(base, Pass(plan, blocks, layer_kinds(base, masks), first, keep)) as made:
        last = nullcontext() if read is None else read_only(base.stack[-1], made, read, look)
        inner = run_again(base.stack[first:-1], lambda: _resumed(base, made, look))
        with last, inner, begins_above(base.stack[:first], embedded_1NE):
            try:
                hidden_1NE = _trunk(base, embedded_1NE, rows, made)
            finally:
                made.attended = None  # a graph that holds this pass, to run again, must not be held by it
    return hidden_1NE[0], made


def run_below(
    base: Base, embedded_1NE: Tensor, rows: Rows, past: Past | None, masks: Mapping[str, Tensor], end: int
) -> tuple[Tensor, Pass]:
    """The states [N, width] that enter layer `end`, behind a past that has keys of the layers below it."""
    blocks = [] if past is None else past.blocks
    made = Pass(fold_plan(rows, masks, blocks, None), blocks, layer_kinds(base, masks), 0)
    with _under(base, made), ends_before(base.stack[end]):
        try:
            _trunk(base, embedded_1NE, rows, made)
        except Reached as reached:
            return reached.states[0], made
    raise Unsupported("its trunk does not call its layers as they stand")


@contextmanager
def _under(base: Base, made: Pass) -> Iterator[Pass]:
    token = _under_way.set(made)
    try:
        with _attention_of(base.config, NAME):
            yield made
    finally:
        _under_way.reset(token)


@contextmanager
def _resumed(base: Base, made: Pass, look: Callable[[Tensor | None], None]) -> Iterator[None]:
    """A pass as it was before its last layer."""
    made.stops, made.attended = False, None
    look(None)
    with _under(base, made):
        yield


def _trunk(base: Base, embedded_1NE: Tensor, rows: Rows, made: Pass) -> Tensor:
    return base.run_trunk({"inputs_embeds": embedded_1NE, "position_ids": rows.position[None]}, made)


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
    more = [title for name, title in MORE.items() if asked.get(name) is not None] + ["dropout"] * bool(dropout)
    if more:
        raise Unsupported(f"its attention applies {' and '.join(more)}")
    if attention_mask is not None:
        raise Unsupported("it hands its attention a mask of its own")
    run = _under_way.get()
    run.asked = True
    if run.attended is not None:
        return run.attended, None
    if run.layer in run.made and run.made[run.layer][0].shape != key.shape:
        raise Unsupported("its cache keeps other keys than its attention sees")
    heads = key.shape[1]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    kind = run.kinds[run.layer]
    at = run.layer - run.first
    pairs = [tensor for block in run.blocks for tensor in (block.keys[at], block.values[at])]
    q = query[0].transpose(0, 1).unflatten(1, (heads, -1))
    out = run.plan.attend(kind, scale, q, key[0].transpose(0, 1), value[0].transpose(0, 1), pairs)
    out = out.flatten(1, 2)[None]
    if run.stops:
        raise Attended(out)
    return out, None


ALL_ATTENTION_FUNCTIONS.register(NAME, _attention)

"""Adapters worn by a base, and the two ways through it.

Forward hooks at each adapter's sites call its `enter` and `leave`; virtual positions are fed as token 0 and the
adapter that owns them writes their embeddings.

`Worn.advance` is the plain path, which defines what is correct: padded rows, masks, the model's own attention.
`Worn.run` is what everything uses: real positions only where the model can do it (engine/packed.py), else `advance`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from tuneoff.engine.allocator import keep_freed_memory
from tuneoff.engine.along import led_by
from tuneoff.engine.attention import fold_plan
from tuneoff.engine.capabilities import Capabilities, capabilities
from tuneoff.engine.capability_probe import CapabilityProbe
from tuneoff.engine.flex import flex_plan
from tuneoff.engine.folds import Starts
from tuneoff.engine.low_rank import frozen_linear, low_rank
from tuneoff.engine.packed import MakePlan, Pass, new_past, run_below, run_packed
from tuneoff.engine.past import Past, attention_masks
from tuneoff.engine.rows import Rows, joined
from tuneoff.models.adapt import AdapterMethod, Form, KeyValues, LowRank, Site
from tuneoff.models.base import Base

__all__ = ["Adapter", "Worn", "new_adapter", "widened"]

READ_SHARE = 0.75  # of the positions; where more are read, running the last layer in two goes saves nothing


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """A method with its tensors: {site name: {tensor name: tensor}}."""

    method: AdapterMethod
    sites: tuple[Site, ...]
    tensors: Mapping[str, Mapping[str, Tensor]]

    def parameters(self) -> list[Tensor]:
        return [tensor for at_site in self.tensors.values() for tensor in at_site.values()]

    def at(self, site: Site) -> Mapping[str, Tensor]:
        return self.tensors[site_key(site)]

    @property
    def on_text(self) -> bool:
        """Whether it changes what the model computes at text before the answer."""
        return self.method.where == "before" or set(self.method.roles) != {"embed"}


def site_key(site: Site) -> str:
    """Fused modules hold several sites of one name; the role tells them apart."""
    return site.name if site.columns is None else f"{site.name}:{site.role}"


def new_adapter(base: Base, method: AdapterMethod, task, seed: int) -> Adapter:
    """A freshly initialised adapter in float32. What it draws from `seed` is drawn on the processor for any device."""
    gen = torch.Generator().manual_seed(seed)
    sites = tuple(base.sites(method.roles))
    with torch.device("cpu"):
        drawn = {site_key(site): method.init(site, task, base, gen) for site in sites}
    tensors = {
        key: {name: t.to(base.device, torch.float32).contiguous().requires_grad_() for name, t in own.items()}
        for key, own in drawn.items()
    }
    return Adapter(method, sites, tensors)


class User(NamedTuple):
    """An adapter at one of its sites. number: among those that are worn."""

    number: int
    adapter: Adapter
    site: Site


class Worn:
    """A base with adapters on. Use as a context: hooks live inside the block only.

    text_changed: whether the base's own weights are not its own for now, so that nothing it computes may be kept.
    from_layer: the lowest layer where they are not, if so; what enters it may be kept.
    packed: False takes the plain path for everything.
    """

    def __init__(
        self,
        base: Base,
        adapters: Sequence[Adapter] = (),
        *,
        text_changed: bool = False,
        from_layer: int = 0,
        packed: bool = True,
    ):
        self.base = base
        self.text_changed = text_changed
        own = base.lowest_layer(site.name for adapter in adapters for site in adapter.sites)
        self.lowest_layer = min(own, from_layer) if text_changed else own  # at which anything acts
        self.packed = packed
        self._fast = False  # whether the pass under way may take fast forms of what adapters do
        # learned rows act last at a site, so that what another adapter does there cannot undo them
        self.adapters = sorted(adapters, key=lambda adapter: adapter.method.virtual > 0)
        self._look_at(torch.tensor([[-1]]))  # of the pass under way, if any
        self._handles: list = []

    def __enter__(self) -> "Worn":
        keep_freed_memory()
        self.packed = self.packed and self.may_pack()
        for module, users in self.users().items():
            self._handles.append(module.register_forward_pre_hook(self._enter_hook(users)))
            self._handles.append(module.register_forward_hook(self._leave_hook(users)))
        return self

    def users(self) -> dict[nn.Module, list[User]]:
        """Who acts at which module."""
        users: dict[nn.Module, list[User]] = {}
        for number, adapter in enumerate(self.adapters):
            for site in adapter.sites:
                if site.role != "cache":
                    users.setdefault(site.module, []).append(User(number, adapter, site))
        return users

    def __exit__(self, *_) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def virtual_ids(self, where: str) -> list[int]:
        """Which adapter owns each virtual position on one side of the prompt."""
        return [
            number
            for number, adapter in enumerate(self.adapters)
            if adapter.method.where == where
            for _ in range(adapter.method.virtual)
        ]

    @property
    def taken(self) -> int:
        """How many positions of the context the adapters take."""
        return sum(adapter.method.taken for adapter in self.adapters)

    @property
    def text_is_frozen(self) -> bool:
        """Whether the keys and values of the prompt's text are the base's own, whatever is learned."""
        return not self.text_changed and not any(adapter.on_text for adapter in self.adapters)

    def first_past(self) -> Past | None:
        """Learned keys and values that stand before everything, from adapters of form KeyValues."""
        first: Past | None = None
        for adapter in self.adapters:
            if adapter.method.roles == ("cache",):
                forms = [adapter.method.form(site, adapter.at(site)) for site in adapter.sites]
                start = 0 if first is None else first.position.shape[1]
                own = _learned_past(forms, start, self.base)
                first = own if first is None else first.then(own)
        return first

    def advance(
        self,
        ids: Tensor,
        position: Tensor,
        real: Tensor,
        past: Past | None = None,
        owner: Tensor | None = None,
        branch: Tensor | None = None,
    ) -> tuple[Tensor, Past]:
        """Run T new positions of R rows behind a past.

        ids, position, real: [R, T]. owner: [R, T], the adapter that owns a virtual position, -1 on text.
        Returns hidden states [R, T, width] and the past of the new positions alone.
        """
        self._look_at(owner if owner is not None else torch.full_like(ids, -1))
        masks = attention_masks(self.base.windows, position, real, past, self.base.net.dtype, branch)
        cache = DynamicCache() if past is None else past.as_cache()  # without a config it is never cropped
        inputs = {"input_ids": ids, "attention_mask": masks, "position_ids": position}
        hidden = self.base.run_trunk(inputs, cache)
        new = ids.shape[1]
        own = Past(
            tuple(layer.keys[:, :, -new:] for layer in cache.layers),
            tuple(layer.values[:, :, -new:] for layer in cache.layers),
            position,
            real,
        )
        return hidden, own

    def run(
        self,
        rows: Rows,
        past: Past | None = None,
        branch: Tensor | None = None,
        *,
        keep: bool = True,
        read: Tensor | None = None,
        states: Tensor | None = None,
    ) -> tuple[Tensor, Past | None]:
        """Run new positions of R rows behind a past (of R rows, or of one that all see).

        read: [M] places among the N whose states are wanted; None: all. states: what `below` gave for these rows; the
        lowest layer and those above it run alone, behind a past of theirs.
        Returns hidden states [N or M, width], row after row, and the past of the new positions alone (None without
        `keep`).
        """
        if not self.packed:
            hidden, own = self._run_masked(rows, past, branch)
            return hidden if read is None else hidden[read], own
        apart = read if self.reads_apart(read, rows) else None
        if states is None:
            embedded, first = self.embed(rows), 0
        else:
            embedded, first = states[None], self.lowest_layer
            self._look_packed(rows)
        masks = self.masks(rows, past, branch)
        hidden, made = self._packed(embedded, rows, past, masks, read=apart, first=first, keep=keep)
        hidden = hidden if read is None or len(hidden) == len(read) else hidden[read]
        return hidden, new_past(made, rows) if keep else None

    def run_along(self, start: Rows, rows: Rows, past: Past | None, *, read: Tensor) -> Tensor:
        """Run rows behind a start of one row, which runs in the same pass. Only where rows can be packed.

        read: [M] places among those of the rows. Returns hidden states [M, width].
        """
        led = led_by([start], [rows], past, self.masks)
        read = read + len(start.ids)
        apart = read if self.reads_apart(read, led.every) else None
        embedded = self.embed(start, rows)
        hidden, _ = self._packed(embedded, led.every, past, led.masks, read=apart, starts=led.starts)
        return hidden[read] if apart is None else hidden

    @torch.no_grad()
    def below(self, rows: Rows, past: Past | None = None, branch: Tensor | None = None) -> tuple[Tensor, Past]:
        """The states [N, width] that enter the lowest layer at which anything acts, and a past of the layers below it,
        where nothing does. past: such a past."""
        masks = self.masks(rows, past, branch)
        states, made = run_below(self.base, self.embed(rows), rows, past, masks, self.lowest_layer)
        return states, new_past(made, rows)

    def may_begin_above(self) -> bool:
        """Whether the layers from the lowest one on can be run alone."""
        inside = 0 < self.lowest_layer < self.base.layers
        return inside and self.packed and self.may_pack() and self.capabilities().partial_forward.taken

    def _packed(
        self,
        embedded: Tensor,
        rows: Rows,
        past: Past | None,
        masks: Mapping[str, Tensor],
        *,
        read: Tensor | None,
        first: int = 0,
        starts: Starts | None = None,
        keep: bool = False,
    ) -> tuple[Tensor, Pass]:
        return run_packed(
            self.base,
            embedded,
            rows,
            past,
            masks,
            read=read,
            look=self.look_at_read,
            first=first,
            starts=starts,
            make_plan=self.make_plan,
            keep=keep,
        )

    def reads_apart(self, read: Tensor | None, rows: Rows) -> bool:
        """Whether the last layer is worth running at the positions that are read alone."""
        few = read is not None and len(read) <= READ_SHARE * len(rows.ids)
        return few and self.capabilities().sparse_last_layer.taken

    def look_at_read(self, read: Tensor | None) -> None:
        """From here on what runs are these positions of the pass under way; None: all of them again."""
        self._virtual = self._virtual_of_all if read is None else [each[:, read] for each in self._virtual_of_all]

    def _run_masked(self, rows: Rows, past: Past | None, branch: Tensor | None) -> tuple[Tensor, Past]:
        ids, position, owner = rows.padded(rows.ids, 0), rows.padded(rows.position, 0), rows.padded(rows.owner, -1)
        real = rows.index >= 0
        if past is not None:
            past = past.whole()
            past = past.expand(len(rows.lengths)) if past.rows == 1 else past
        hidden, own = self.advance(ids, position, real, past, owner, branch)
        return hidden[real], own

    def masks(self, rows: Rows, past: Past | None, branch: Tensor | None = None) -> Mapping[str, Tensor]:
        """By kind of layer. Where all rows see one past, the longest row's mask serves them all."""
        position, real = rows.padded(rows.position, 0), rows.index >= 0
        alike = branch is None or branch.dim() == 2
        if alike and (past is None or past.rows == 1):
            longest = rows.lengths.index(rows.longest)
            position, real = position[longest : longest + 1], real[longest : longest + 1]
        places = None if past is None else past.places()
        if not alike and places is not None and places.rows == 1:
            places = places.expand(len(rows.lengths))
        masks = attention_masks(self.base.windows, position, real, places, self.base.net.dtype, branch)
        return masks if isinstance(masks, dict) else {"": masks}

    def embed(self, *parts: Rows) -> Tensor:
        """[1, N, width] of all parts. Adapters of the embeddings see the rows of each apart: what they do may depend on
        a row's order."""
        table, every = self.base.net.get_input_embeddings(), joined(parts)
        if any("embed" in adapter.method.roles for adapter in self.adapters):
            embedded = torch.cat([self._embed_apart(table, rows) for rows in parts])
        else:
            embedded = table(every.ids)
        self._look_packed(every)
        return embedded[None]

    def _embed_apart(self, table: nn.Module, rows: Rows) -> Tensor:
        self._look_at(rows.padded(rows.owner, -1))
        return table(rows.padded(rows.ids, 0))[rows.index >= 0]

    def _look_packed(self, rows: Rows) -> None:
        self._look_at(rows.owner[None])
        self._fast = True

    def _look_at(self, owner: Tensor) -> None:
        self._virtual = self._virtual_of_all = [owner == number for number in range(len(self.adapters))]
        self._fast = False

    def may_pack(self) -> bool:
        """Rows lie in one row there, so that virtual positions can be told apart at the embeddings only."""
        placed = [set(adapter.method.roles) for adapter in self.adapters if adapter.method.virtual]
        return all(roles == {"embed"} for roles in placed) and self.capabilities().packed_rows.taken

    def capabilities(self) -> Capabilities:
        """Which fast paths the base takes; tried once for each base, without any rounding, with no adapter."""
        bare = Worn(self.base.exact, packed=False)
        return capabilities(bare.base, lambda: CapabilityProbe(bare.base, bare.run, bare.masks))

    @property
    def make_plan(self) -> MakePlan:
        """What says who sees whom in a pass."""
        return flex_plan if self.capabilities().flex_attention.taken else fold_plan

    def _enter_hook(self, users: Sequence[User]):
        return lambda module, args: (self.entered(users, args[0]), *args[1:])

    def _leave_hook(self, users: Sequence[User]):
        return lambda module, args, y: self.left(users, args[0], y)

    def entered(self, users: Sequence[User], x: Tensor) -> Tensor:
        """What a module shall see of x."""
        if not x.is_floating_point():  # the embeddings' input is ids
            return x
        wide = widened(x)
        for number, adapter, site in users:
            wide = adapter.method.enter(site, wide, _tensors(adapter, site, wide), self._virtual[number])
        return wide.to(x.dtype)

    def left(self, users: Sequence[User], x: Tensor, y: Tensor) -> Tensor:
        """What a module shall have said, where it said y of x."""
        x = widened(x) if x.is_floating_point() else x
        out = widened(y)
        for number, adapter, site in users:
            own = out if site.columns is None else out[..., site.columns]
            form = self.form_at(User(number, adapter, site), out)
            if isinstance(form, LowRank):
                alone = site.module if own is y and frozen_linear(site.module) else None
                own = low_rank(x, own, [(slice(None), form)], alone)
            else:
                own = adapter.method.leave(site, x, own, _tensors(adapter, site, out), self._virtual[number])
            out = own if site.columns is None else _with_columns(out, site, own)
        return out.to(y.dtype)

    def form_at(self, user: User, like: Tensor) -> Form | None:
        """What an adapter amounts to at its site in the numbers of `like`, where the pass under way may take that."""
        return user.adapter.method.form(user.site, _tensors(user.adapter, user.site, like)) if self._fast else None


def widened(x: Tensor) -> Tensor:
    """Adapters compute in float32 at least: a scale near 1 does not move in 16 bits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _tensors(adapter: Adapter, site: Site, like: Tensor) -> dict[str, Tensor]:
    return {name: tensor.to(like.dtype) for name, tensor in adapter.at(site).items()}


def _with_columns(y: Tensor, site: Site, part: Tensor) -> Tensor:
    y = y.clone()
    y[..., site.columns] = part
    return y


def _learned_past(forms: Sequence[KeyValues], start: int, base: Base) -> Past:
    dtype = base.net.dtype
    keys = tuple(form.keys.to(dtype).transpose(0, 1)[None] for form in forms)
    values = tuple(form.values.to(dtype).transpose(0, 1)[None] for form in forms)
    position = torch.arange(start, start + keys[0].shape[2], device=base.device)[None]
    return Past(keys, values, position, torch.ones_like(position, dtype=torch.bool))

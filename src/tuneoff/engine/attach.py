"""Adapters worn by a base: the plain path, which defines what is correct.

Forward hooks at each adapter's sites call its `enter` and `leave`; virtual positions are fed as token 0 and the
adapter that owns them writes their embeddings. Everything a model computes goes through `Worn.advance`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from tuneoff.engine.past import Past, attention_masks
from tuneoff.models.adapt import AdapterMethod, KeyValues, Site
from tuneoff.models.base import Base

__all__ = ["Adapter", "Worn", "new_adapter"]


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
    """A freshly initialised adapter in float32, every number drawn from `seed`."""
    gen = torch.Generator().manual_seed(seed)
    sites = tuple(base.sites(method.roles))
    tensors = {
        site_key(site): {
            name: tensor.to(base.device, torch.float32).requires_grad_()
            for name, tensor in method.init(site, task, base, gen).items()
        }
        for site in sites
    }
    return Adapter(method, sites, tensors)


class Worn:
    """A base with adapters on. Use as a context: hooks live inside the block only.

    text_changed: whether the base's own weights are not its own for now, so that nothing it computes may be kept.
    """

    def __init__(self, base: Base, adapters: Sequence[Adapter] = (), *, text_changed: bool = False):
        self.base = base
        self.text_changed = text_changed
        # learned rows act last at a site, so that what another adapter does there cannot undo them
        self.adapters = sorted(adapters, key=lambda adapter: adapter.method.virtual > 0)
        self._owner: Tensor | None = None
        self._handles: list = []

    def __enter__(self) -> "Worn":
        by_module: dict[int, list[tuple[int, Adapter, Site]]] = {}
        for number, adapter in enumerate(self.adapters):
            for site in adapter.sites:
                if site.role != "cache":
                    by_module.setdefault(id(site.module), []).append((number, adapter, site))
        for users in by_module.values():
            module = users[0][2].module
            self._handles.append(module.register_forward_pre_hook(self._enter_hook(users)))
            self._handles.append(module.register_forward_hook(self._leave_hook(users)))
        return self

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
        self._owner = owner if owner is not None else torch.full_like(ids, -1)
        masks = attention_masks(self.base.windows, position, real, past, self.base.net.dtype, branch)
        cache = DynamicCache() if past is None else past.as_cache()  # without a config it is never cropped
        output = self.base.trunk(
            input_ids=ids, attention_mask=masks, position_ids=position, past_key_values=cache, use_cache=True
        )
        new = ids.shape[1]
        layers = output.past_key_values.layers
        own = Past(
            tuple(layer.keys[:, :, -new:] for layer in layers),
            tuple(layer.values[:, :, -new:] for layer in layers),
            position,
            real,
        )
        return output.last_hidden_state, own

    def _enter_hook(self, users):
        def hook(module, args):
            x = args[0]
            if not x.is_floating_point():  # the embeddings' input is ids
                return None
            wide = x.to(_wide(x))
            for number, adapter, site in users:
                wide = adapter.method.enter(site, wide, _tensors(adapter, site, wide), self._owner == number)
            return (wide.to(x.dtype), *args[1:])

        return hook

    def _leave_hook(self, users):
        def hook(module, args, y):
            x = args[0].to(_wide(y)) if args[0].is_floating_point() else args[0]
            out = y.to(_wide(y))
            for number, adapter, site in users:
                own = out if site.columns is None else out[..., site.columns]
                own = adapter.method.leave(site, x, own, _tensors(adapter, site, own), self._owner == number)
                out = own if site.columns is None else _with_columns(out, site, own)
            return out.to(y.dtype)

        return hook


def _wide(x: Tensor) -> torch.dtype:
    """Adapters compute in float32 at least: a scale near 1 does not move in 16 bits."""
    return torch.promote_types(x.dtype, torch.float32)


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

"""The frozen model that arms share: network, tokenizer, chat rendering, and what an adapter may ask of them."""

import inspect
from collections.abc import Container, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from tuneoff.models.adapt import KeyValues, Site
from tuneoff.models.chat import Chat
from tuneoff.models.sites import find_sites, key_shape, layer_modules, lowest_layer

__all__ = ["Base", "context_of"]


class Base:
    """net: a causal language model with frozen weights, in eval mode (so its dropout is off).

    fingerprint: content hash of weights, tokenizer and configuration. origin: where it came from, for artifacts.
    exact: the base that this one computes the same as, but for rounding; itself, unless told.
    """

    def __init__(
        self,
        net: nn.Module,
        tokenizer,
        *,
        fingerprint: str,
        template: str = "auto",
        origin=None,
        exact: "Base | None" = None,
    ):
        self.net = net.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.chat = Chat(tokenizer, template, _stops(net))
        self.fingerprint = fingerprint
        self.origin = origin
        self.exact = exact or self

    @cached_property
    def int8(self) -> "Base":
        """The same with the matmuls of its layers in 8 bits, on the same weights (models/int8.py)."""
        from tuneoff.models.int8 import int8_net

        told = {"template": self.chat.template, "origin": self.origin, "exact": self}
        return Base(int8_net(self), self.tokenizer, fingerprint=f"{self.fingerprint}-int8", **told)

    @property
    def device(self) -> torch.device:
        return self.net.device

    @property
    def config(self):
        return self.net.config.get_text_config()

    @cached_property
    def trunk(self) -> nn.Module:
        """The network without its head: ids in, hidden states out."""
        return self.net.base_model

    @cached_property
    def cache_keyword(self) -> str:
        """What the trunk calls the cache that it is given: `cache`, or `past_key_values` before transformers 5.24."""
        return "cache" if "cache" in inspect.signature(self.trunk.forward).parameters else "past_key_values"

    def run_trunk(self, inputs: Mapping[str, Any], cache: DynamicCache) -> Tensor:
        """Hidden states [R, T, width] of new positions; the cache gets their keys and values. inputs: by keyword."""
        return self.trunk(**inputs, **{self.cache_keyword: cache}, use_cache=True).last_hidden_state

    @cached_property
    def layers(self) -> int:
        return len(layer_modules(self.net))

    @cached_property
    def stack(self) -> list[nn.Module]:
        """The layers themselves, the lowest first."""
        return [layer for _, layer in layer_modules(self.net)]

    def lowest_layer(self, names: Iterable[str]) -> int:
        """The lowest layer in which submodules or weights of these names act; the number of layers where none does."""
        names = list(names)
        return lowest_layer(self.net, names) if names else self.layers  # asked of the bare base at every pass

    @cached_property
    def width(self) -> int:
        """Numbers per hidden state."""
        return self.net.get_input_embeddings().weight.shape[1]

    @cached_property
    def context(self) -> int:
        """The longest text in tokens."""
        return context_of(self.config)

    @cached_property
    def bytes_per_token(self) -> int:
        """What one token's keys and values take."""
        heads, head_dim = key_shape(self.net)
        return 2 * self.layers * heads * head_dim * self.net.dtype.itemsize

    @cached_property
    def windows(self) -> dict[str, int | None]:
        """Attention windows by layer type; one entry named "" where all layers are alike."""
        window = getattr(self.config, "sliding_window", None)
        types = set(getattr(self.config, "layer_types", None) or [])
        if "sliding_attention" in types and len(types) > 1:
            return {"full_attention": None, "sliding_attention": window}
        if types == {"full_attention"}:
            return {"": None}
        return {"": window}

    def sites(self, roles: Container[str]) -> list[Site]:
        return find_sites(self.net, roles)

    @torch.no_grad()
    def embed(self, text: str) -> Tensor:
        """[tokens, width]: embeddings of a text's tokens, as the first layer receives them."""
        ids = self.chat.text_ids(text)
        return self.net.get_input_embeddings()(torch.tensor(ids, device=self.device))

    @torch.no_grad()
    def vocabulary(self) -> Tensor:
        """[words, width]: all embeddings, as the first layer receives them."""
        table = self.net.get_input_embeddings()
        scale = getattr(table, "embed_scale", 1.0)
        return table.weight * scale

    def key_values(self, site: Site, text: str, length: int) -> KeyValues:
        """[length, heads, head_dim] keys and values of one layer for a text, repeated where it is shorter."""
        layer = [name for name, _ in layer_modules(self.net)].index(site.name)
        keys, values = self._text_states(text, length)[layer]
        return KeyValues(keys.clone(), values.clone())

    @lru_cache(maxsize=4)  # noqa: B019 - one base lives as long as the study
    def _text_states(self, text: str, length: int) -> list[tuple[Tensor, Tensor]]:
        ids = self.tokenizer(text).input_ids
        ids = (ids * (length // len(ids) + 1))[:length]
        cache = DynamicCache()  # without the model's configuration it is not cropped to the windows
        with torch.no_grad():
            self.run_trunk({"input_ids": torch.tensor([ids], device=self.device)}, cache)
        return [(at.keys[0].transpose(0, 1), at.values[0].transpose(0, 1)) for at in cache.layers]

    @cached_property
    def embedding_rms(self) -> float:
        """Root mean square of the embedding table: the unit of a soft prompt's learning rate."""
        return float(self.vocabulary().float().pow(2).mean().sqrt())

    def head(self, hidden_NE: Tensor) -> Tensor:
        """[N, vocabulary] logits, through the head module itself, so that its bias and soft cap act."""
        logits = self.net.get_output_embeddings()(hidden_NE)
        cap = getattr(self.config, "final_logit_softcapping", None)
        if cap:
            logits = torch.tanh(logits / cap) * cap
        scaling = getattr(self.config, "logits_scaling", None)
        return logits / scaling if scaling else logits


def context_of(config) -> int:
    """The longest text of a configuration, in tokens."""
    return getattr(config, "max_position_embeddings", 0) or 1 << 30


def _stops(net: nn.Module) -> tuple[int, ...]:
    """The tokens that end a text by the model's own generation settings."""
    ends = getattr(getattr(net, "generation_config", None), "eos_token_id", None)
    return tuple(ends) if isinstance(ends, list | tuple) else () if ends is None else (ends,)

"""Where a model can be adapted: each place has a role, whatever the architecture calls its submodule.

    attn.q  attn.k  attn.v  attn.o      projections of attention (columns of one module where they are fused)
    mlp.gate  mlp.up  mlp.down          projections of the feed-forward part
    norm                                scale of a layer's normalisation
    embed                               the token embeddings
    cache                               keys and values of one layer, as attention receives them

Sites are named like the submodule, relative to the causal model: `model.layers.0.self_attn.q_proj`.
"""

import re
from collections.abc import Container, Iterable, Iterator

import torch
from torch import nn

from tuneoff.core.errors import ModelError
from tuneoff.models.adapt import Site

__all__ = ["ATTENTION", "LINEAR", "find_sites", "layer_modules", "lowest_layer"]

ATTENTION = ("attn.q", "attn.k", "attn.v", "attn.o")
LINEAR = (*ATTENTION, "mlp.gate", "mlp.up", "mlp.down")

# the last word of a submodule's name -> its role; fused modules are cut up below
ROLE_BY_NAME = {
    "q_proj": "attn.q",
    "k_proj": "attn.k",
    "v_proj": "attn.v",
    "o_proj": "attn.o",
    "out_proj": "attn.o",
    "gate_proj": "mlp.gate",
    "up_proj": "mlp.up",
    "down_proj": "mlp.down",
    "fc1": "mlp.up",
    "fc2": "mlp.down",
    "c_fc": "mlp.up",
    "dense_h_to_4h": "mlp.up",
    "dense_4h_to_h": "mlp.down",
}
FUSED = {"c_attn", "query_key_value", "qkv_proj", "gate_up_proj"}
HEAD_NORMS = {"q_norm", "k_norm", "q_layernorm", "k_layernorm"}  # inside attention, one width per head
INSIDE = re.compile(r"^.*?\b(?:layers|h|blocks)\.\d+(?=\.|$)")
FINAL_NORMS = {"norm", "ln_f", "final_layer_norm", "final_layernorm"}
LAYER = re.compile(r"\.(?:layers|h|blocks)\.\d+$")


def find_sites(net: nn.Module, roles: Container[str]) -> list[Site]:
    """All sites of the asked roles, in the order of the forward pass.

    Raises ModelError where the model has none of them.
    """
    found = [site for site in _all_sites(net) if site.role in roles]
    if not found:
        raise ModelError(
            f"this model has no site of the asked roles ({', '.join(sorted(roles))})",
            found=type(net).__name__,
            fix="choose another method, or other targets",
        )
    return found


def layer_modules(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """The decoder layers, by name."""
    layers = [(name, module) for name, module in net.named_modules() if LAYER.search("." + name)]
    if not layers:
        raise ModelError("the layers of this model were not found", found=type(net).__name__)
    return layers


def lowest_layer(net: nn.Module, names: Iterable[str]) -> int:
    """The lowest layer, from 0, in which submodules or weights of these names act. 0 for what stands before all layers
    or is not known; their number for the last norm and a head of its own, and for no names."""
    layers = [layer for layer, _ in layer_modules(net)]
    number = {layer: at for at, layer in enumerate(layers)}
    heads = [name for name, module in net.named_modules() if module is net.get_output_embeddings()]

    def layer_of(name: str) -> int:
        if found := INSIDE.match(name):
            return number.get(found[0], 0)
        behind = FINAL_NORMS & set(name.split(".")) or any(name.startswith(head) for head in heads)
        return len(layers) if behind else 0

    return min(map(layer_of, names), default=len(layers))


def _all_sites(net: nn.Module) -> Iterator[Site]:
    embed = net.get_input_embeddings()
    width = embed.weight.shape[1]
    for name, module in net.named_modules():
        if module is embed:
            yield Site(name, "embed", module, embed.weight.shape[0], width)
    heads, head_dim = key_shape(net)
    for layer_name, layer in layer_modules(net):
        yield Site(layer_name, "cache", layer, 0, heads * head_dim, heads=heads, head_dim=head_dim)
        for name, module in layer.named_modules():
            yield from _sites_of(net, f"{layer_name}.{name}", module)
    yield from _final_norm(net)


def _sites_of(net: nn.Module, name: str, module: nn.Module) -> Iterator[Site]:
    last = name.rpartition(".")[2]
    if _is_norm(module):
        if last not in HEAD_NORMS:
            yield Site(name, "norm", module, module.weight.shape[0], module.weight.shape[0])
        return
    weight = getattr(module, "weight", None)
    if weight is None or weight.dim() != 2:
        return
    transposed = type(module).__name__ == "Conv1D"  # GPT-2 keeps [I, O]
    out_dim, in_dim = reversed(weight.shape) if transposed else weight.shape
    if last in FUSED:
        for role, columns in _cut(net, last, out_dim):
            yield Site(name, role, module, in_dim, _length(columns, out_dim), columns=columns, transposed=transposed)
    elif role := _role(name):
        yield Site(name, role, module, in_dim, out_dim, transposed=transposed)


def _role(name: str) -> str | None:
    *_, parent, last = ["", *name.split(".")]
    if last in ROLE_BY_NAME:
        return ROLE_BY_NAME[last]
    if last in ("c_proj", "dense"):  # GPT-2, NeoX and Phi name both outputs alike
        return "mlp.down" if "mlp" in parent else "attn.o"
    return None


def _cut(net: nn.Module, last: str, out_dim: int) -> Iterator[tuple[str, slice | torch.Tensor]]:
    """The columns of a fused projection that belong to each role."""
    config = net.config.get_text_config()
    if last == "gate_up_proj":
        yield "mlp.gate", slice(0, out_dim // 2)
        yield "mlp.up", slice(out_dim // 2, out_dim)
        return
    heads, head_dim = key_shape(net)
    if last == "query_key_value":  # NeoX interleaves q, k, v head by head
        columns = torch.arange(out_dim, device=net.device).view(config.num_attention_heads, 3, -1)
        for at, role in enumerate(("attn.q", "attn.k", "attn.v")):
            yield role, columns[:, at].reshape(-1)
        return
    keys = heads * head_dim
    queries = out_dim - 2 * keys
    yield "attn.q", slice(0, queries)
    yield "attn.k", slice(queries, queries + keys)
    yield "attn.v", slice(queries + keys, out_dim)


def _length(columns: slice | torch.Tensor, out_dim: int) -> int:
    return len(range(*columns.indices(out_dim))) if isinstance(columns, slice) else len(columns)


def key_shape(net: nn.Module) -> tuple[int, int]:
    """(key/value heads, width of a head)."""
    config = net.config.get_text_config()
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    return getattr(config, "num_key_value_heads", None) or heads, head_dim


def _is_norm(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return type(module).__name__.endswith("Norm") and weight is not None and weight.dim() == 1


def _final_norm(net: nn.Module) -> Iterator[Site]:
    for name, module in net.named_modules():
        inside_layer = LAYER.search("." + name) or re.search(r"\.(?:layers|h|blocks)\.\d+\.", "." + name)
        if _is_norm(module) and not inside_layer and name.rpartition(".")[2] not in HEAD_NORMS:
            yield Site(name, "norm", module, module.weight.shape[0], module.weight.shape[0])

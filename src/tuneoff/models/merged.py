"""What others trained on the study's model, as the weights of that model that it changes.

    adapter_weights(base, folder)    an adapter of the `peft` library, merged
    folder_weights(base, folder)     a folder with a model's weights

Both compute what `peft` and `transformers` compute from the same folder. Where a model's output head and its embedding
are one tensor, each is changed apart: an adapter on one of them leaves the other as it is.
"""

import copy
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from tuneoff.core.errors import ModelError
from tuneoff.models.base import Base
from tuneoff.models.find import first_line
from tuneoff.models.foreign import ADAPTER_WEIGHTS
from tuneoff.models.quiet import quiet

__all__ = ["adapter_weights", "folder_weights"]

SIZES = re.compile(r"size mismatch for (\S+): .*?\[([\d, ]*)\].*?\[([\d, ]*)\]")
INNER = re.compile(
    r"^base_model\.model\.|\.(original_module|modules_to_save|base_layer|default)(?=\.)"
)  # names of peft's
SHOWN = 4
WRAPPED = ("base_layer", "original_module")  # what peft's layers call the module that they stand before
UNUSED = re.compile(  # entries of config.json that a forward pass in evaluation does not read
    r"(_.*|.*dropout.*|.*_token_id|initializer.*|.*dtype|use_cache|tie_word_embeddings|architectures|transformers_version"
    r"|vocab_size|max_position_embeddings|id2label|label2id|.*output.*|return_dict|chunk_size_feed_forward|problem_type"
    r"|attn_implementation|max_window_layers|pretraining_tp)"
)


def adapter_weights(base: Base, folder: Path) -> dict[str, Tensor]:
    """The weights that a `peft` adapter changes, as they are with it merged.

    Raises ModelError where it is of a type that cannot be merged, or has tensors that do not go into this model.
    """
    from peft import PeftModel
    from peft.utils import set_peft_model_state_dict

    net = copy.deepcopy(base.net)
    try:
        with quiet(), warnings.catch_warnings(action="ignore", category=UserWarning):
            worn = PeftModel.from_pretrained(net, str(folder))
            lost = set_peft_model_state_dict(worn, load_file(folder / ADAPTER_WEIGHTS))
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise _does_not_fit(folder, error) from None
    if not hasattr(worn.base_model, "merge_and_unload"):
        raise ModelError(
            f"an adapter of the type {worn.peft_config['default'].peft_type.value}, which no weights can stand for",
            where=folder,
            allowed="PROMPT_TUNING, and types that the `peft` library can merge",
        )
    _check_all_taken(worn, lost, folder)
    _part_head(base, net)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of heads that follow: they are parted
        return _changed(base, worn.merge_and_unload())


def folder_weights(base: Base, folder: Path) -> dict[str, Tensor]:
    """The weights in a model's folder that differ from the base's own.

    Raises ModelError where it is of another architecture, or has tensors that do not go into this model.
    """
    try:
        with quiet():
            net, report = AutoModelForCausalLM.from_pretrained(
                folder, dtype=base.net.dtype, use_safetensors=True, output_loading_info=True
            )
    except Exception as error:  # as many kinds as there are broken files
        raise ModelError("transformers cannot open these weights", where=folder, found=first_line(error)) from error
    if names := list(report["missing_keys"]):
        raise _not_taken("tensors of this model are missing from its files, and would be random", names, folder)
    if names := list(report["unexpected_keys"]):
        raise _not_taken("tensors in this folder have no place in its model", names, folder)
    _check_shapes(base.net, net, folder)
    _check_alike(base.net.config.to_dict(), net.config.to_dict(), type(net.config)().to_dict(), folder)
    return _changed(base, net)


def _changed(base: Base, net: nn.Module) -> dict[str, Tensor]:
    """Weights of `net` that differ from the base's, under the base's names."""
    own, theirs = _every(base.net), _every(net)
    shared = _shared(base.net)
    put = {name: theirs[name].detach().to(own[name].device, own[name].dtype) for name in own}
    changed = {name for name in own if not torch.equal(put[name], own[name])}
    for second, first in shared.items():
        if torch.equal(put[first], put[second]):
            changed -= {second}
        elif changed & {first, second}:
            changed |= {first, second}  # the one that stays as it is no longer follows the other
    return {name: put[name] for name in own if name in changed}


def _every(net: nn.Module) -> dict[str, Tensor]:
    """All weights, one that is used in several places under each of its names."""
    return dict(net.named_parameters(remove_duplicate=False))


def _shared(net: nn.Module) -> dict[str, str]:
    """Second names of tensors that are used in several places -> their first names."""
    first = {id(p): name for name, p in net.named_parameters()}
    return {name: first[id(p)] for name, p in _every(net).items() if first[id(p)] != name}


def _part_head(base: Base, net: nn.Module) -> None:
    """Give each second use of a tensor a copy of its own, below what the adapter put before it."""
    for name in _shared(base.net):
        module, _, own = name.rpartition(".")
        at = net.get_submodule(module)
        while inner := next((getattr(at, word) for word in WRAPPED if hasattr(at, word)), None):
            at = inner
        setattr(at, own, nn.Parameter(getattr(at, own).detach().clone(), requires_grad=False))
    net.config.tie_word_embeddings = False


def _check_all_taken(worn: nn.Module, lost: Any, folder: Path) -> None:
    """Each tensor of the file has its place, and each of the adapter's came from the file."""
    if lost.unexpected_keys:
        raise _not_taken("tensors of this adapter have no place in the study's model", lost.unexpected_keys, folder)
    every = _every(worn)
    filled = {id(p) for name, p in every.items() if name not in lost.missing_keys}
    of_adapter = [name for name in lost.missing_keys if name in every and "default" in name.split(".")]
    if empty := [name for name in of_adapter if id(every[name]) not in filled]:
        raise _not_taken("tensors of this adapter are missing from its file", empty, folder)


def _check_shapes(base_net: nn.Module, net: nn.Module, folder: Path) -> None:
    own, theirs = _every(base_net), _every(net)
    other = [name for name in own if name not in theirs or theirs[name].shape != own[name].shape]
    if other:
        lines = [_sizes(name, theirs[name].shape if name in theirs else None, own[name].shape) for name in other]
        raise ModelError(
            "these weights are of another architecture than the study's model",
            where=folder,
            found="\n".join(_few(lines)),
            fix="compare it in a study of its own, with it as [model] name",
        )


def _check_alike(own: Mapping[str, Any], theirs: Mapping[str, Any], known: Mapping[str, Any], folder: Path) -> None:
    """Weights alone do not say what is computed: the configuration must say the same."""
    other = [key for key in known if not UNUSED.fullmatch(key) and own.get(key) != theirs.get(key)]
    if other:
        raise ModelError(
            "this folder's configuration computes something else than the study's model",
            where=folder / "config.json",
            found="\n".join(_few([f"{key}: {theirs.get(key)} (study's model: {own.get(key)})" for key in other])),
            fix="compare it in a study of its own, with it as [model] name",
        )


def _does_not_fit(folder: Path, error: Exception) -> ModelError:
    """Which tensors, and of which sizes, where the library says so."""
    found = SIZES.findall(str(error))
    sizes = list(dict.fromkeys(_sizes(INNER.sub("", name), theirs, own) for name, theirs, own in found))
    return ModelError(
        "this adapter does not go into the study's model",
        where=folder,
        found="\n".join(_few(sizes)) if sizes else first_line(error),
        fix="name the model that it was trained on under [model]"
        + ("; if its vocabulary was enlarged, the model that was saved with it" if sizes else ""),
    )


def _sizes(name: str, theirs: object, own: object) -> str:
    def plain(size: object) -> str:
        return size.replace(", ", " x ") if isinstance(size, str) else " x ".join(map(str, size))

    return f"{name}: {plain(theirs) if theirs is not None else 'not there'} in the folder, {plain(own)} in the model"


def _not_taken(problem: str, names: list[str], folder: Path) -> ModelError:
    return ModelError(
        problem, where=folder, found=_few(sorted(names)), fix="name the model that it was trained on under [model]"
    )


def _few(names: list[str]) -> list[str]:
    return [*names[:SHOWN], f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else names

"""Folders that other programs wrote: an adapter of the `peft` library, or a model's weights. What can be told of them
before any model is opened: whether their files are there and can be read, and which base model they name.

    out/checkpoint-500/adapter_config.json         peft_type, base_model_name_or_path
    out/checkpoint-500/adapter_model.safetensors   tensors; a pickle (adapter_model.bin) is not opened
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from tuneoff.core.errors import ModelError
from tuneoff.models.find import find_model

__all__ = ["ADAPTER_WEIGHTS", "check_adapter", "check_model", "read_adapter_config"]

ADAPTER_WEIGHTS = "adapter_model.safetensors"
LFS = b"version https://git-lfs"  # how a file starts whose content was not fetched
TASKS = (None, "", "CAUSAL_LM")


def check_adapter(folder: Path) -> None:
    """Raises ModelError where the folder's configuration or weights are missing or cannot be read."""
    config = read_adapter_config(folder)
    if config.get("task_type") not in TASKS:
        raise ModelError(
            f"an adapter for the task {config['task_type']}, which has an output of its own",
            where=folder,
            allowed="task_type CAUSAL_LM",
            fix="train it for text generation; a classifier's head cannot be put on a language model",
        )
    weights = folder / ADAPTER_WEIGHTS
    if not weights.is_file():
        raise _no_weights(folder)
    _check_readable(weights)


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """adapter_config.json. Raises ModelError where it cannot be read."""
    file = folder / "adapter_config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError("the adapter's configuration cannot be read", where=file, found=error, fix=_again()) from None
    if not isinstance(config, dict) or not config.get("peft_type"):
        raise ModelError("the adapter's configuration names no type", where=file, allowed="peft_type", fix=_again())
    return config


def check_model(folder: Path) -> None:
    """Raises ModelError where the folder holds no model in safetensors, or a file of it is missing or broken."""
    find_model(str(folder.resolve()), Path())
    for file in sorted(folder.glob("*.safetensors")):
        _check_readable(file)
    for index in folder.glob("*.safetensors.index.json"):
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        missing = sorted(name for name in named if not (folder / name).is_file())
        if missing:
            raise ModelError("files of this model are missing", where=folder, found=missing, fix=_again())


def _no_weights(folder: Path) -> ModelError:
    pickles = sorted(path.name for ending in ("bin", "pt", "pth") for path in folder.glob(f"*.{ending}"))
    if pickles:
        problem = "the adapter's weights are not in safetensors, and tuneoff opens no pickle: opening one can run code"
        return ModelError(problem, where=folder, found=pickles, fix=_conversion(folder, pickles[0]))
    inside = sorted(path.name for path in folder.iterdir())[:8]
    return ModelError(f"this folder holds no {ADAPTER_WEIGHTS}", where=folder, found=inside, fix=_again())


def _conversion(folder: Path, pickle: str) -> str:
    load = f"torch.load('{pickle}', map_location='cpu', weights_only=True)"
    return (
        f"if you trust where it came from, convert it once, in {folder}:\n"
        'python -c "import torch; from safetensors.torch import save_file; '
        f"save_file({{k: v.contiguous().clone() for k, v in {load}.items()}}, '{ADAPTER_WEIGHTS}')\""
    )


def _check_readable(file: Path) -> None:
    try:
        with safe_open(file, "pt") as opened:
            opened.keys()
    except (OSError, SafetensorError) as error:
        pointer = file.is_file() and file.open("rb").read(len(LFS)) == LFS
        found = "a pointer of Git LFS, whose content was not fetched" if pointer else error
        raise ModelError(
            "a file of weights cannot be read", where=file, found=found, fix="git lfs pull" if pointer else _again()
        ) from None


def _again() -> str:
    return "copy or save the folder again, whole"

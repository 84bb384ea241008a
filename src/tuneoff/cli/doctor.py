"""tuneoff doctor: what this machine has, and what that means for a study.

memory       23.5 GB, 21.0 GB free
runs on      cpu in float32
room for     about 4.2 billion weights with a small adapter, 1.3 billion in full fine-tuning
"""

from typing import Annotated, Any

import typer

__all__ = ["doctor"]

EXTRAS = {"hub": ("datasets", "data sets of the Hugging Face hub")}
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
GB = 1e9
# a frozen model: its weights and a quarter for what is computed; full: weights, gradients, two moments of Adam
FROZEN, FULL = 1.25, 4
LITTLE_DISK_BYTES = 3e9
TINY = "a tiny random Llama (--model NAME tries yours)"


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="the same as JSON")] = False,
    model: Annotated[str, typer.Option("--model", help="try the fast paths of this model, not of a tiny one")] = "",
) -> None:
    """Show what this machine has (cores, memory, disk, GPU, extras, cached models) and what it means.

    Leaves with status 1, and a traceback, where a fast path of the engine is broken.
    """
    import json

    facts = _facts() | {"tried": _tried(model)}
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
    else:
        _print(facts)
    for sentence, trace in facts["tried"]["faults"].items():
        typer.echo(f"\n{sentence}\n{trace}", err=True)
    if facts["tried"]["faults"]:
        raise typer.Exit(1)


def _print(facts: dict[str, Any]) -> None:
    from rich.table import Table

    from tuneoff.cli.console import open_console

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(facts):
        table.add_row(name, value)
    open_console().print(table)


def _facts() -> dict[str, Any]:
    import os
    import shutil
    from pathlib import Path

    from tuneoff import __version__
    from tuneoff.core.files import cache_folder
    from tuneoff.core.machine import this_machine

    return {
        "tuneoff": __version__,
        **this_machine()._asdict(),
        **_torch(),
        "extras": {extra: _installed(package) for extra, (package, _) in EXTRAS.items()},
        "cache": str(cache_folder()),
        "disk_free_bytes": {str(path): shutil.disk_usage(path).free for path in (cache_folder(), Path.cwd())},
        "models": _models(),
        "offline": {name: os.environ[name] for name in OFFLINE if name in os.environ},
    }


def _tried(model: str) -> dict[str, Any]:
    """Why a model does not take each of the engine's fast paths, "" where it does, and tracebacks of broken ones."""
    import warnings

    from tuneoff.core.errors import BrokenPathWarning
    from tuneoff.engine.attach import Worn
    from tuneoff.models.base import Base
    from tuneoff.models.load import load_model
    from tuneoff.models.tiny import tiny_model

    base = load_model(model).base() if model else Base(*tiny_model(), fingerprint="tiny")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BrokenPathWarning)  # the caller fails on it
        found = Worn(base).capabilities()
    return {"model": model or TINY, "paths": found.reasons, "faults": dict(found.faults)}


def _torch() -> dict[str, Any]:
    import torch

    from tuneoff.models.device import pick_device, pick_dtype
    from tuneoff.models.int8 import int8_speed

    device = pick_device("auto")
    dtype = pick_dtype("auto", device)
    gpus = [torch.cuda.get_device_properties(at) for at in range(torch.cuda.device_count())]
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "gpus": [{"name": gpu.name, "memory_bytes": gpu.total_memory} for gpu in gpus],
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "weight_bytes": dtype.itemsize,
        "int8_speed": int8_speed(),
    }


def _models() -> dict[str, dict]:
    """Models that open without a network, by name: those kept by tuneoff and those in the hub's cache."""
    from tuneoff.models.embedded import embedded
    from tuneoff.models.kept import converted_folder, kept_models

    names = {converted_folder(name, model.sha256): name for name, model in embedded().items()}
    kept = {
        names.get(folder, folder.name): {"path": str(folder), "bytes": size} for folder, size in kept_models().items()
    }
    return kept | _hub_models()


def _hub_models() -> dict[str, dict]:
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return {}
    models = sorted((repo for repo in repos if repo.repo_type == "model"), key=lambda repo: repo.repo_id)
    return {repo.repo_id: {"path": str(repo.repo_path), "bytes": repo.size_on_disk} for repo in models}


def _installed(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("tuneoff", f"{facts['tuneoff']} on Python {facts['python']}, {facts['system']}"),
        ("processor", _processor(facts)),
        ("memory", f"{_size(facts['memory_bytes'])}, {_size(facts['free_bytes'])} free"),
        ("GPU", _gpu(facts)),
        ("torch", f"{facts['torch']}, {facts['threads']} threads, {facts['kernels']} kernels"),
    ]
    for extra, installed in facts["extras"].items():
        package, use = EXTRAS[extra]
        missing = f"not installed ({use}): pip install 'tuneoff[{extra}]'"
        rows.append((f"extra {extra}", f"{package} {installed}" if installed else missing))
    rows += [("disk", f"{_size(free)} free at {path}") for path, free in facts["disk_free_bytes"].items()]
    rows += [("model", f"{name}, {_size(kept['bytes'])}, {kept['path']}") for name, kept in facts["models"].items()]
    rows += [
        ("offline", f"{name}={value}: nothing is fetched from the hub") for name, value in facts["offline"].items()
    ]
    return [*rows, *_meaning(facts)]


def _processor(facts: dict[str, Any]) -> str:
    units = facts["units"]
    if units is None:
        return f"{facts['cores']} cores; its vector units could not be found out"
    return f"{facts['cores']} cores, {', '.join(units) or 'no vector units that speed up a model'}"


def _gpu(facts: dict[str, Any]) -> str:
    driver = facts["driver"]
    if facts["gpus"]:
        return "; ".join(f"{gpu['name']}, {_size(gpu['memory_bytes'])}" for gpu in facts["gpus"]) + f", driver {driver}"
    if driver:
        return f"driver {driver} is there, but this torch cannot use it: install a torch built for CUDA"
    return "none"


def _meaning(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The last lines: what it comes to."""
    room_bytes = facts["gpus"][0]["memory_bytes"] if facts["device"].startswith("cuda") else facts["free_bytes"]
    weights = room_bytes / facts["weight_bytes"] / 1e9
    lines = [
        ("runs on", f"{facts['device']} in {facts['dtype']}"),
        (
            "room for",
            f"about {weights / FROZEN:.1f} billion weights with a small adapter, {weights / FULL:.1f} billion in full "
            "fine-tuning",
        ),
    ]
    if facts["device"] == "cpu":
        lines.append(("8 bits", f"a matmul is {facts['int8_speed']:.2g} times as fast as in float32"))
    lines += _paths(facts["tried"])
    if not facts["models"]:
        lines.append(("first run", "fetches its model: 0.1 GB over the network, 0.8 GB of disk while it is converted"))
    if min(facts["disk_free_bytes"].values()) < LITTLE_DISK_BYTES:
        lines.append(("beware", "there is little room on the disk: free some, or set TUNEOFF_CACHE to another one"))
    return lines


def _paths(tried: dict[str, Any]) -> list[tuple[str, str]]:
    """The fast paths of a model that was tried, and why it does not take the others."""
    lines = [(title, f"not taken: {why}" if why else "taken") for title, why in tried["paths"].items()]
    return [("fast paths", f"of {tried['model']}"), *lines, *(("broken", sentence) for sentence in tried["faults"])]


def _size(count: float) -> str:
    return f"{count / GB:.1f} GB"

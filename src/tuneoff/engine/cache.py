"""Contexts of frozen prompts, computed once: by content, in memory first, then in files.

    contexts/0f3a6c2e9b7d4415.safetensors     one prompt of 100 tokens, SmolLM2-135M in float32: 4.6 MB

A key is a hash of all that an entry depends on, so nothing kept is ever stale: a changed text or model has another
key. All arms, trials and seeds of a study share what is kept; files serve a restarted run too. They are mapped, not
read: what a step does not touch costs nothing, and the system drops the pages when memory runs short.

What fits nowhere is computed again. The oldest are kept, because epochs visit records in turn: to drop the least
recently used would drop each entry just before it is asked for.
"""

import json
import shutil
import warnings
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tuneoff.core.errors import ResourceError
from tuneoff.core.files import written
from tuneoff.core.identity import canonical
from tuneoff.core.machine import free_memory
from tuneoff.engine.past import Past

__all__ = ["ContextCache"]

SHARE_OF_FREE_MEMORY = 0.25
SHARE_OF_FREE_DISK = 0.25

Entry = tuple[Past, Tensor]


class ContextCache:
    """Pasts of single rows with the hidden state of their last token, by key; or, with a past that has no keys, the
    states of all their tokens that enter some layer (engine/states.py).

    budget_bytes: of memory; a quarter of what is free where the model is, unless told. folder: where the rest goes;
    None: nowhere. disk_bytes: a quarter of what is free there, unless told.
    """

    def __init__(
        self,
        budget_bytes: int | None = None,
        device: torch.device | None = None,
        *,
        folder: Path | None = None,
        disk_bytes: int | None = None,
    ):
        if budget_bytes is None:
            on_gpu = device is not None and device.type == "cuda"
            free = torch.cuda.mem_get_info(device)[0] if on_gpu else free_memory()
            budget_bytes = int(free * SHARE_OF_FREE_MEMORY)
        self.budget_bytes = budget_bytes
        self.device = device or torch.device("cpu")
        self.bytes = 0
        self.files = None if folder is None else ContextFiles(folder, disk_bytes)
        self._kept: dict[str, Entry] = {}

    def get(self, key: str) -> Entry | None:
        """What was put, bit for bit, on the model's device; None where it is not kept."""
        if key in self._kept:
            return self._kept[key]
        found = None if self.files is None else self.files.get(key)
        return found if found is None or self.device.type == "cpu" else _on(self.device, *found)

    def put(self, key: str, past: Past, last_hidden: Tensor) -> None:
        """Keep a row's past and its last hidden state, if there is room."""
        size = sum(tensor.nbytes for tensor in (*past.keys, *past.values, last_hidden))
        if key in self._kept:
            return
        if self.bytes + size <= self.budget_bytes:
            self._kept[key] = (past, last_hidden)
            self.bytes += size
        elif self.files is not None:
            self.files.put(key, past, last_hidden)


class ContextFiles:
    """One safetensors file an entry, in one folder, within a budget.

    A file that is not whole is as good as none. When the disk is full nothing more is written, and what is there
    still serves.
    """

    def __init__(self, folder: Path, budget_bytes: int | None = None):
        self.folder = folder
        for unfinished in folder.glob(".*"):
            unfinished.unlink(missing_ok=True)
        self._sizes = {path.stem: path.stat().st_size for path in folder.glob("*.safetensors")}
        self._whole: set[str] = set()  # a file's content is proved once, not at every step
        self.bytes = sum(self._sizes.values())
        if budget_bytes is None:
            there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
            budget_bytes = int((shutil.disk_usage(there).free + self.bytes) * SHARE_OF_FREE_DISK)
        self.budget_bytes = budget_bytes

    def get(self, key: str) -> Entry | None:
        if key not in self._sizes:
            return None
        try:
            with safe_open(self._path(key), "pt") as file:
                facts = file.metadata()
                held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            whole = key in self._whole or int(facts["crc32"]) == _crc32(held)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            whole = False
        if not whole:
            self._forget(key)
            return None
        self._whole.add(key)
        return _opened(held, json.loads(facts["shapes"]))

    def put(self, key: str, past: Past, last_hidden: Tensor) -> None:
        held, shapes = _flat(past, last_hidden)
        size = sum(tensor.nbytes for tensor in held.values())
        if key in self._sizes or self.bytes + size > self.budget_bytes:
            return
        try:
            with written(self._path(key)) as temporary:
                save_file(held, temporary, {"shapes": canonical(shapes), "crc32": str(_crc32(held))})
        except (ResourceError, OSError, SafetensorError) as error:
            self.budget_bytes = 0  # a disk that was full once would be asked in vain for every record
            why = error.problem if isinstance(error, ResourceError) else str(error)
            warnings.warn(
                f"contexts are no longer kept in {self.folder}: {why}. The run goes on and computes them again.",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        self._sizes[key] = size
        self._whole.add(key)
        self.bytes += size

    def _forget(self, key: str) -> None:
        self.bytes -= self._sizes.pop(key)
        with suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"


def _flat(past: Past, last_hidden: Tensor) -> tuple[dict[str, Tensor], list]:
    """An entry as five tensors (two for each layer would open thirty times slower), and the shapes in each side."""
    held = {
        "keys": _joined(past.keys),
        "values": _joined(past.values),
        "position": past.position.cpu().clone(),
        "real": past.real.cpu().clone(),
        "last": last_hidden.detach().cpu().clone(),
    }
    return held, [[list(tensor.shape) for tensor in side] for side in (past.keys, past.values)]


def _opened(held: dict[str, Tensor], shapes: Sequence[Sequence[Sequence[int]]]) -> Entry:
    keys, values = (_layers(held[side], own) for side, own in zip(("keys", "values"), shapes))
    return Past(keys, values, held["position"], held["real"]), held["last"]


def _joined(layers: Sequence[Tensor]) -> Tensor:
    return torch.cat([layer.detach().flatten() for layer in layers]).cpu() if layers else torch.zeros(0, device="cpu")


def _layers(flat: Tensor, shapes: Sequence[Sequence[int]]) -> tuple[Tensor, ...]:
    if not shapes:
        return ()
    sizes = [torch.Size(shape).numel() for shape in shapes]
    return tuple(part.view(*shape) for part, shape in zip(flat.split(sizes), shapes))


def _on(device: torch.device, past: Past, last_hidden: Tensor) -> Entry:
    keys, values = (tuple(tensor.to(device) for tensor in side) for side in (past.keys, past.values))
    return Past(keys, values, past.position.to(device), past.real.to(device)), last_hidden.to(device)


def _crc32(held: dict[str, Tensor]) -> int:
    crc = 0
    for name in sorted(held):
        crc = zlib.crc32(held[name].contiguous().flatten().view(torch.uint8).numpy(), crc)
    return crc

"""Which device and which number format a model runs in, from the words of a study file."""

import torch

from tuneoff.core.errors import ConfigError, ModelError, nearest

__all__ = ["pick_device", "pick_dtype"]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def pick_device(device: str) -> torch.device:
    """The device behind a word; raises ModelError where this machine has none such."""
    have = ["cpu"]
    have += [f"cuda:{at}" for at in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    have += ["mps"] if torch.backends.mps.is_available() else []
    if device == "auto":
        device = next((each for each in ("cuda:0", "mps") if each in have), "cpu")
    wanted = "cuda:0" if device == "cuda" else device
    if wanted not in have:
        raise ModelError(
            f"this machine has no device {device!r}", allowed=["auto", *have], fix='write device = "auto" under [model]'
        )
    return torch.device(wanted)


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The number format behind a word. float16 is never chosen by itself: its range is too small to train in."""
    if dtype != "auto" and dtype not in DTYPES:
        raise ConfigError(f"unknown number format {dtype!r}", allowed=["auto", *DTYPES], fix=nearest(dtype, DTYPES))
    if dtype != "auto":
        return DTYPES[dtype]
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32

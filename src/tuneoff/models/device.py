"""Which device and which number format a model runs in, from the words of a study file; and how fast it is there.

    measure_machine(base)
    {"device": "cpu", "threads": 2, "rows": 128, "float32_gflops": 96.0, "bfloat16_gflops": 21.0,
     "forward_tokens_per_s": 410.0, "both_ways_tokens_per_s": 180.0}

On a processor the number format is float32: without units for bfloat16 a matmul in it runs at a fifth of the speed.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tuneoff.core.errors import ConfigError, ModelError, nearest

if TYPE_CHECKING:
    from tuneoff.models.base import Base

__all__ = ["measure_machine", "pick_device", "pick_dtype"]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
ROWS = 128  # tokens in a matmul that is timed: a small batch
MOST_WEIGHTS = 4 << 20  # a larger matmul is as fast as its first columns
RUNS = 5
PASS_S = 0.1  # that a pass through the layers may take
FEWEST_TOKENS, MOST_TOKENS = 4, 64


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


def measure_machine(base: "Base") -> dict[str, str | int | float | None]:
    """Rates at this model's shapes, in about 2 seconds; None where this machine has no kernel for a number format.

    GFLOP/s of its layers' matmuls; tokens/s of one row through the trunk, forward, and forward and backward to the
    embeddings.
    """
    with torch.no_grad():
        rates = {f"{name}_gflops": _matmul_rate(base, DTYPES[name]) for name in ("float32", "bfloat16")}
    own = f"{str(base.net.dtype).removeprefix('torch.')}_gflops"
    tokens = _tokens(base, rates.get(own) or rates["float32_gflops"])
    return {
        "device": torch.cuda.get_device_name(base.device) if base.device.type == "cuda" else base.device.type,
        "threads": torch.get_num_threads(),
        "rows": ROWS,
        **rates,
        "forward_tokens_per_s": tokens / _seconds(lambda: _through(base, tokens, backward=False), base.device),
        "both_ways_tokens_per_s": tokens / _seconds(lambda: _through(base, tokens, backward=True), base.device),
    }


def _shapes(base: "Base") -> dict[tuple[int, int], int]:
    """(inputs, outputs) of the layers' matmuls, and how often each occurs."""
    from tuneoff.models.sites import LINEAR

    weights = [tuple(site.weight().shape) for site in base.sites(LINEAR)]
    return {(inputs, outputs): weights.count((outputs, inputs)) for outputs, inputs in dict.fromkeys(weights)}


def _matmul_rate(base: "Base", dtype: torch.dtype) -> float | None:
    """GFLOP/s over all shapes, each as often as the model has it."""
    flops = seconds = 0.0
    for (inputs, outputs), times in _shapes(base).items():
        columns = min(outputs, max(1, MOST_WEIGHTS // inputs))
        try:
            multiply = _multiply(inputs, columns, dtype, base.device)
            own = _seconds(multiply, base.device)
        except RuntimeError:  # no such kernel on this device
            return None
        flops += times * 2 * ROWS * inputs * outputs
        seconds += times * own * outputs / columns
    return flops / seconds / 1e9


def _multiply(inputs: int, outputs: int, dtype: torch.dtype, device: torch.device) -> Callable[[], Tensor]:
    x, weight = torch.ones(ROWS, inputs, device=device), torch.ones(outputs, inputs, device=device)
    x, weight = x.to(dtype), weight.to(dtype)
    return lambda: torch.nn.functional.linear(x, weight)


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """The quickest of a few runs behind a first one: what disturbs a run only makes it slower."""
    run()
    best = float("inf")
    for _ in range(RUNS):
        began = _now(device)
        run()
        best = min(best, _now(device) - began)
    return best


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _tokens(base: "Base", gflops: float) -> int:
    """As many as go through the layers in the time that a pass may take."""
    per_token = sum(2 * inputs * outputs * times for (inputs, outputs), times in _shapes(base).items())
    fit = int(gflops * 1e9 * PASS_S / per_token)
    return max(FEWEST_TOKENS, min(fit, MOST_TOKENS, base.context))


def _through(base: "Base", tokens: int, *, backward: bool) -> None:
    ids_1T = torch.arange(tokens, device=base.device)[None]
    with torch.set_grad_enabled(backward):
        x = base.net.get_input_embeddings()(ids_1T).requires_grad_(backward)
        hidden = base.trunk(inputs_embeds=x, use_cache=False).last_hidden_state
    if backward:
        hidden.float().sum().backward()

"""A model whose layers multiply in 8 bits, on the same weights: quicker where a processor has units for it.

    y  = s_x (X8 W8^T) s_W + x_far W_far^T     X8 = round(x / s_x), s_x = max|x| / 127 of a row
                                               W8 = round(W / s_W), s_W = max|W| / 127 of an output
    dx = s_g (G8 W8)                           G8 = round(g s_W / s_g), s_g = max|g s_W| / 127 of a row

Products of 8-bit numbers are summed in 32 bits, exactly. A few columns of x are much larger than the others in every
row: they are multiplied in full, or nothing else in the row would be told apart (Dettmers et al. 2022, "LLM.int8()",
arXiv 2208.07339, section 3). So are rows with a peak of their own, such as the first token, which most others attend
to. Through a frozen weight the gradient can go in 8 bits too (Wortsman et al. 2023, arXiv 2304.13013, section 2).

A row's result depends on no other row. Embeddings, norms, attention, adapters and the head stay as they are.

Letters: N rows, I inputs, O outputs, F far columns.
"""

import copy
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from tuneoff.core.errors import ConfigError
from tuneoff.data.general import general_text
from tuneoff.models.adapt import Site
from tuneoff.models.sites import LINEAR

if TYPE_CHECKING:
    from tuneoff.models.base import Base

__all__ = ["check_int8", "int8_net", "int8_speed"]

FAR = 1 / 20  # of the inputs
PEAK = 12.0  # times a row's root mean square: on SmolLM2 and Gemma 3 one row in twelve has such a number
LARGEST = 127
TIMED = (128, 512, 1024)  # rows, inputs, outputs
TIMES = 5


def int8_speed() -> float:
    """How many times as fast as in float32 a matmul in 8 bits is on this processor, in a tenth of a second."""
    rows, inputs, outputs = TIMED
    x, weight = torch.ones(rows, inputs, device="cpu"), torch.ones(outputs, inputs, device="cpu")
    x8, weight8 = x.to(torch.int8), weight.to(torch.int8)
    full, short = [], []
    for _ in range(TIMES):
        full.append(_seconds(lambda: x @ weight.T))
        short.append(_seconds(lambda: torch._int_mm(x8, weight8.T)))
    return min(full) / min(short)


def check_int8(base: "Base") -> None:
    """Raises ConfigError where 8 bits cannot be had, or are no gain."""
    fix = "remove int8 = true under [model]"
    if base.device.type != "cpu" or base.net.dtype != torch.float32:
        found = f"{base.device} in {str(base.net.dtype).removeprefix('torch.')}"
        raise ConfigError("int8 is for a processor in float32", found=found, fix=fix)
    speed = int8_speed()
    if speed <= 1:
        raise ConfigError(
            "this processor is no faster in 8 bits",
            found=f"a matmul in 8 bits is {speed:.2g} times as fast as one in float32",
            allowed="a processor with VNNI or AMX units",
            fix=fix,
        )


def int8_net(base: "Base") -> nn.Module:
    """A network on the base's own parameters whose layers multiply in 8 bits. What they are rounded from is read once:
    it is of no use while those weights are other ones."""
    own = (*base.net.parameters(), *base.net.buffers())
    net = copy.deepcopy(base.net, {id(tensor): tensor for tensor in own})
    sites = {site.module: site for site in base.sites(LINEAR)}
    with torch.no_grad():
        for module, largest in _largest_inputs(base, list(sites)).items():
            whole = _whole_weight(sites[module])
            far = largest.topk(max(1, int(len(largest) * FAR))).indices.sort().values
            net.get_submodule(sites[module].name).forward = Int8Linear(whole, getattr(module, "bias", None), far)
    return net


def _whole_weight(site: Site) -> Tensor:
    """[O, I] of all that the module computes, where a site may be a part of it."""
    return site.module.weight.T if site.transposed else site.module.weight


def _largest_inputs(base: "Base", modules: list[nn.Module]) -> dict[nn.Module, Tensor]:
    """[I] by module: the largest size of each input over everyday text."""
    largest = {module: torch.zeros(1, device=base.device) for module in modules}

    def look(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        largest[module] = torch.maximum(largest[module], args[0].abs().flatten(0, -2).amax(0))

    handles = [module.register_forward_pre_hook(look) for module in modules]
    try:
        for text in general_text():
            ids = base.tokenizer(text).input_ids[: base.context]
            base.trunk(torch.tensor([ids], device=base.device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return largest


class Int8Linear:
    """x W^T + b. weight [O, I], bias [O] or None; far: [F] inputs that are multiplied in full."""

    def __init__(self, weight: Tensor, bias: Tensor | None, far: Tensor):
        self.weight, self.bias, self.far = weight.detach(), bias, far
        self.far_weight = self.weight[:, far].contiguous()
        near = self.weight.index_fill(1, far, 0)
        rounded, scale = _rounded(near)
        self.near_weight, self.scale = rounded, scale[:, 0]

    def __call__(self, x: Tensor) -> Tensor:
        y = _Int8Matmul.apply(x, self)
        return y if self.bias is None else y + self.bias


class _Int8Matmul(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, held):
        ctx.held, x_NI = held, x.flatten(0, -2)
        near = x_NI.index_fill(1, held.far, 0)
        x8, scale = _rounded(near)
        y = torch._int_mm(x8, held.near_weight.T).to(x_NI.dtype).mul_(scale).mul_(held.scale)
        y.addmm_(x_NI[:, held.far], held.far_weight.T)
        spread = near.square().mean(1, keepdim=True).sqrt()
        peaked = (scale * LARGEST > PEAK * spread).flatten().nonzero().flatten()
        y.index_copy_(0, peaked, x_NI[peaked] @ held.weight.T)
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        held, g_NO = ctx.held, g.flatten(0, -2)
        g8, scale = _rounded(g_NO * held.scale)
        sent = torch._int_mm(g8, held.near_weight).to(g_NO.dtype).mul_(scale)
        sent.index_copy_(1, held.far, g_NO @ held.far_weight)
        return sent.view(*g.shape[:-1], -1), None


def _rounded(x: Tensor) -> tuple[Tensor, Tensor]:
    """([N, K] in 8 bits, [N, 1] what one step of a row is worth)."""
    largest = torch.linalg.vector_norm(x, torch.inf, dim=1, keepdim=True)
    scale = largest.clamp_min(torch.finfo(x.dtype).tiny) / LARGEST
    return (x / scale).round_().to(torch.int8), scale


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began

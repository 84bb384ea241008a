"""The output head where it is needed, a chunk of positions at a time: log-likelihoods with their gradient.

    nll_n = logsumexp(z_n) - z_n[target_n],  z_n = W h_n + b (soft-capped, scaled)
    d nll_n / d h_n = W^T (p_n - e_target_n)

The gradient of the hidden states is made in the forward pass from the same logits, in place, so that no more than one
chunk of logits ever exists. Liger's fused loss does so per chunk of rows (Hsu et al. 2024, arXiv 2410.10989).
A head that learns, or that is more than a linear layer, takes the plain way: `Base.head` and cross entropy.

Letters: N positions, E width, V vocabulary.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from tuneoff.engine.low_rank import frozen_linear
from tuneoff.models.base import Base

__all__ = ["answer_nll", "log_probabilities", "wide"]

LOGIT_BYTES = 64 << 20  # of one chunk


def answer_nll(base: Base, hidden_NE: Tensor, target_N: Tensor) -> Tensor:
    """[N] minus log-probabilities of the targets."""
    if not hidden_NE.requires_grad:
        return -log_probabilities(base, hidden_NE, torch.arange(len(target_N), device=target_N.device), target_N)
    head = base.net.get_output_embeddings()
    if not bare(head):
        return functional.cross_entropy(wide(base.head(hidden_NE)), target_N, reduction="none")
    cap = getattr(base.config, "final_logit_softcapping", None) or 0.0
    scaling = getattr(base.config, "logits_scaling", None) or 1.0
    return _AnswerNll.apply(hidden_NE, target_N, head, cap, scaling)


def log_probabilities(base: Base, hidden_NE: Tensor, at_M: Tensor, token_M: Tensor) -> Tensor:
    """[M] log p(token | hidden[at]); at is sorted, and may name a position many times."""
    words = base.net.get_output_embeddings().weight.shape[0]
    parts = []
    for first, block in _chunks(hidden_NE, words):
        low, high = torch.searchsorted(at_M, torch.tensor([first, first + len(block)], device=at_M.device)).tolist()
        logits = wide(base.head(block))
        row = at_M[low:high] - first
        parts.append(logits[row, token_M[low:high]] - logits.logsumexp(dim=-1)[row])
    return torch.cat(parts)


def bare(head: nn.Module) -> bool:
    """Whether the gradient below can be written out for it: a linear layer that learns nothing and wears nothing."""
    return frozen_linear(head) and not head._forward_hooks and not head._forward_pre_hooks


def wide(logits: Tensor) -> Tensor:
    """Half precision is widened before the log-sum-exp; float32 and float64 stay as they are."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def _chunks(hidden_NE: Tensor, words: int) -> Iterator[tuple[int, Tensor]]:
    size = max(1, LOGIT_BYTES // (words * max(4, hidden_NE.dtype.itemsize)))
    first = 0
    for block in hidden_NE.split(size):
        yield first, block
        first += len(block)


class _AnswerNll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden_NE, target_N, head, cap, scaling):
        nll = torch.empty(len(hidden_NE), dtype=wide(hidden_NE[:0]).dtype, device=hidden_NE.device)
        grad = torch.empty_like(hidden_NE)
        for first, block in _chunks(hidden_NE, head.weight.shape[0]):
            span = slice(first, first + len(block))
            nll[span], d_logits = _chunk(wide(head(block)), target_N[span, None], cap, scaling)
            torch.mm(d_logits.to(head.weight.dtype), head.weight, out=grad[span])
        ctx.save_for_backward(grad)
        return nll

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (grad,) = ctx.saved_tensors
        return grad * g[:, None].to(grad.dtype), None, None, None, None


def _chunk(z: Tensor, target: Tensor, cap: float, scaling: float) -> tuple[Tensor, Tensor]:
    """(nll, its gradient of the head's raw output), written over the logits."""
    slope = None
    if cap:
        z = z.div_(cap).tanh_()
        slope = 1 - z.square()
        z = z.mul_(cap)
    if scaling != 1.0:
        z = z.div_(scaling)
    total = z.logsumexp(dim=-1, keepdim=True)
    nll = (total - z.gather(1, target)).squeeze(1)
    p = z.sub_(total).exp_()
    p.scatter_add_(1, target, -torch.ones_like(target, dtype=p.dtype))
    if slope is not None:
        p = p.mul_(slope)
    return nll, p.div_(scaling) if scaling != 1.0 else p

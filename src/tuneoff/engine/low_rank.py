"""A low-rank update beside a frozen projection, at the cost of its own numbers.

    out = y + (x A^T) B^T,  dx = (g B) A,  dA = (g B)^T x,  dB = g^T (x A^T)

Narrow matrices are multiplied the way round that the matmul library is quick at: [r, I] x [I, N] instead of
[N, I] x [I, r] (2 to 4 times faster on 400 rows, rank 8), and the update is added where the product is made.

Letters: N positions, I inputs, O outputs, r rank.
"""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["low_rank"]


def low_rank(x: Tensor, y: Tensor, A: Tensor, B: Tensor) -> Tensor:
    """x [..., I], y [..., O], A [r, I], B [O, r] -> y + (x A^T) B^T."""
    return _LowRank.apply(x.flatten(0, -2), y.flatten(0, -2), A, B).view(y.shape)


class _LowRank(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y, A, B):
        inner_rN = A @ x.T
        ctx.save_for_backward(x, A, B, inner_rN)
        return torch.addmm(y, inner_rN.T, B.T)

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        x, A, B, inner_rN = ctx.saved_tensors
        sent_rN = B.T @ g.T
        wants_x, wants_y, wants_A, wants_B = ctx.needs_input_grad
        return (
            sent_rN.T @ A if wants_x else None,
            g if wants_y else None,
            sent_rN @ x if wants_A else None,
            (inner_rN @ g).T if wants_B else None,
        )

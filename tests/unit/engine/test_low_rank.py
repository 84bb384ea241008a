"""The low-rank update equals its formula, in value and gradient (float64, to 1e-12)."""

import pytest
import torch

from tuneoff.engine.low_rank import low_rank


def made(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


X, Y, A, B = made((2, 5, 6), 0), made((2, 5, 7), 1), made((3, 6), 2), made((7, 3), 3)


def test_equals_the_formula_in_value_and_gradient():
    fast, plain = low_rank(X, Y, A, B), Y + X @ A.T @ B.T
    assert (fast - plain).abs().max() < 1e-12
    sent = made((2, 5, 7), 4).detach()
    for one, other in zip(
        torch.autograd.grad(fast, (X, Y, A, B), sent), torch.autograd.grad(plain, (X, Y, A, B), sent)
    ):
        assert one.shape == other.shape
        assert (one - other).abs().max() < 1e-12


@pytest.mark.parametrize("frozen", [0, 1, 2, 3])
def test_what_is_frozen_gets_no_gradient(frozen):
    parts = [part.detach().requires_grad_(at != frozen) for at, part in enumerate((X, Y, A, B))]
    low_rank(*parts).sum().backward()
    assert [part.grad is None for part in parts] == [at == frozen for at in range(4)]


def test_control_the_other_side_of_the_scale():
    assert (low_rank(X, Y, A, 2 * B) - (Y + X @ A.T @ B.T)).abs().max() > 1e-2

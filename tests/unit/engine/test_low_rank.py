"""Low-rank updates equal their formula, in value and gradient (float64, to 1e-12), for one's rows and for several's."""

import pytest
import torch

from tuneoff.engine.low_rank import frozen_linear, low_rank
from tuneoff.models.adapt import LowRank


def made(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


X, Y, A, B = made((2, 5, 6), 0), made((2, 5, 7), 1), made((3, 6), 2), made((7, 3), 3)
C, D = made((2, 6), 4), made((7, 2), 5)
SENT = made((2, 5, 7), 6).detach()
WHOLE = [(slice(None), LowRank(A, B))]
SOME = [(slice(1, 4), LowRank(A, B)), (slice(6, 10), LowRank(C, D))]


def written_out(x, y, updates):
    x, rows = x.flatten(0, 1), list(y.flatten(0, 1))
    for own, (a, b) in updates:
        for at in range(len(rows))[own]:
            rows[at] = rows[at] + b @ (a @ x[at])
    return torch.stack(rows).view(y.shape)


def assert_equal(fast, plain, inputs):
    assert (fast - plain).abs().max() < 1e-12
    for one, other in zip(torch.autograd.grad(fast, inputs, SENT), torch.autograd.grad(plain, inputs, SENT)):
        assert one.shape == other.shape
        assert (one - other).abs().max() < 1e-12


@pytest.mark.parametrize("updates", [WHOLE, SOME], ids=["whole", "some"])
@pytest.mark.parametrize("part", [False, True], ids=["own", "part"])
def test_equals_the_formula_in_value_and_gradient(updates, part):
    """y: a tensor of its own, which is changed in place, or a part of another one, which is not."""
    y = torch.cat([Y, Y], dim=2)[..., :7] if part else Y * 1.0
    inputs = [X, Y, A, B, *((C, D) if updates is SOME else ())]
    before = y.detach().clone()
    fast = low_rank(X, y, updates)
    assert torch.equal(y.detach(), before) == part
    assert_equal(fast, written_out(X, Y, updates), inputs)


@pytest.mark.parametrize("bias", [False, True])
def test_back_through_the_frozen_projection_at_once(bias):
    projection = torch.nn.Linear(6, 7, bias=bias).double().requires_grad_(False)
    assert frozen_linear(projection)
    inputs = [X, A, B, C, D]
    assert_equal(low_rank(X, projection(X), SOME, projection), written_out(X, projection(X), SOME), inputs)
    assert_equal(low_rank(X, projection(X), WHOLE, projection), written_out(X, projection(X), WHOLE), inputs[:3])
    without = torch.autograd.grad(low_rank(X, projection(X).detach(), WHOLE), X, SENT)[0]
    whole = torch.autograd.grad(low_rank(X, projection(X), WHOLE, projection), X, SENT)[0]
    assert (whole - without).abs().max() > 1e-2, "control: the projection's own part of the way back"


def test_of_a_part_the_way_back_through_the_whole_stays():
    projection = torch.nn.Linear(6, 7, bias=False).double().requires_grad_(False)
    head, tail = projection(X).split(1)
    out = torch.cat([low_rank(X[:1], head, WHOLE, projection), tail])
    assert_equal(out, written_out(X, projection(X), [(slice(0, 5), LowRank(A, B))]), [X, A, B])


def test_what_is_no_frozen_projection():
    projection = torch.nn.Linear(6, 7)
    assert not frozen_linear(projection), "it learns"
    projection.requires_grad_(False)
    projection.forward = lambda x: 2 * x
    assert not frozen_linear(projection), "it says something else"
    assert not frozen_linear(torch.nn.Sequential(torch.nn.Linear(6, 7).requires_grad_(False)))


@pytest.mark.parametrize("frozen", [0, 1, 2, 3])
def test_what_is_frozen_gets_no_gradient(frozen):
    x, y, a, b = parts = [part.detach().requires_grad_(at != frozen) for at, part in enumerate((X, Y, A, B))]
    low_rank(x, y * 1.0, [(slice(None), LowRank(a, b))]).sum().backward()
    assert [part.grad is None for part in parts] == [at == frozen for at in range(4)]


def test_who_needs_y_as_it_was_is_told():
    y = Y.exp()  # its own gradient is made of it
    with pytest.raises(RuntimeError, match="inplace"):
        low_rank(X, y, WHOLE).sum().backward()


def test_control_the_other_side_of_the_scale():
    doubled = [(slice(None), LowRank(A, 2 * B))]
    assert (low_rank(X, Y * 1.0, doubled) - written_out(X, Y, WHOLE)).abs().max() > 1e-2
    assert (low_rank(X, Y * 1.0, SOME) - low_rank(X, Y * 1.0, SOME[:1])).abs().max() > 1e-2

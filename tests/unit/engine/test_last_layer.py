"""The last layer at some positions alone equals the last layer at all of them, in states, keys and gradient.

Tolerances as in test_packed.py: 1e-10 in value (float64), 1e-5 of the largest entry in gradient.
"""

import pytest
import torch

from tiny_arms import contexts_of, made_adapters, short_rows, tiny_base
from tuneoff.engine import attach, packed
from tuneoff.engine.attach import Worn
from tuneoff.engine.last_layer import said_by
from tuneoff.engine.loss import answer_loss, plain_loss, step_loss
from tuneoff.engine.rows import Rows
from tuneoff.engine.together import Together, losses_together
from tuneoff.models.tiny import ARCHITECTURES

VALUE, GRADIENT, WRONG = 1e-10, 1e-5, 1e-3
TEXTS = [[20, 21, 22, 23, 24, 25], [30], [40, 41, 42, 43, 44], [50, 51]]
READ = torch.tensor([1, 5, 6, 11, 13])
WHOLE = ("gpt2",)  # its trunk asks for as many states as it was given


def states(base, adapters, read=None):
    with Worn(base, adapters) as worn:
        first = worn.first_past()
        offset = 0 if first is None else first.position.shape[1]
        rows = Rows.of(TEXTS, offset, base.device)
        apart = read is not None and worn.reads_apart(read, rows)
        hidden, past = worn.run(rows, first, read=read)
    return hidden, past, apart


@pytest.mark.parametrize("kind", ["lora", "ia3", "norm_tuning", "bitfit", "dora", "prefix + lora"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_some_positions_equal_all(architecture, kind):
    base = tiny_base(architecture)
    adapters = made_adapters(base, kind)
    learned = [p for adapter in adapters for p in adapter.parameters()]
    some, past, apart = states(base, adapters, READ)
    every, whole_past, _ = states(base, adapters)
    assert apart == (architecture not in WHOLE)
    assert some.shape == (len(READ), base.width)
    assert (some - every[READ]).abs().max() < VALUE
    for ours, theirs in zip((*past.keys, *past.values), (*whole_past.keys, *whole_past.values)):
        assert (ours - theirs).abs().max() < VALUE
    sent = torch.randn(some.shape, generator=torch.Generator().manual_seed(0), dtype=some.dtype)
    # what is read, and the last layer's keys, as a row behind this past would send it back
    one, other = (
        torch.autograd.grad((x * sent).sum() + own.keys[-1].sum() + own.values[-1].sum(), learned)
        for x, own in ((some, past), (every[READ], whole_past))
    )
    largest = max(float(g.abs().max()) for g in other)
    assert largest > 1e-2
    assert max(float((a - b).abs().max()) for a, b in zip(one, other)) < GRADIENT * largest


def test_where_most_is_read_the_layer_runs_whole():
    base = tiny_base()
    rows = Rows.of(TEXTS, 0, base.device)
    with Worn(base) as worn:
        assert worn.reads_apart(torch.arange(10), rows)
        assert not worn.reads_apart(torch.arange(12), rows)
        assert not worn.reads_apart(None, rows)


def test_a_layer_speaks_for_itself_again():
    base = tiny_base()
    layer = base.stack[-1]
    states(base, [], READ)
    assert "forward" not in layer.__dict__
    with pytest.raises(ZeroDivisionError), said_by(layer, lambda x: x):
        raise ZeroDivisionError
    assert "forward" not in layer.__dict__


def test_losses_read_apart_alone_and_together():
    """Both ways to train take it here: two thirds of the positions are read."""
    base, seen = tiny_base("qwen3"), []
    arms = [made_adapters(base, kind) for kind in ("lora", "ia3")]
    assert Worn(base).capabilities().sparse_last_layer
    look = Worn.look_at_read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worn, "look_at_read", lambda self, read: (seen.append(len(read)), look(self, read)))
        with Worn(base, arms[0]) as worn:
            contexts = contexts_of(worn, short_rows())
            alone = answer_loss(contexts, contexts.start(), short_rows()).per_record
            assert seen == [1, 9], "the start, and the trained tokens"
            along = step_loss(contexts, short_rows()).per_record
            assert seen == [1, 9, 9], "the start in the rows' own pass"
            plain = plain_loss(worn, short_rows()).per_record
        worn = [Worn(base, adapters) for adapters in arms]
        with Together(worn) as together:
            contexts = [contexts_of(own, short_rows()) for own in worn]
            first, _ = losses_together(together, contexts, [short_rows(), short_rows()])
        assert seen == [1, 9, 9, 9, 9]
    assert (alone - plain).abs().max() < VALUE
    assert (along - plain).abs().max() < VALUE
    assert (first.per_record - plain).abs().max() < VALUE


# What must not be equal: each of these is a mistake that reading apart can make.


def test_control_the_neighbours_positions(monkeypatch):
    base = tiny_base()
    right, _, _ = states(base, [], READ)
    run = attach.run_packed
    monkeypatch.setattr(attach, "run_packed", lambda *given, read, **more: run(*given, read=read - 1, **more))
    assert (states(base, [], READ)[0] - right).abs().max() > WRONG


def test_control_attention_that_sees_nothing(monkeypatch):
    base = tiny_base()
    right, _, _ = states(base, [], READ)

    class Nothing(packed.Attended):
        def __init__(self, out):
            super().__init__(0 * out)

    monkeypatch.setattr(packed, "Attended", Nothing)
    assert (states(base, [], READ)[0] - right).abs().max() > WRONG

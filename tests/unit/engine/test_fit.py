"""A batch in parts is the batch: the same loss and gradient, whatever memory allowed; a step is never lost."""

import warnings
import weakref

import pytest
import torch

from tiny_arms import contexts_of, made_adapters, short_rows, tiny_base
from tuneoff.core.errors import ResourceError
from tuneoff.engine import fit as fitting
from tuneoff.engine.attach import Worn
from tuneoff.engine.fit import Fit, out_of_memory
from tuneoff.engine.loss import answer_loss

pytestmark = pytest.mark.filterwarnings("ignore:.* ran out of memory:RuntimeWarning")
CPU, GPU = torch.device("cpu"), torch.device("cuda")
ROWS = short_rows() * 2
KINDS = ["lora", "soft_prompt", "soft_prompt_after", "prefix"]


def step(architecture, kind, fit, *, limit=99, divisor=None, undo=True):
    """Mean loss and gradient of one optimiser step where more than `limit` rows at once are too many."""
    base = tiny_base(architecture)
    adapters = made_adapters(base, kind)
    learned = [p for adapter in adapters for p in adapter.parameters()]
    tokens = divisor or sum(len(example.ids.answer) for example in ROWS)

    def clear():
        for p in learned:
            p.grad = None

    with Worn(base, adapters) as worn:
        contexts = contexts_of(worn, ROWS)

        def learn(part):
            loss = answer_loss(contexts, contexts.start(), part).per_record.sum() / tokens
            loss.backward()
            if len(part) > limit:
                raise torch.OutOfMemoryError("out of memory")  # with gradients already there
            return float(loss.detach())

        mean = sum(fit.run(ROWS, learn, undo=clear if undo else lambda: None))
    return mean, torch.cat([p.grad.flatten() for p in learned])


def apart(one, other):
    (mean, gradient), (same, again) = one, other
    return abs(mean - same), float((gradient - again).abs().max() / again.abs().max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2", "mistral"])
def test_parts_give_the_loss_and_gradient_of_the_whole(architecture, kind):
    whole = step(architecture, kind, Fit(CPU))
    for limit, left in ((3, 3), (2, 2), (1, 1)):
        fit = Fit(CPU)
        value, gradient = apart(step(architecture, kind, fit, limit=limit), whole)
        assert value < 1e-10
        assert gradient < 1e-5
        assert fit.rows == left


def test_what_does_not_fit_is_told():
    with pytest.warns(RuntimeWarning, match="6 rows at once ran out of memory: 3 go through from here on"):
        step("llama", "lora", Fit(CPU), limit=3)
    fit = Fit(CPU)
    with pytest.warns(RuntimeWarning, match="one row at once ran out of memory: layers run once more in the backward"):
        fit.run([1], lambda part: None if fit.sparing else _full())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step("llama", "lora", Fit(CPU))


def _full():
    raise torch.OutOfMemoryError("out of memory")


def test_control_gradients_of_a_broken_try_that_stay():
    whole = step("llama", "lora", Fit(CPU))
    assert apart(step("llama", "lora", Fit(CPU), limit=3, undo=False), whole)[1] > 0.1


def test_control_each_part_divided_by_its_own_tokens():
    whole = step("llama", "lora", Fit(CPU))
    assert apart(step("llama", "lora", Fit(CPU, rows=3), divisor=9), whole)[0] > 0.1


def test_looking_at_memory_changes_no_bit(monkeypatch):
    plain = step("gemma3", "lora", Fit(GPU))
    monkeypatch.setattr(fitting, "LOOK_BYTES", 0)
    watched = step("gemma3", "lora", Fit(CPU))
    assert plain[0] == watched[0]
    assert torch.equal(plain[1], watched[1])


def test_a_step_that_is_over_holds_no_memory():
    """exp keeps its own outcome; a watch that hands it back as it is makes it hold itself, where no backward comes."""
    kept = []

    def once(rows):
        weight = torch.ones(4)
        kept.append(weakref.ref(weight))
        (torch.ones(4, requires_grad=True) * weight).exp()

    Fit(torch.device("cpu")).run([0], once)
    assert kept[0]() is None


def test_a_batch_goes_whole_while_there_is_room():
    sizes = []
    fit = Fit(CPU)
    assert fit.run(range(5), lambda part: sizes.append(len(part)) or sum(part)) == [10]
    assert (sizes, fit.rows) == ([5], None)


def test_the_size_that_went_through_is_kept():
    sizes = []

    def once(part):
        sizes.append(len(part))
        if len(part) > 2:
            raise MemoryError
        return list(part)

    fit = Fit(CPU)
    for rows in (7, 5):
        assert [row for part in fit.run(range(rows), once) for row in part] == list(range(rows))
    assert sizes == [7, 4, 2, 2, 2, 1, 2, 2, 1]


def test_memory_that_runs_short_ends_the_try_in_time(monkeypatch):
    """What is free falls with what the forward keeps; three of six rows are what fits."""
    whole = step("llama", "lora", Fit(CPU))
    monkeypatch.setattr(fitting, "LOOK_BYTES", 0)
    looks = iter([1 << 60, 0])  # the second look of the first try finds nothing
    monkeypatch.setattr(fitting, "free_memory", lambda: next(looks, 1 << 60))
    fit = Fit(CPU)
    value, gradient = apart(step("llama", "lora", fit), whole)
    assert fit.rows == 3
    assert value < 1e-10
    assert gradient < 1e-5


def test_a_row_too_many_for_a_processor_is_told(monkeypatch):
    with pytest.raises(ResourceError, match="one record alone does not fit into memory") as caught:
        step("llama", "lora", Fit(CPU), limit=0)
    assert "max_length" in str(caught.value)


@pytest.mark.parametrize("device", [CPU, GPU])
def test_a_row_too_many_is_tried_sparingly(device):
    tries = []

    def once(part):
        x = torch.ones(3, requires_grad=True)
        kept = (x * x).sum()
        tries.append(len(part))
        if len(tries) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        kept.backward()
        return x.grad.tolist()

    fit = Fit(device)
    assert fit.run([1, 2], once) == [[2.0, 2.0, 2.0]] * 2
    assert (tries, fit.rows, fit.sparing) == ([2, 1, 1, 1], 1, True)
    with pytest.raises(ResourceError, match="one record alone"):
        fit.run([1], lambda part: (_ for _ in ()).throw(torch.OutOfMemoryError("again")))


@pytest.mark.parametrize("kind", ["soft_prompt", "lora", "prefix"])
@pytest.mark.parametrize("device", [CPU, GPU])
def test_a_sparing_step_is_the_same_step(device, kind):
    plain, fit = step("qwen3", kind, Fit(CPU)), Fit(device)
    fit.sparing = True
    value, gradient = apart(step("qwen3", kind, fit), plain)
    assert value < 1e-10
    assert gradient < 1e-5


def test_what_a_broken_try_held_is_let_go():
    held = []

    def once(part):
        block = torch.ones(len(part))
        held.append(weakref.ref(block))
        if len(part) > 1:
            raise MemoryError
        assert held[0]() is None
        return len(block)

    assert Fit(CPU).run([1, 2], once) == [1, 1]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (MemoryError(), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
            True,
        ),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("DefaultCPUAllocator"), False),
    ],
)
def test_which_errors_mean_memory(error, told):
    assert out_of_memory(error) is told


def test_a_real_refusal_of_the_allocator():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert out_of_memory(caught.value)


def test_other_errors_go_through_at_once():
    tries = []
    with pytest.raises(RuntimeError, match="a bug"):
        Fit(CPU).run([1, 2], lambda part: tries.append(part) or (_ for _ in ()).throw(RuntimeError("a bug")))
    assert len(tries) == 1

"""Soft prompts start where they are told to, and stand at virtual positions only."""

import pytest
import torch

from tiny_arms import TASK, made_method, tiny_base
from tuneoff.data.task import Task
from tuneoff.models.soft import first_text

BOTH = ["soft_prompt", "soft_prompt_after"]


def start_of(name, base, seed=0, task=TASK, **knobs):
    method = made_method(name, **knobs)
    return method.init(base.sites(("embed",))[0], task, base, torch.Generator().manual_seed(seed))["P"]


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
@pytest.mark.parametrize("name", BOTH)
def test_from_a_text_repeated_and_cut(name, architecture):
    base = tiny_base(architecture)
    rows = base.embed("ab").float()
    P = start_of(name, base, text="ab", length=5)
    assert torch.equal(P, rows[[0, 1, 0, 1, 0]])
    assert torch.equal(start_of(name, base, text="abcdef", length=2), base.embed("ab").float())


def test_from_the_tasks_instruction_or_its_labels():
    assert first_text(TASK) == "Feel?"
    assert first_text(Task(name="t", kind="choice", labels=("a", "b"))) == "a b"
    assert first_text(Task(name="t", kind="text")) == "Answer the question."
    assert torch.equal(start_of("soft_prompt", tiny_base()), tiny_base().embed("Feel?").float()[:3])


def test_from_the_vocabulary_takes_words_by_the_generator():
    base = tiny_base()
    words = {tuple(row) for row in base.vocabulary().float().tolist()}
    P = start_of("soft_prompt", base, start="vocabulary", length=6)
    assert all(tuple(row) in words for row in P.tolist())
    assert torch.equal(P, start_of("soft_prompt", base, start="vocabulary", length=6))
    assert not torch.equal(P, start_of("soft_prompt", base, seed=1, start="vocabulary", length=6))


@pytest.mark.parametrize("architecture", ["llama", "gemma3"])
def test_noise_has_the_size_of_the_embeddings(architecture):
    base = tiny_base(architecture)
    P = start_of("soft_prompt", base, start="random", length=200)
    assert float(P.std()) == pytest.approx(float(base.vocabulary().std()), rel=0.1)


def test_a_start_is_a_copy_of_the_table():
    base = tiny_base(dtype=torch.float32)
    before = base.net.get_input_embeddings().weight.clone()
    for start in ("text", "vocabulary"):
        start_of("soft_prompt", base, start=start).add_(1)
    assert torch.equal(base.net.get_input_embeddings().weight, before)


def test_rows_stand_at_virtual_positions_in_their_order():
    method = made_method("soft_prompt")
    P = torch.arange(12.0).view(3, 4)
    y = torch.full((2, 5, 4), -1.0)
    virtual = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 0, 1]]).bool()
    out = method.leave(None, None, y, {"P": P}, virtual)
    assert torch.equal(out[0], torch.cat([P, y[0, :2]]))
    assert torch.equal(out[1], torch.stack([y[0, 0], P[0], P[1], y[0, 0], P[2]]))


@pytest.mark.parametrize(("name", "where"), list(zip(BOTH, ["before", "after"])))
def test_which_side(name, where):
    method = made_method(name, length=7)
    assert (method.where, method.virtual, method.lr_unit) == (where, 7, "embedding")

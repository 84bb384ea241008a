"""Choices scored as a tree equal each choice scored alone, token by token, from scratch (float64, to 1e-10)."""

import pytest
import torch

from tiny_arms import TASK, CountingCache, encoded, made_adapters, plain_logits, short_rows, tiny_base
from tuneoff.engine import head
from tuneoff.engine.attach import Worn
from tuneoff.engine.score import AnswerTree, score_choices
from tuneoff.models.tiny import ARCHITECTURES

VALUE = 1e-10
PROMPTS = [example.ids.prompt for example in short_rows()]
# one is the other's beginning, two share a beginning, one is a single token
ANSWERS = [(50, 51, 4), (50, 51, 52, 53, 4), (50, 60, 4), (70, 4), (4,)]


def plain_scores(worn, prompts, answers):
    rows = []
    for prompt in prompts:
        row = []
        for answer in answers:
            steps = plain_logits(worn, prompt, answer[:-1]).log_softmax(dim=-1)
            row.append(sum(steps[at, token] for at, token in enumerate(answer)))
        rows.append(torch.stack(row))
    return torch.stack(rows).detach()


@pytest.mark.parametrize("kind", ["bare", "lora", "soft_prompt", "soft_prompt_after", "prefix + lora"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_tree_equals_each_choice_alone(architecture, kind):
    base = tiny_base(architecture)
    with Worn(base, [] if kind == "bare" else made_adapters(base, kind)) as worn:
        fast = score_choices(worn, PROMPTS, ANSWERS, batch_tokens=12)
        plain = plain_scores(worn, PROMPTS, ANSWERS)
    assert fast.shape == (3, 5)
    assert (fast - plain).abs().max() < VALUE


@pytest.mark.parametrize("kind", ["bare", "soft_prompt_after"])
@pytest.mark.parametrize(("architecture", "window"), [("mistral", 4), ("gemma3", 5), ("llama", None)])
def test_the_tree_behind_kept_contexts(architecture, window, kind):
    base, cache = tiny_base(architecture, window=window), CountingCache()
    with Worn(base, [] if kind == "bare" else made_adapters(base, kind)) as worn:
        first = score_choices(worn, PROMPTS, ANSWERS, cache=cache)
        again = score_choices(worn, PROMPTS, ANSWERS, cache=cache)
        assert cache.hits == 4
        alone = score_choices(worn, PROMPTS[::-1], ANSWERS, cache=cache, batch_tokens=1)
        plain = plain_scores(worn, PROMPTS, ANSWERS)
    assert torch.equal(first, again)
    assert (first - plain).abs().max() < VALUE
    assert (alone - plain.flip(0)).abs().max() < VALUE


def test_the_labels_of_a_task():
    base = tiny_base("qwen3")
    prompts = [example.ids.prompt for example in encoded(base)]
    answers = [base.chat.answer_ids(label) for label in TASK.labels]
    with Worn(base, made_adapters(base, "soft_prompt")) as worn:
        assert (score_choices(worn, prompts, answers) - plain_scores(worn, prompts, answers)).abs().max() < VALUE


def test_scores_are_log_probabilities():
    base = tiny_base()
    every = [(token,) for token in range(261)]
    with Worn(base) as worn:
        assert torch.allclose(score_choices(worn, PROMPTS, every).exp().sum(dim=1), torch.ones(3, dtype=torch.float64))


def test_a_chunk_of_positions_at_a_time_changes_nothing(monkeypatch):
    with Worn(tiny_base()) as worn:
        whole = score_choices(worn, PROMPTS, ANSWERS)
        monkeypatch.setattr(head, "LOGIT_BYTES", 1)
        assert (score_choices(worn, PROMPTS, ANSWERS) - whole).abs().max() < VALUE


def test_control_cousins_that_see_each_other(monkeypatch):
    base = tiny_base()
    with Worn(base) as worn:
        right = score_choices(worn, PROMPTS, ANSWERS)
        monkeypatch.setattr(AnswerTree, "branch", lambda self, device: None)
        wrong = score_choices(worn, PROMPTS, ANSWERS)
    assert (right - wrong)[:, 2].abs().max() > 1e-3
    assert (right - wrong)[:, 4].abs().max() < VALUE  # ends at once: it has no branch


def test_a_tree_keeps_each_beginning_once():
    tree = AnswerTree.of(ANSWERS)
    assert tree.token == (0, 50, 51, 52, 53, 60, 70)
    assert tree.parent == (-1, 0, 1, 2, 3, 1, 0)
    assert tree.depth == (0, 1, 2, 3, 4, 2, 1)
    assert tree.edges[1] == ((0, 50), (1, 51), (2, 52), (3, 53), (4, 4))
    assert tree.edges[4] == ((0, 4),)
    branch = tree.branch("cpu")
    assert branch.shape == (6, 6)
    assert branch[3].tolist() == [True, True, True, True, False, False]
    assert branch[4].tolist() == [True, False, False, False, True, False]

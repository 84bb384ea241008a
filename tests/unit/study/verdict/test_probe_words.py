"""A probe learns without gradients: it is neither tuned nor a prompt, and is compared like any arm."""

from dataclasses import replace

import numpy as np
import pytest

from judged_run import TRAITS, Run


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_a_probe_that_wins_is_said_to_be_what_it_is(run):
    run.arm("zero_shot", 0.4)
    run.arm("linear_probe", 0.9)
    run.arm("lora", 0.6, seeds=3)
    verdict = run.verdict()
    assert verdict.recommended == "linear_probe"
    assert (
        "linear_probe, a small classifier on the frozen model's hidden states, wins: accuracy 90.0 %" in verdict.answer
    )
    assert "better than lora, the next best" in verdict.answer
    assert "Tuning pays: lora beats zero_shot, the best prompt, by" in verdict.reason
    assert "train" not in verdict.reason.lower()


def test_a_probe_is_not_what_tuning_or_prompting_is_judged_by(run):
    run.arm("few_shot", 0.8)
    run.arm("linear_probe", 0.5)
    reason = run.verdict().reason
    assert "uning" not in reason
    assert "Do not train" not in reason
    assert "Whether training would pay" not in reason


def test_the_best_arm_with_a_model_may_be_a_probe(run):
    rng = np.random.default_rng(1)
    run.arm("tfidf", 0.7)
    run.arm("linear_probe", (rng.random((1, 200)) < 0.7).astype(float))
    verdict = run.verdict()
    assert "Nothing here is measurably better than tfidf" in verdict.answer
    assert "The best arm with a language model, linear_probe, has" in verdict.reason


def test_a_probe_needs_the_weights_and_leaves_the_model_as_it_is(run):
    run.arm("zero_shot", 0.4)
    run.arm("linear_probe", 0.9)
    held = run.verdict({"no_weights_access": True})
    assert {row.arm: row.status for row in held.standings}["linear_probe"] == "ruled out"
    free = run.verdict({"max_forgetting": 0.1})
    assert free.recommended == "linear_probe"
    assert free.facts["unchecked"] == {}


def test_a_name_decides_nothing(run):
    """The same figures under other headings give the same verdict."""
    run.arm("zero_shot", 0.4)
    run.arm("lora", 0.6, seeds=3)
    run.arm("tfidf", 0.2)
    renamed = {name: replace(traits, family="anything") for name, traits in TRAITS.items()}
    assert run.verdict(traits=renamed).reason == run.verdict().reason

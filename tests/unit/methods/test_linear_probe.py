"""The probe alone, on states made for it: what it finds, what it chooses, and what it cannot be asked."""

import numpy as np
import pytest
import torch

from tuneoff.core.errors import ConfigError
from tuneoff.methods.linear_probe import LinearProbe

LAYERS = (1, 2, 3)
LABELS = 3


def states(count, seed, told_at):
    """Noise of three layers, two poolings and eight numbers, whose place `told_at` tells the label."""
    gen = torch.Generator().manual_seed(seed)
    answers = torch.randint(LABELS, (count,), generator=gen)
    made = torch.randn(count, len(LAYERS), 2, 8, generator=gen)
    layer, pooling = told_at
    made[torch.arange(count), layer, pooling, answers] += 4.0
    return made, answers.tolist()


@pytest.mark.parametrize(("told_at", "found"), [((0, 1), (1, "mean")), ((2, 0), (3, "last"))], ids=["mean", "last"])
def test_it_finds_the_layer_and_the_pooling_that_tell(told_at, found):
    method, learned = LinearProbe().fit(*_with_layers(states(60, 1, told_at)))
    assert (method.layer, method.pooling) == found
    assert method.C > 0
    new, answers = states(90, 2, told_at)
    said = method.scores(new, LAYERS, learned)
    assert np.mean(said.argmax(1).numpy() == answers) > 0.9
    assert torch.allclose(said.exp().sum(1), torch.ones(90, dtype=said.dtype))


def test_the_same_states_give_the_same_numbers():
    first, again = (LinearProbe().fit(*_with_layers(states(40, 3, (1, 1)))) for _ in range(2))
    assert first[0] == again[0]
    assert all(torch.equal(first[1][name], again[1][name]) for name in ("weight", "bias"))


def test_what_its_knobs_say_is_not_chosen():
    fixed = LinearProbe(layer=2, pooling="last", C=0.5)
    method, _ = fixed.fit(*_with_layers(states(40, 3, (0, 1))))
    assert method == fixed


def test_it_answers_as_scikit_learn_does_on_standardised_states():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made, answers = states(60, 4, (1, 0))
    method, learned = LinearProbe(layer=2, pooling="last", C=0.1).fit(made, LAYERS, answers, LABELS)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000, tol=1e-8))
    theirs.fit(made[:, 1, 0].double().numpy(), answers)
    new, _ = states(30, 5, (1, 0))
    wanted = theirs.predict_log_proba(new[:, 1, 0].double().numpy())
    assert np.abs(method.scores(new, LAYERS, learned).numpy() - wanted).max() < 2e-3


@pytest.mark.parametrize("shown", [(0,), (0, 2)], ids=["one label", "two labels"])
def test_a_label_that_training_never_showed_has_a_small_chance_and_a_finite_loss(shown):
    made, answers = states(30, 6, (1, 0))
    answers = [shown[answer % len(shown)] for answer in answers]
    method, learned = LinearProbe().fit(made, LAYERS, answers, LABELS)
    said = method.scores(made, LAYERS, learned)
    assert set(said.argmax(1).tolist()) <= set(shown)
    assert torch.isfinite(said).all()
    assert (said[:, 1] < -20).all()


def test_six_layers_are_read_evenly_spread_and_the_last_with_them():
    assert LinearProbe().reads(30) == (5, 10, 15, 20, 25, 30)
    assert LinearProbe().reads(2) == (1, 2)
    assert LinearProbe(layer=7).reads(30) == (5, 7, 10, 15, 20, 25, 30)


def test_a_layer_that_is_not_there_is_an_error_that_says_what_is():
    with pytest.raises(ConfigError) as caught:
        LinearProbe(layer=31).reads(30)
    assert "layer = 31" in str(caught.value)
    assert "1 to 30" in str(caught.value)


def _with_layers(made):
    states, answers = made
    return states, LAYERS, answers, LABELS

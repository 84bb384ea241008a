"""A request run alone gives the states that the plain path gives, wherever virtual positions stand."""

import pytest
import torch

from tiny_arms import KINDS, made_adapters, plain_logits, short_rows, tiny_base
from tuneoff.engine.attach import Worn
from tuneoff.evaluation.request import ahead, run_whole, states_before

PROMPTS = [example.ids.prompt for example in short_rows()]
TEXTS = [(50, 51, 52, 53), (60, 61), (70,)]
CLOSE = {"atol": 2e-6, "rtol": 0}  # norms and rotations round to float32


def worn_kinds(base, kind):
    return Worn(base, [] if kind == "bare" else made_adapters(base, kind, nudge=0.5))


@torch.no_grad()
@pytest.mark.parametrize("kind", ["bare", *KINDS])
@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
def test_states_are_those_of_the_plain_path(architecture, kind):
    base = tiny_base(architecture)
    with worn_kinds(base, kind) as worn:
        logits = base.head(states_before(worn, PROMPTS, TEXTS))
        plain = torch.cat([plain_logits(worn, prompt, text)[:-1] for prompt, text in zip(PROMPTS, TEXTS)])
    torch.testing.assert_close(logits, plain, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["bare", "lora", "soft_prompt", "soft_prompt_after", "prefix"])
@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2"])
def test_token_after_token_is_the_same_as_all_at_once(architecture, kind):
    base = tiny_base(architecture)
    text = torch.tensor([[50, 51, 52], [60, 61, 62], [70, 71, 72]])
    with worn_kinds(base, kind) as worn:
        told = run_whole(worn, PROMPTS)
        states = [told.last, *((told := ahead(worn, told, token)).last for token in text.T[:-1])]
        whole = states_before(worn, PROMPTS, text.tolist())
    torch.testing.assert_close(torch.stack(states, dim=1).flatten(0, 1), whole, **CLOSE)


@torch.no_grad()
def test_a_soft_prompt_that_stands_elsewhere_is_seen():
    base = tiny_base()
    before, after = (made_adapters(base, kind, nudge=0.5) for kind in ("soft_prompt", "soft_prompt_after"))
    with Worn(base, before) as worn:
        a = states_before(worn, PROMPTS, TEXTS)
    with Worn(base, after) as worn:
        b = states_before(worn, PROMPTS, TEXTS)
    assert (a - b).abs().max() > 1e-2

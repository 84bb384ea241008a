"""Pooled hidden states against transformers: each record alone, nothing packed, nothing shared."""

import pytest
import torch

from tiny_arms import RECORDS, TASK, tiny_base
from tuneoff.data.prompt import Prompt
from tuneoff.engine.attach import Worn
from tuneoff.engine.examples import encode
from tuneoff.engine.hidden import Own, own_tokens, pooled_states

LAYERS = (1, 2)
CLOSE = 2e-5  # what is pooled is kept in float32
ARCHITECTURES = ("llama", "qwen3", "gemma3", "gpt2", "mistral")


def prompts_of(base):
    prompt = Prompt(instruction=TASK.instruction)
    return [example.prompt for example in encode(base, prompt, RECORDS)]


def alone(base, ids, own):
    """[L, P, E] by the library itself."""
    said = base.net(torch.tensor([ids]), output_hidden_states=True).hidden_states
    states = torch.stack([said[layer][0] for layer in LAYERS])
    return torch.stack([states[:, -1], states[:, own.before : len(ids) - own.behind].mean(1)], dim=1).float()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "padded"])
def test_each_record_has_the_states_that_it_has_alone(architecture, packed):
    base = tiny_base(architecture)
    prompts = prompts_of(base)
    own = own_tokens(prompts)
    with torch.no_grad(), Worn(base, packed=packed) as worn:
        found = pooled_states(worn, prompts, LAYERS, own)
        wanted = torch.stack([alone(base, ids, own) for ids in prompts])
    assert torch.allclose(found, wanted, atol=CLOSE), (found - wanted).abs().max()


def test_what_the_tolerance_would_see():
    """Another layer, or one token more in the mean, is far outside it."""
    base = tiny_base("llama")
    prompts = prompts_of(base)
    own = own_tokens(prompts)
    with torch.no_grad(), Worn(base) as worn:
        found = pooled_states(worn, prompts, LAYERS, own)
        moved = pooled_states(worn, prompts, LAYERS, own._replace(behind=own.behind - 1))
    assert not torch.allclose(found[:, 0], found[:, 1], atol=100 * CLOSE)
    assert torch.equal(found[:, :, 0], moved[:, :, 0])
    assert not torch.allclose(found[:, :, 1], moved[:, :, 1], atol=100 * CLOSE)


def test_one_record_alone_is_read_as_among_others():
    """A request of one: its prompt is all that is shared, and its own tokens are still told apart."""
    base = tiny_base("llama")
    prompts = prompts_of(base)
    own = own_tokens(prompts)
    with Worn(base) as worn:
        together = pooled_states(worn, prompts, LAYERS, own)
        one = pooled_states(worn, prompts[1:2], LAYERS, own)
    assert torch.allclose(together[1:2], one, atol=CLOSE)


def test_own_tokens_are_what_prompts_do_not_share():
    assert own_tokens([(1, 2, 3, 4, 9), (1, 2, 5, 6, 7, 9)]) == Own(before=2, behind=1)


def test_a_record_without_tokens_of_its_own_has_its_last_one():
    base = tiny_base("llama")
    prompts = prompts_of(base)
    short = [prompts[0][:3]]
    with Worn(base) as worn:
        found = pooled_states(worn, short, LAYERS, Own(before=10, behind=10))
    assert torch.equal(found[:, :, 0], found[:, :, 1])

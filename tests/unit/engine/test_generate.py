"""Batched greedy decoding writes what a naive loop writes that runs everything again for each token."""

import pytest

from tiny_arms import made_adapters, plain_logits, short_rows, tiny_base
from tuneoff.engine.attach import Worn
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.generate import generate

PROMPTS = [example.ids.prompt for example in short_rows()]
NEW = 10


def naive(worn, prompt, stops=()):
    text = []
    for _ in range(NEW):
        token = int(plain_logits(worn, prompt, text)[-1].argmax())
        if token in stops:
            return text, True
        text.append(token)
    return text, False


@pytest.mark.parametrize("kind", ["bare", "lora", "soft_prompt", "soft_prompt_after", "prefix"])
@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2", "mistral"])
def test_batched_equals_naive(architecture, kind):
    base = tiny_base(architecture)
    with Worn(base, [] if kind == "bare" else made_adapters(base, kind, nudge=0.5)) as worn:
        texts = [naive(worn, prompt)[0] for prompt in PROMPTS]
        written = generate(worn, PROMPTS, max_tokens=NEW, stops=(), batch_tokens=12)
        assert [each.ids for each in written] == texts
        assert not any(each.ended for each in written)
        cache = ContextCache(1 << 30)
        for _ in range(2):
            kept = generate(worn, PROMPTS, max_tokens=NEW, stops=(), cache=cache)
            assert [each.ids for each in kept] == texts


@pytest.mark.parametrize("architecture", ["llama", "mistral"])
def test_rows_end_by_themselves_and_the_others_go_on(architecture):
    base = tiny_base(architecture)
    with Worn(base) as worn:
        texts = [naive(worn, prompt)[0] for prompt in PROMPTS]
        stops = {texts[0][3], texts[2][0]}
        written = generate(worn, PROMPTS, max_tokens=NEW, stops=stops)
        assert [(each.ids, each.ended) for each in written] == [naive(worn, prompt, stops) for prompt in PROMPTS]
    assert written[2].ids == []
    assert len({len(each.ids) for each in written}) > 1


def test_the_adapter_matters():
    base = tiny_base()
    with Worn(base) as worn:
        bare = generate(worn, PROMPTS, max_tokens=NEW, stops=())
    with Worn(base, made_adapters(base, "lora", nudge=0.5)) as worn:
        assert generate(worn, PROMPTS, max_tokens=NEW, stops=()) != bare


@pytest.mark.parametrize("chat", [True, False])
def test_a_model_whose_end_of_text_is_its_padding_stops(chat):
    base = tiny_base(chat=chat)
    eos = base.tokenizer.eos_token_id
    with Worn(base) as worn:
        first = naive(worn, PROMPTS[0])[0]
        (written,) = generate(worn, PROMPTS[:1], max_tokens=NEW, stops={first[2]})
    assert written.ended
    assert eos in base.chat.stops

"""Batched greedy decoding writes what a naive loop writes that runs everything again for each token."""

import pytest

from tiny_arms import made_adapters, plain_logits, short_rows, tiny_base
from tuneoff.engine import generate as decoding
from tuneoff.engine.attach import Worn
from tuneoff.engine.batches import WRITTEN_BYTES, WRITTEN_TOKENS, written_tokens
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.generate import generate, writing_batches
from tuneoff.engine.loss import plain_loss

PROMPTS = [example.ids.prompt for example in short_rows()]
ANSWERS = [example.ids.answer for example in short_rows()]
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


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_row_ends_where_the_context_does_and_the_others_go_on(architecture):
    base = tiny_base(architecture)
    long = tuple(5 + at % 250 for at in range(base.context - 3))
    with Worn(base) as worn:
        first, second = generate(worn, [PROMPTS[0], long], max_tokens=NEW, stops=())
        assert first.ids == naive(worn, PROMPTS[0])[0]
        assert len(second.ids) == 3 + 1, "three tokens are read, and one is written behind them"
        assert not second.ended


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


@pytest.mark.parametrize("kind", ["bare", "lora", "soft_prompt", "soft_prompt_after", "prefix"])
@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2", "mistral"])
def test_the_right_answers_cost_what_they_cost_alone(architecture, kind):
    base = tiny_base(architecture)
    with Worn(base, [] if kind == "bare" else made_adapters(base, kind, nudge=0.5)) as worn:
        right = plain_loss(worn, short_rows()).per_record.tolist()
        for batch_tokens, cache in ((12, None), (1000, None), (1000, ContextCache(1 << 30))):
            told = {"max_tokens": 2, "stops": (), "cache": cache, "batch_tokens": batch_tokens}
            written = generate(worn, PROMPTS, answers=ANSWERS, **told)
            assert [each.nll for each in written] == pytest.approx(right, abs=1e-10)
            assert [each.nll for each in generate(worn, PROMPTS, **told)] == [None] * len(PROMPTS)


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("kind", ["bare", "soft_prompt_after", "prefix"])
def test_what_is_written_in_many_blocks_is_the_same(monkeypatch, block, kind):
    base = tiny_base("mistral")
    monkeypatch.setattr(decoding, "BLOCK", block)
    with Worn(base, [] if kind == "bare" else made_adapters(base, kind, nudge=0.5)) as worn:
        texts = [naive(worn, prompt)[0] for prompt in PROMPTS]
        assert [each.ids for each in generate(worn, PROMPTS, max_tokens=NEW, stops=())] == texts


@pytest.mark.parametrize("leaving", [1, 2, 8, 1000])
def test_a_row_that_has_ended_says_nothing_more_whenever_it_leaves(monkeypatch, leaving):
    base = tiny_base()
    monkeypatch.setattr(decoding, "LEAVING", leaving)
    prompts = [(*PROMPTS[at % 3], at) for at in range(9)]
    with Worn(base) as worn:
        stops = {text[at] for at, text in enumerate(naive(worn, prompt)[0] for prompt in prompts)}
        right = [naive(worn, prompt, stops) for prompt in prompts]
        assert len({len(text) for text, _ in right}) > 3
        for batch_tokens in (30, 1000):
            written = generate(worn, prompts, max_tokens=NEW, stops=stops, batch_tokens=batch_tokens)
            assert [(each.ids, each.ended) for each in written] == right


def test_short_prompts_are_written_many_at_a_time():
    assert [len(rows) for rows in writing_batches([50] * 128, 28, WRITTEN_TOKENS)] == [128]
    assert [len(rows) for rows in writing_batches([50] * 128, 400, WRITTEN_TOKENS)] == [32] * 4
    assert written_tokens(46_080) == WRITTEN_TOKENS
    assert written_tokens(400_000) == WRITTEN_BYTES // 400_000, "a model of wide keys is given fewer rows"

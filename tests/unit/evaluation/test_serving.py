"""Figures of serving: positive, of the right size where that is known, and of requests that share nothing."""

import pytest

from tiny_arms import LENGTH, made_adapters, short_rows, tiny_base
from tuneoff.engine.attach import Worn
from tuneoff.engine.context import Contexts
from tuneoff.evaluation import serving
from tuneoff.evaluation.serving import serve, warm_up

PROMPTS = [example.ids.prompt for example in short_rows()]
POSITIONS = sum(map(len, PROMPTS)) / len(PROMPTS)
LAYERS, HEADS, HEAD_DIM, BYTES = 2, 2, 8, 8  # of the tiny llama in float64


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize(
    ("kind", "more"),
    [("bare", 0), ("lora", 0), ("soft_prompt", LENGTH), ("soft_prompt_after", LENGTH), ("prefix", LENGTH)],
)
def test_cache_bytes_are_layers_heads_and_positions(kind, more, batch):
    base = tiny_base()
    with Worn(base, [] if kind == "bare" else made_adapters(base, kind)) as worn:
        served = serve(worn, PROMPTS, batch, seconds=0.0)
    each = 2 * LAYERS * HEADS * HEAD_DIM * BYTES
    assert served.cache_bytes == pytest.approx(each * (POSITIONS + more) * batch)
    assert each == base.bytes_per_token
    assert served.first_token_ms > 0
    assert served.tokens_per_s > 0


@pytest.mark.parametrize("architecture", ["gemma3", "gpt2"])
def test_cache_bytes_of_other_shapes(architecture):
    base = tiny_base(architecture)
    with Worn(base) as worn:
        served = serve(worn, PROMPTS, 2, seconds=0.0)
    assert served.cache_bytes == pytest.approx(base.bytes_per_token * POSITIONS * 2)


@pytest.mark.parametrize(("seconds", "repeats"), [(0.0, 1), (1e6, serving.MOST_REPEATS)])
def test_repeats_follow_the_time(seconds, repeats):
    with Worn(tiny_base()) as worn:
        assert serve(worn, PROMPTS, 16, seconds=seconds).requests == 16 * repeats


def test_medians_over_the_repeats(monkeypatch):
    times = iter([9.0, 1.0, 2.0, 3.0, 4.0])
    told = (serving.Repeat(first, 10 * first, 5.0) for first in times)
    monkeypatch.setattr(serving, "_repeat", lambda worn, prompts: next(told))
    with Worn(tiny_base()) as worn:
        served = serve(worn, PROMPTS, 2, seconds=1e6)
    assert served.first_token_ms == 3000.0
    assert served.tokens_per_s == 2 * serving.NEW_TOKENS / 30.0


def test_prompts_are_taken_in_turn_and_run_whole(monkeypatch):
    asked, run_whole = [], serving.run_whole
    monkeypatch.setattr(serving, "run_whole", lambda worn, prompts: asked.append(prompts) or run_whole(worn, prompts))
    monkeypatch.setattr(Contexts, "start", lambda self: pytest.fail("nothing is shared between requests"))
    with Worn(tiny_base()) as worn:
        warm_up(worn, PROMPTS)
        serve(worn, PROMPTS, 2, seconds=1e6)
    assert asked[0] == PROMPTS[:1]
    assert asked[1:4] == [PROMPTS[:2], [PROMPTS[2], PROMPTS[0]], PROMPTS[1:]]

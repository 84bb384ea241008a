"""Kept contexts: by content, within their budget, never older than what they were made for."""

import torch

from tiny_arms import CountingCache, made_adapter, short_rows, tiny_base
from tuneoff.engine.attach import Worn
from tuneoff.engine.context import Contexts

PROMPTS = [example.ids.prompt for example in short_rows()]
SHARED = PROMPTS[0][:3]


def run(base, cache, prompts=PROMPTS, shared=SHARED, fixed=False):
    with torch.no_grad(), Worn(base) as worn:
        contexts = Contexts(worn, shared, cache, fixed=fixed)
        return contexts.run(contexts.start(), prompts)


def test_second_time_is_all_hits_and_the_same():
    base, cache = tiny_base("mistral"), CountingCache()
    past, last = run(base, cache)
    assert (cache.hits, cache.misses) == (0, 4)  # the start and three prompts
    again, same = run(base, cache)
    assert (cache.hits, cache.misses) == (4, 4)
    assert torch.equal(last, same)
    assert all(torch.equal(a, b) for a, b in zip(past.keys, again.keys))


def test_kept_equals_not_kept():
    base = tiny_base("gemma3")
    kept, last = run(base, CountingCache())
    made, same = run(base, None)
    assert (last - same).abs().max() < 1e-10
    assert torch.equal(kept.position * kept.real, made.position * made.real)
    seen = kept.real[:, None, :, None]
    assert all(((a - b) * seen).abs().max() < 1e-10 for a, b in zip(kept.values, made.values))


def test_a_budget_is_kept_and_the_rest_computed_again():
    base, full = tiny_base(), CountingCache()
    _, last = run(base, full)
    small = CountingCache(full.bytes // 2)
    for _ in range(2):
        _, again = run(base, small)
        assert (again - last).abs().max() < 1e-10
    assert 0 < small.bytes <= full.bytes // 2
    assert 0 < small.hits < 4
    nothing = CountingCache(0)
    assert (run(base, nothing)[1] - last).abs().max() < 1e-10
    assert nothing.bytes == 0


def test_another_base_and_another_start_are_other_contexts():
    cache = CountingCache()
    run(tiny_base(seed=0), cache)
    _, other = run(tiny_base(seed=1), cache)
    assert cache.hits == 0
    assert (other - run(tiny_base(seed=1), None)[1]).abs().max() < 1e-10
    run(tiny_base(seed=0), cache, shared=SHARED[:2])
    assert cache.hits == 0


def test_arms_that_leave_the_text_alone_share():
    base, cache = tiny_base(), CountingCache()
    run(base, cache)
    for seed in (1, 2):
        with torch.no_grad(), Worn(base, [made_adapter(base, "soft_prompt_after", seed=seed)]) as worn:
            contexts = Contexts(worn, SHARED, cache)
            contexts.run(contexts.start(), PROMPTS)
    assert (cache.hits, cache.misses) == (8, 4)


def test_kept_contexts_hold_no_graph():
    base, cache = tiny_base(), CountingCache()
    with Worn(base, [made_adapter(base, "soft_prompt_after")]) as worn:
        contexts = Contexts(worn, SHARED, cache)
        past, last = contexts.run(contexts.start(), PROMPTS)
    assert not past.keys[0].requires_grad
    assert not last.requires_grad


def test_the_same_prompt_twice_in_one_batch():
    base, cache = tiny_base(), CountingCache()
    past, last = run(base, cache, prompts=[PROMPTS[0], PROMPTS[0]])
    assert torch.equal(last[0], last[1])
    assert torch.equal(past.keys[0][0], past.keys[0][1])
    once = CountingCache()
    run(base, once, prompts=[PROMPTS[0]])
    assert cache.bytes == once.bytes


def test_no_start_where_nothing_is_shared():
    base = tiny_base()
    with Worn(base) as worn:
        assert Contexts(worn, (), None).start() is None
        assert Contexts(worn, (), CountingCache()).start() is None
    _, last = run(base, None, shared=())
    assert (last - run(base, None)[1]).abs().max() < 1e-10


def test_prompts_asked_together_equal_those_asked_alone():
    """float64, 1e-10; and the same bits again, with or without room, whoever is missing."""
    base = tiny_base("gemma3")
    cache, nothing = CountingCache(), CountingCache(0)
    alone, last_alone = run(base, CountingCache())
    together, last = run(base, cache, fixed=True)
    assert (cache.hits, cache.misses) == (0, 4)
    assert (last - last_alone).abs().max() < 1e-10
    seen = together.real[:, None, :, None]
    assert all(((a - b) * seen).abs().max() < 1e-10 for a, b in zip(together.keys, alone.keys))
    for room in (cache, nothing, nothing):
        again, same = run(base, room, fixed=True)
        assert torch.equal(same, last)
        assert all(torch.equal(a * seen, b * seen) for a, b in zip(again.values, together.values))
    assert cache.hits == 4


def test_another_company_is_another_context():
    """The control: what is kept of a prompt is not found in another company, whose bits may differ."""
    base, cache = tiny_base(), CountingCache()
    run(base, cache, fixed=True)
    hits = cache.hits
    run(base, cache, prompts=PROMPTS[:2], fixed=True)
    run(base, cache, prompts=PROMPTS[:1])
    assert cache.hits == hits + 2, "the start alone"

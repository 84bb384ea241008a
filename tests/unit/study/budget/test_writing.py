"""How long answers take to write: the arithmetic by hand, the lengths, and the clock read where it should be."""

import pytest
import torch

from tiny_arms import made_adapters, short_rows, tiny_base
from tuneoff.engine.attach import Worn
from tuneoff.engine.generate import Written
from tuneoff.study.budget import writing
from tuneoff.study.budget.writing import (
    Lengths,
    Writing,
    lengths_of,
    lengths_seen,
    measure_writing,
    rows_at_once,
)

PROMPTS = [example.ids.prompt for example in short_rows()]


def test_every_batch_pays_for_its_longest_row_and_every_answer_for_its_own_tokens():
    made = Writing(tokens=10.0, longest=20, rows=8, step_s=0.5, token_s=0.25)
    assert made.seconds(8) == 20 * 0.5 + 8 * 10 * 0.25
    assert made.seconds(9) == 2 * 20 * 0.5 + 9 * 10 * 0.25
    assert made.seconds(0) == 0


def test_known_answers_are_as_long_as_they_are():
    assert lengths_of([(1, 2, 3), (1,)]) == Lengths(tokens=2.0, longest=3)


def test_answers_that_ended_count_as_they_are():
    texts = [Written([7] * 3, ended=True), Written([7] * 5, ended=True)]
    assert lengths_seen(texts, room=60) == Lengths(tokens=5.0, longest=6)


def test_an_answer_that_was_broken_off_goes_on_as_those_before_it_ended():
    ended, broken = Written([7] * 9, ended=True), Written([7] * 10, ended=False)
    seen = lengths_seen([ended, broken], room=1000)
    assert seen.tokens == pytest.approx((20 + 20) / 2, rel=1e-6), "one of 20 tokens was the last: 20 more are expected"
    assert seen.longest == 1000
    assert lengths_seen([broken, broken], room=60) == Lengths(tokens=60.0, longest=60)
    assert lengths_seen([Written([7] * 60, ended=False)], room=60) == Lengths(tokens=60.0, longest=60)
    assert lengths_seen([ended, broken], room=12).tokens == pytest.approx((10 + 10 + 1 + 0.95) / 2)


@pytest.mark.parametrize("kind", ["bare", "lora", "soft_prompt_after"])
def test_the_step_is_taken_apart_by_two_batches(monkeypatch, kind):
    """By a clock that says 2 s + 0.5 s a row, whatever the machine does."""
    monkeypatch.setattr(writing, "_step_s", lambda worn, past, last, rows: 2 + 0.5 * rows)
    base = tiny_base()
    told = {"room": 9, "rows": 40, "timed": 40, "tokens": 1000}
    with Worn(base, [] if kind == "bare" else made_adapters(base, kind)) as worn:
        known = measure_writing(worn, PROMPTS, lengths=Lengths(tokens=3.5, longest=4), **told)
        assert known == Writing(tokens=3.5, longest=4, rows=40, step_s=2.0, token_s=0.5)
        for timed in (0, 1, 2, 3):
            told["timed"] = timed
            few = measure_writing(worn, PROMPTS, lengths=None, **told)
            assert (few.step_s, few.token_s) == pytest.approx((2.0, 0.5))
            assert 0 < few.tokens <= few.longest <= 9


def test_as_many_rows_are_timed_as_are_asked_for(monkeypatch):
    seen, go_on = [], writing.go_on

    def counting(worn, past, last, *rest):
        seen.append(len(last))
        return go_on(worn, past, last, *rest)

    monkeypatch.setattr(writing, "go_on", counting)
    with torch.no_grad(), Worn(tiny_base()) as worn:
        measure_writing(worn, PROMPTS, room=9, rows=40, timed=24, lengths=Lengths(tokens=1, longest=1), tokens=9)
    assert seen == [4, 4, 24, 24], "each batch runs once before it is timed"


def test_the_rows_are_those_of_the_run():
    with Worn(tiny_base()) as worn:
        assert rows_at_once(worn, PROMPTS, room=9, count=60) == 60
        assert rows_at_once(worn, PROMPTS, room=2 * 8190, count=60) == 1

"""Numbers and notes as a person reads them."""

import pytest

from tuneoff.stats.power import More
from tuneoff.study.verdict.phrases import amount, gap, title
from tuneoff.study.verdict.settling import notes


def test_scores_are_per_cent_and_losses_nats():
    assert amount(0.8321, up=True) == "83.2 %"
    assert amount(0.41219, up=False) == "0.412 nats"
    assert gap(0.0612, up=True) == "6.1 points"
    assert gap(-0.0512, up=False) == "-0.051 nats"


def test_no_minus_zero():
    assert gap(-0.0001, up=True) == "0.0 points"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (More(900, None), "about 900 more test records would settle it"),
        (More(None, 1), "about 1 more seed would settle it"),
        (More(900, 4), "about 900 more test records or about 4 more seeds would settle it"),
        (More(900, 4, together=True), "about 900 more test records together with about 4 more seeds would settle it"),
        (More(None, None), "no reasonable number of further records or seeds would settle it"),
        (None, ""),
    ],
)
def test_what_would_settle_it(more, said):
    assert notes(more, []) == said


def test_a_note_tells_of_unknown_seed_spread():
    assert notes(More(50, None), ["lora"]) == (
        "about 50 more test records would settle it; the seed spread of lora is unknown"
    )


def test_titles():
    assert [title(name) for name in ("exact_match", "rouge_l", "nll")] == ["exact match", "ROUGE-L", "loss"]

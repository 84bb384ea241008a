"""What a single record's row is, at the edges."""

import math

import pytest

from tuneoff.core.plugins import load
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.answer import read_text
from tuneoff.evaluation.metric import Answer

CHOICE = Task(name="t", kind="choice", labels=("no", "yes"))
TEXT = Task(name="t", kind="text")
RECORD = Record(fields={"text": "x"}, target="yes")


def _row(name, answer, task=TEXT, record=RECORD):
    return load("metrics", name)().row(answer, record, task)


def test_nll_without_a_probability_is_unscored_and_not_zero():
    assert _row("nll", Answer(text="yes")) is None
    assert _row("nll", Answer(text="yes", nll=math.nan)) is None
    assert _row("nll", Answer(text="yes", nll=0.25)) == (0.25,)


def test_nll_of_an_impossible_answer_stays_finite():
    assert _row("nll", Answer(text="yes", nll=math.inf), CHOICE) == (100.0,)


def test_nll_of_a_long_text_is_not_held():
    assert _row("nll", Answer(text="yes", nll=140.0)) == (140.0,)
    assert _row("nll", Answer(text="yes", nll=math.inf)) is None


def test_macro_f1_keeps_numbers_of_labels():
    assert _row("macro_f1", Answer(text="no"), CHOICE) == (1.0, 0.0)
    assert _row("macro_f1", Answer(text="perhaps"), CHOICE) == (1.0, -1.0)
    assert _row("macro_f1", Answer(text="yes", readable=False), CHOICE) == (1.0, -1.0)


def test_macro_f1_by_hand():
    pool = load("metrics", "macro_f1")().pool
    assert pool([(0, 0), (0, 1), (1, 1)]) == pytest.approx(2 / 3)
    assert pool([(0, -1), (1, -1)]) == 0.0
    assert pool([(1, 1), (1, 1)]) == 1.0


def test_rouge_l_reads_other_scripts():
    greek = Record(fields={"text": "x"}, target="καλημέρα κόσμε")
    assert _row("rouge_l", Answer(text="Καλημέρα, κόσμε!"), record=greek) == (1.0,)
    chinese = Record(fields={"text": "x"}, target="今天天气好")
    assert _row("rouge_l", Answer(text="今天天气坏"), record=chinese)[0] == pytest.approx(0.8)


def test_chrf_of_itself_is_one():
    assert _row("chrf", Answer(text="yes")) == (pytest.approx(1.0),)


def test_an_answer_is_read_without_its_white_space():
    assert read_text(" Paris\n") == Answer(text="Paris")
    assert read_text(" \n ") == Answer(text="", readable=False)


@pytest.mark.parametrize("name", ["exact_match", "token_f1", "rouge_l", "chrf"])
@pytest.mark.parametrize(
    "said", ["re\u0301clamation d\u2019e\u0301te\u0301", "r\u00e9clamation\u00a0d\u2019\u00e9t\u00e9"]
)
def test_accents_of_either_form_are_the_same_answer(name, said):
    record = Record(fields={"text": "x"}, target="r\u00e9clamation d\u2019\u00e9t\u00e9")
    assert _row(name, Answer(text=said), record=record)[0] == pytest.approx(1.0)


def test_strict_match_lets_nothing_fall_together():
    right = Record(fields={"text": "x"}, target="foo.bar", alternatives=("Foo  Bar",))
    for said, score in [
        ("foo.bar", 1),
        (" foo.bar\n", 1),
        ("Foo  Bar", 1),
        ("Foo Bar", 0),
        ("foo bar", 0),
        ("foobar", 0),
    ]:
        assert _row("strict_match", Answer(text=said), record=right) == (score,)


@pytest.mark.parametrize(
    ("said", "wanted", "f1"),
    [
        ("这个水壶非常好用", "水壶好用", 2 * 4 / 12),  # 4 of 8 said, 4 of 4 wanted
        ("北京。", "北京", 1),
        ("age < 30", "age > 30", 2 / 3),
        ("about 3.5 km", "about 35 km", 2 / 3),
    ],
)
def test_token_f1_by_hand(said, wanted, f1):
    assert _row("token_f1", Answer(text=said), record=Record(fields={"text": "x"}, target=wanted))[0] == pytest.approx(
        f1
    )

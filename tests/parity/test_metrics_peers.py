"""Our metrics against scikit-learn, rouge-score, sacrebleu, and SQuAD figures worked out by hand."""

import numpy as np
import pytest

from tuneoff.core.plugins import load
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Answer

LABELS = ("no", "yes", "maybe", "never")
CHOICE = Task(name="t", kind="choice", labels=LABELS)
TEXT = Task(name="t", kind="text")
PAIRS = [
    ("The cat sat on the mat.", "a cat is on the mat"),
    ("Paris, in France", "Paris"),
    ("completely different words", "nothing in common here"),
    ("we can't come on Monday (3 people)", "we cannot come on monday: three people"),
    ("snake_case and CamelCase 2.5", "snake case and camelcase 2 5"),
]


def _row(metric, said, wanted, task=TEXT):
    return metric.row(Answer(text=said), Record(fields={"text": "x"}, target=wanted), task)


@pytest.fixture
def choices():
    rng = np.random.default_rng(0)
    wanted = rng.choice(LABELS[:3], size=300, p=[0.7, 0.2, 0.1])
    return wanted, np.where(rng.random(300) < 0.6, wanted, rng.choice(LABELS, size=300))


def test_accuracy_and_macro_f1_are_those_of_scikit_learn(choices):
    from sklearn.metrics import accuracy_score, f1_score

    wanted, said = choices
    for name, theirs in (
        ("accuracy", accuracy_score(wanted, said)),
        ("macro_f1", f1_score(wanted, said, average="macro")),
    ):
        metric = load("metrics", name)()
        assert metric.pool([_row(metric, *pair, CHOICE) for pair in zip(said, wanted)]) == pytest.approx(
            theirs, abs=1e-12
        )
    assert theirs != pytest.approx(f1_score(wanted, said, average="weighted"), abs=1e-3)


def test_macro_f1_with_unreadable_answers_misses_and_adds_no_label(choices):
    from sklearn.metrics import f1_score

    wanted, said = choices
    said = np.where(np.arange(300) % 7 == 0, "???", said)
    metric = load("metrics", "macro_f1")()
    ours = metric.pool([_row(metric, *pair, CHOICE) for pair in zip(said, wanted)])
    seen = sorted({*wanted, *said} - {"???"})
    assert ours == pytest.approx(f1_score(wanted, said, average="macro", labels=seen, zero_division=0), abs=1e-12)


@pytest.mark.parametrize(("wanted", "said"), PAIRS)
def test_rouge_l_is_that_of_rouge_score(wanted, said):
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(["rougeL"]).score(wanted, said)
    ours = _row(load("metrics", "rouge_l")(), said, wanted)[0]
    assert ours == pytest.approx(theirs["rougeL"].fmeasure, abs=1e-12)


def test_rouge_l_is_not_rouge_2():
    from rouge_score.rouge_scorer import RougeScorer

    wanted, said = PAIRS[0]
    theirs = RougeScorer(["rouge2"]).score(wanted, said)["rouge2"].fmeasure
    assert _row(load("metrics", "rouge_l")(), said, wanted)[0] != pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize(("wanted", "said"), PAIRS)
def test_chrf_is_that_of_sacrebleu(wanted, said):
    from sacrebleu.metrics import CHRF

    ours = _row(load("metrics", "chrf")(), said, wanted)[0]
    assert ours == pytest.approx(CHRF().sentence_score(said, [wanted]).score / 100, abs=1e-12)
    assert ours != pytest.approx(CHRF(word_order=2).sentence_score(said, [wanted]).score / 100, abs=1e-3)


@pytest.mark.parametrize(
    ("wanted", "said", "exact", "f1"),
    [
        ("Eiffel Tower", "the Eiffel Tower!", 1, 1.0),
        ("Eiffel Tower", "in the Eiffel Tower", 0, 0.8),  # precision 2/3, recall 2/2
        ("a red fox", "red red fox", 0, 0.8),  # 2 of 3 said, 2 of 2 wanted
        ("U.S.", "us", 1, 1.0),
        ("well-known", "well known", 0, 0.0),  # punctuation is removed, not replaced by a space
        ("the", "a", 1, 1.0),  # nothing is left of either
        ("the", "fox", 0, 0.0),
        ("Theory", "ory", 0, 0.0),  # an article inside a word stays
    ],
)
def test_squad_figures_by_hand(wanted, said, exact, f1):
    assert _row(load("metrics", "exact_match")(), said, wanted) == (exact,)
    assert _row(load("metrics", "token_f1")(), said, wanted)[0] == pytest.approx(f1)


def test_of_several_references_the_best_counts_as_in_the_packages():
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import CHRF

    wanted, said = [wanted for wanted, _ in PAIRS], "a cat is on a mat in Paris"
    record = Record(fields={"text": "x"}, target=wanted[0], alternatives=tuple(wanted[1:]))
    rows = {name: load("metrics", name)().row(Answer(text=said), record, TEXT)[0] for name in ("rouge_l", "chrf")}
    theirs = RougeScorer(["rougeL"]).score_multi(wanted, said)["rougeL"].fmeasure
    assert rows["rouge_l"] == pytest.approx(theirs, abs=1e-12)
    assert rows["chrf"] == pytest.approx(CHRF().sentence_score(said, wanted).score / 100, abs=1e-12)
    assert rows["rouge_l"] > RougeScorer(["rougeL"]).score(wanted[1], said)["rougeL"].fmeasure

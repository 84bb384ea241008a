"""Every metric of the folder does what all metrics must do; a spoiled one is caught."""

import pytest

from tuneoff.core.plugins import load, names
from tuneoff.testing import metrics as kit


@pytest.mark.parametrize("check", kit.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", names("metrics"))
def test_metric(name, check):
    check(load("metrics", name)())


@pytest.mark.parametrize("name", names("metrics"))
def test_a_metric_is_called_what_its_file_is_called(name):
    assert load("metrics", name).name == name


def test_the_kit_catches_a_metric_that_forgives_unreadable_answers():
    class Forgiving(load("metrics", "accuracy")):
        def row(self, answer, record, task):
            return (float(answer.text == record.target),)

    with pytest.raises(AssertionError):
        kit.unreadable_is_wrong(Forgiving())


def test_the_kit_catches_a_metric_upside_down():
    class Upside(load("metrics", "nll")):
        up = True

    with pytest.raises(AssertionError):
        kit.prefers_the_right_answer(Upside())


@pytest.mark.parametrize(
    ("check", "row"),
    [
        (kit.the_best_reference_counts, lambda said, record: said == record.target),
        (
            kit.other_numbers_and_signs_are_no_right_answers,
            lambda said, record: _letters(said) == _letters(record.target),
        ),
        (kit.scripts_without_spaces_have_words, lambda said, record: _shared(said.split(), record.target.split())),
    ],
    ids=["one reference alone", "signs dropped", "words by spaces"],
)
def test_the_kit_catches(check, row):
    class Spoiled(load("metrics", "exact_match")):
        def row(self, answer, record, task):
            return (float(row(answer.text, record)),)

    with pytest.raises(AssertionError):
        check(Spoiled())


def _letters(text):
    return "".join(character for character in text if character.isalnum())


def _shared(said, wanted):
    return len({*said} & {*wanted}) / len({*said} | {*wanted})

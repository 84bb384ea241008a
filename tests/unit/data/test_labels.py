"""Which labels are words, which are codes, and what a choice needs."""

import pytest

from tuneoff.core.errors import DataError
from tuneoff.data.labels import are_codes, check_sides, guess_kind, labels_listed
from tuneoff.data.record import Record


@pytest.mark.parametrize(
    "labels",
    ["0 1 3", "-1 0 +1", "2.5 3,5", "A B C", "a b", "Y N", "\u0410 \u0411", "A1 B2", "1a 2b", "+ -", "++ --", "50% 75%",
     "\u0663 \u0664", "e\u0301 a"],
)  # fmt: skip
def test_codes_say_nothing(labels):
    assert are_codes(labels.split())


@pytest.mark.parametrize(
    "labels",
    ["ja no", "no ja", "正面 负面", "好 坏", "네 예", "US UK", "да нет", "A other", "yes n", "😀 😡"],
)  # fmt: skip
def test_words_are_labels_however_short(labels):
    assert not are_codes(labels.split())


def test_spellings_that_look_alike_do_not_make_a_text_of_a_choice():
    spellings = [f"label{' ' * n}one" for n in range(1, 30)] + ["label two"] * 30
    assert guess_kind(spellings) == "choice"


def test_a_label_listed_in_two_spellings_is_listed_once():
    assert labels_listed(["a b", "c", "a\u00a0b"]) == ["a b", "c"]
    assert labels_listed({"1": "c", "2": "a b", "3": "a  b"}) == ["c", "a b"]


@pytest.mark.parametrize("name", ["train", "test"])
def test_one_answer_on_a_side_is_refused(name):
    both = [Record(fields={"t": str(n)}, target="ab"[n % 2]) for n in range(4)]
    splits = {"train": both, "validation": both[:1], "test": both}
    check_sides(splits, "data.csv")
    with pytest.raises(DataError, match=f"all 2 {name} records have the same answer 'a'"):
        check_sides({**splits, name: both[::2]}, "data.csv")

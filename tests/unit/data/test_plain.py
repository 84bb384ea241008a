"""Normalisation for comparing answers: SQuAD's on prose, with numbers, signs and code left as they are."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneoff.data.plain import fall_together, plain

WORDS = st.sampled_from(["The", "a", "Eiffel", "tower", "well-known", "don't", "U.S.", "1969", "covid-19", "an"])
FORMS = st.sampled_from(["{}", "{},", "{}.", "({})", '"{}"', "{}: ", " {}!", "{};", "`{}`", "*{}*"])


def squad(text):
    """normalize_answer of SQuAD's evaluation script."""
    bare = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


@given(st.lists(st.tuples(FORMS, WORDS), max_size=8))
def test_prose_is_as_with_squad(parts):
    text = " ".join(form.format(word) for form, word in parts)
    assert plain(text) == squad(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("35", "3.5"), ("5", "-5"), ("1e5", "1e-5"), ("12", "1/2"), ("1012", "10-12"), ("330", "3:30"),
        ("123", "1,2,3"), ("35", "3,5"), ("5", ".5"),
        ("53", "5 - 3"), ("5", "5%"), ("5", "$5"), ("5", "€5"), ("$5", "-$5"), ("5", "+5"),
        ("٣٥", "٣٫٥"), ("C", "C++"), ("C", "C#"), ("A", "A+"), ("x", "-x"), ("ab", "a/b"), ("snakecase", "snake_case"),
        ("SELECT * FROM people WHERE age < 30", "SELECT * FROM people WHERE age > 30"), ("x = a - b", "x = a + b"),
        ("x = a - b", "x = b"), ("x = a", "x ="), ("name = 'a'", "name = a"), ("(a+b)*c", "a+(b*c)"), ("2^10", "210"),
        ("a[0]", "a0"), ("a => b", "a <= b"), ("{a}", "a"), ("a & b", "a | b"), ("5′", "5″"), ("5‰", "5％"),
    ],
)  # fmt: skip
def test_opposites_stay_apart(one, other):
    assert plain(one) != plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000", "1000"), ("1,000.50.", "1000.50"), ("50 %", "50%"), ("$ 5", "$5"), ("\u22125", "-5"),
        ("10–12", "10-12"), ("Paris - a city", "Paris: a city"),
        ("age<30", "AGE < 30"), ("x = 5.", "x=5"), ("`x = 5;`", "x = 5"), ("**Paris**", "paris"), ("北京。", "北京"),
        ("“don’t”", '"don\'t"'), ("¿Qué?", "qué"), ("क्या।", "क्या"), ("5.", "5"), ("the 24/7 store.", "24/7 store"),
    ],
)  # fmt: skip
def test_what_means_the_same_falls_together(one, other):
    assert plain(one) == plain(other)


def test_answers_that_fall_together_are_named():
    found = fall_together(["Paris", "3.5", "paris.", "35", "Rome", "the Paris", "Paris"])
    assert found == [("Paris", "paris.", "the Paris")]

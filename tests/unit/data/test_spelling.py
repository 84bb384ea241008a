"""Labels that look alike get one spelling; all others stay as they are."""

import pytest

from tuneoff.data.notes import spelling_notes
from tuneoff.data.spelling import look, one_spelling

COMPOSED, DECOMPOSED = "r\u00e9clamation", "re\u0301clamation"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (COMPOSED, DECOMPOSED),
        ("bank loan", "bank\u00a0loan"),
        ("bank loan", "bank  loan"),
        ("bank loan", "bank\tloan\u200b"),
        ("bank loan", "\ufeffbank\u202f loan"),
        ("bank loan", "bank lo\u00adan"),
        ("bank loan", "bank\u200c loan\u200d"),
    ],
)
def test_what_a_reader_cannot_tell_apart_looks_alike(one, other):
    assert look(one) == look(other) == one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Refund", "refund"),
        ("re-fund", "refund"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u062e\u0648\u0627\u0647\u0645"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\U0001f469"),  # a couple, and two persons
        ("m2", "m\u00b2"),
    ],
)
def test_what_a_reader_tells_apart_stays_apart(one, other):
    assert look(one) != look(other)


def test_a_lone_spelling_stays_as_it_is():
    assert one_spelling([DECOMPOSED, "bank\u00a0loan", "Refund", "refund"]) == {}


def test_which_spelling_is_kept():
    found = ["bank\u00a0loan"] * 5 + ["bank loan", "bank  loan"]
    assert set(one_spelling(found).values()) == {"bank loan"}  # the one without surprises
    odd = ["bank\u00a0loan"] * 2 + ["bank  loan"] * 3
    assert one_spelling(odd) == {"bank\u00a0loan": "bank  loan"}  # the most frequent
    assert one_spelling(found, ["bank\u00a0loan"]) == {
        "bank loan": "bank\u00a0loan",
        "bank  loan": "bank\u00a0loan",
    }  # the person's own


def test_what_is_joined_is_said_with_what_cannot_be_seen():
    found = [COMPOSED, DECOMPOSED, DECOMPOSED]
    (note,) = spelling_notes(one_spelling(found), found)
    assert note == f"labels that look alike are one: '{COMPOSED}' was also spelled 're\\u0301clamation' (2 records)"

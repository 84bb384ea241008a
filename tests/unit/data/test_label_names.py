"""Readable names for labels, read from the labels; and what stays as it is."""

import pytest

from tuneoff.data.label_names import name_labels
from tuneoff.data.labels import codes_of

# (labels of public data sets and of programs, what they are called)
NAMED = [
    (
        "AddToPlaylist BookRestaurant GetWeather PlayMusic RateBook SearchCreativeWork SearchScreeningEvent",
        "add to playlist,book restaurant,get weather,play music,rate book,search creative work,search screening event",
    ),
    ("card_arrival Refund_not_showing_up atm_support", "card arrival,refund not showing up,atm support"),
    ("entity_cancel_order entity_track_refund", "cancel order,track refund"),
    ("IN:GET_WEATHER IN:CREATE_ALARM", "get weather,create alarm"),
    ("ACCOUNT CANCELLATION_FEE ORDER", "account,cancellation fee,order"),
    ("ABBR DESC ENTY HUM LOC NUM", "abbreviation,description,entity,human,location,number"),
    ("NEG POS NEU", "negative,positive,neutral"),
    ("pos neg neutral", "positive,negative,neutral"),
    ("PER ORG LOC MISC", "person,organisation,location,miscellaneous"),
    ("BUG FEATURE TASK", "bug,feature,task"),
    ("ATMSupport CardFee", "ATM support,card fee"),
    ("alarm.set iot.hue_lightoff", "alarm set,iot hue lightoff"),
    ("non_irony irony", "non irony,irony"),
    ("level_1 level_2", "level 1,level 2"),
]
AS_THEY_ARE = [
    "anger joy optimism sadness",
    "Business Sci/Tech Sports World",
    "background method objective other result",
    "True False",
    "ham spam",
    "anti-stereotype stereotype unrelated",
    "正面 负面",
    "ja nein",
    "per total",  # a table is used where at least half of the labels are in it
    "card_fee CardFee",  # both would be called the same
]


@pytest.mark.parametrize(("labels", "names"), NAMED, ids=[labels.split()[0] for labels, _ in NAMED])
def test_labels_for_programs_get_names(labels, names):
    got = name_labels(labels.split())
    assert (list(got.words.values()), got.opaque, got.renamed) == (names.split(","), (), True)


@pytest.mark.parametrize("labels", AS_THEY_ARE, ids=range(len(AS_THEY_ARE)))
def test_labels_that_read_well_stay(labels):
    got = name_labels(labels.split())
    assert (list(got.words.values()), got.opaque, got.renamed) == (labels.split(), (), False)


@pytest.mark.parametrize("labels", ["0 1", "A7 B2", "X Y", "LABEL_0 LABEL_1", "ABBR DESC XQZ", "DESC:def NUM:count"])
def test_what_nobody_can_tell_stays_and_is_named(labels):
    got = name_labels(labels.split())
    assert (got.opaque, got.renamed) == (tuple(labels.split()), False)


def test_few_codes_among_words_stay_as_they_are():
    got = name_labels(["card_arrival", "oos", "w2"])
    assert dict(got.words) == {"card_arrival": "card arrival", "oos": "out of scope", "w2": "w2"}
    assert (got.opaque, got.renamed) == (("w2",), True)


def test_a_column_that_is_true_or_false_names_0_and_1():
    assert dict(name_labels(["0", "1"], holds=True).words) == {"0": "no", "1": "yes"}
    assert not name_labels(["1", "2"], holds=True).renamed


def test_the_way_back_to_the_codes():
    assert codes_of({"2": "refund", "0": "lost", "1": "lost"}, ["refund", "lost"]) == ("2", "")
    assert codes_of({"a": "a", "b": "b"}, ["a", "b"]) == codes_of(["a", "b"], ["a", "b"]) == ()

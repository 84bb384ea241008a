"""Equal contents are found whatever their case and white space, and never stand on both sides of a split."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tuneoff.data.dedup import content_key, drop_duplicates, drop_leaked, join_groups
from tuneoff.data.record import Message, Record


def rec(text, target="x", group="", **named):
    return Record(fields={"text": text}, target=target, group=group, **named)


def test_case_and_white_space_do_not_count():
    assert content_key(rec("Card  not\narrived ")) == content_key(rec("card not ARRIVED"))
    assert content_key(rec("un \u00e9t\u00e9")) == content_key(rec("un\u00a0e\u0301t\u200be\u0301"))
    assert content_key(rec("a")) != content_key(rec("b"))
    assert content_key(rec("a")) != content_key(rec("a", instruction="Do."))
    assert content_key(rec("a")) != content_key(rec("a", turns=(Message("user", "Hi"),)))
    assert content_key(rec("a")) != content_key(Record(fields={"title": "a"}, target="x"))


def test_the_first_of_equal_records_stays_and_contradictions_both_stay():
    got = drop_duplicates([rec("a"), rec("A "), rec("a", "y"), rec("b"), rec("a", "y")])
    assert [(record.fields["text"], record.target) for record in got.records] == [("a", "x"), ("a", "y"), ("b", "x")]
    assert (got.removed, got.alike, got.contradicting) == (2, 1, 1)


def test_texts_that_a_model_tells_apart_do_not_contradict():
    got = drop_duplicates([rec("the tent", "calm"), rec("THE TENT", "shouted"), rec("a  b", "x"), rec("a b", "y")])
    assert (len(got.records), got.removed, got.contradicting) == (4, 0, 0)
    assert drop_duplicates([rec("THE TENT", "calm"), rec("THE TENT", "shouted")]).contradicting == 1


def test_records_with_several_answers_contradict_where_none_is_right_for_all():
    def several(*answers):
        return rec("q", answers[0], alternatives=answers[1:])

    assert drop_duplicates([several("a", "b"), several("b", "c")]).contradicting == 0
    assert drop_duplicates([several("a", "b"), several("c", "d")]).contradicting == 1
    assert drop_duplicates([several("a", "b"), several("b", "a")]).removed == 1
    assert drop_duplicates([several("a", "b"), several("a")]).removed == 0


def test_contradicting_contents_share_a_group():
    for named in (False, True):
        parts = join_groups({"train": [rec("a", "x"), rec("A", "y"), rec("b")]}, named=named)
        a, b, c = (record.group for record in parts["train"])
        assert a == b != c


def test_named_groups_with_a_content_in_common_are_joined():
    parts = {"train": [rec("a", group="1"), rec("b", group="2"), rec("c", group="4")],
             "test": [rec("B", "y", group="3"), rec("A", "z", group="2")]}  # fmt: skip
    joined = join_groups(parts, named=True)
    assert [record.group for record in joined["train"]] == ["1", "1", "4"]
    assert [record.group for record in joined["test"]] == ["1", "1"]
    assert [record.id for record in joined["test"]] == [record.id for record in parts["test"]]


def test_leaks_are_removed_by_group_and_counted():
    kept, removed, groups = drop_leaked(
        [rec("a", group="1"), rec("b", group="1"), rec("c", group="2")], [rec("z", group="1")]
    )
    assert ([record.group for record in kept], removed, groups) == (["2"], 2, 1)


texts = st.sampled_from(["a", "A", "a ", "b", "B", "c", "d", "e"])
parts = st.lists(st.builds(rec, texts, st.sampled_from("xy"), st.sampled_from(["1", "2", "3", "4", "5"])), max_size=15)


@settings(deadline=None)
@given(parts, parts)
def test_after_joining_no_content_and_no_group_is_on_both_sides(train, test):
    train = [replace(record, source=str(at)) for at, record in enumerate(train)]
    joined = join_groups({"train": train, "test": test}, named=True)
    kept, removed, _ = drop_leaked(joined["train"], joined["test"])
    before = [train[int(record.source)] for record in kept]
    assert not {content_key(record) for record in before} & {content_key(record) for record in test}
    assert not {record.group for record in before} & {record.group for record in test}
    assert removed + len(kept) == len(train)

"""Splits are whole groups in places that no other record can move; limits are nested and proportional."""

import hashlib
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneoff.core.errors import DataError
from tuneoff.data.record import Record
from tuneoff.data.split import complete, cut, in_order, place

SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}
names = st.text(alphabet="abcdefgh", min_size=1, max_size=6)
records = st.lists(
    st.builds(
        lambda text, target, group: Record(fields={"text": text}, target=target, group=group),
        names, st.sampled_from("xyz"), st.sampled_from([f"g{n}" for n in range(12)]),
    ),
    max_size=60,
    unique_by=lambda record: record.id,
)  # fmt: skip


def split_of(parts):
    return {record.id: name for name, part in parts.items() for record in part}


@settings(deadline=None)
@given(records, records)
def test_added_records_never_move_old_ones(old, new):
    both = {record.id: record for record in [*new, *old]}
    before = split_of(cut(old, SHARES))
    after = split_of(cut(list(both.values()), SHARES))
    assert all(after[record] == name for record, name in before.items())


@settings(deadline=None)
@given(records)
def test_groups_never_part_and_nothing_is_lost(found):
    parts = cut(found, SHARES)
    groups = [{record.group for record in part} for part in parts.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert sorted(record.id for part in parts.values() for record in part) == sorted(record.id for record in found)


@settings(deadline=None)
@given(records, st.booleans())
def test_the_order_is_of_all_records_and_owes_nothing_to_the_files_order(found, stratified):
    order = in_order(found, stratified=stratified)
    assert sorted(record.id for record in order) == sorted(record.id for record in found)
    shuffled = in_order(found[::-1], stratified=stratified)
    assert [record.id for record in shuffled] == [record.id for record in order]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 40), min_size=1), st.data())
def test_every_beginning_is_proportional(counts, data):
    found = [
        Record(fields={"text": f"{label} {n}"}, target=label) for label, count in counts.items() for n in range(count)
    ]
    limit = data.draw(st.integers(1, len(found)))
    taken = Counter(record.target for record in in_order(found, stratified=True)[:limit])
    assert len(taken) == min(limit, len(counts))
    for label, other in permutations(counts, 2):
        # Webster's method: behind the one seat that each label is given first, none was better deserved by another
        if taken[label] > 1 and taken[other] < counts[other]:
            assert (taken[label] - 0.5) / counts[label] <= (taken[other] + 0.5) / counts[other] + 1e-9


def test_sizes_come_near_the_shares():
    found = [Record(fields={"text": str(n)}, target="x") for n in range(4000)]
    sizes = {name: len(part) / 4000 for name, part in cut(found, SHARES).items()}
    assert all(abs(sizes[name] - share) < 0.025 for name, share in SHARES.items())


def test_places_are_the_same_on_every_machine():
    digest = hashlib.sha256(b"0/split/customer 7").digest()
    assert place("customer 7") == (int.from_bytes(digest[:8], "big") >> 1) / 2**63 == 0.6332379968616306
    assert 0 <= min(map(place, "abcdef")) <= max(map(place, "abcdef")) < 1


def test_labels_seen_rarely_come_first():
    found = [Record(fields={"text": str(n)}, target="rare" if n == 77 else "usual") for n in range(100)]
    assert {record.target for record in in_order(found, stratified=True)[:2]} == {"rare", "usual"}
    assert {record.target for record in in_order(found, stratified=False)[:2]} == {"usual"}


def test_a_share_of_nothing_is_refused():
    with pytest.raises(DataError, match="every share must be above 0"):
        cut([], {"train": 1.0, "test": 0.0})


labelled = st.lists(
    st.builds(
        lambda text, target, group: Record(fields={"text": text}, target=target, group=group),
        names, st.sampled_from("uvwxyz"), st.sampled_from([f"g{n}" for n in range(30)]),
    ),
    min_size=1, max_size=60, unique_by=lambda record: record.id,
)  # fmt: skip


@settings(deadline=None)
@given(labelled)
def test_completed_splits_keep_groups_whole_and_lose_nothing(found):
    before = cut(found, SHARES)
    after, moved = complete(before)
    groups = [{record.group for record in part} for part in after.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert sorted(record.id for part in after.values() for record in part) == sorted(record.id for record in found)
    was, now = split_of(before), split_of(after)
    assert moved == sum(was[record] != name for record, name in now.items())
    assert all(after[name] or not before[name] for name in SHARES)


@settings(deadline=None)
@given(labelled, st.randoms())
def test_what_is_moved_owes_nothing_to_the_files_order(found, random):
    shuffled = random.sample(found, len(found))
    assert split_of(complete(cut(shuffled, SHARES))[0]) == split_of(complete(cut(found, SHARES))[0])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("uvwxyz"), st.integers(2, 9), min_size=2))
def test_each_label_stands_on_both_sides_where_its_groups_suffice(counts):
    found = [Record(fields={"t": f"{label}{n}"}, target=label) for label, count in counts.items() for n in range(count)]
    found += [Record(fields={"t": str(n)}, target="usual") for n in range(60)]
    parts, _ = complete(cut(found, SHARES))
    seen = {name: {record.target for record in part} for name, part in parts.items()}
    assert seen["train"] == seen["test"] == {*counts, "usual"}
    assert seen["validation"] >= {label for label, count in counts.items() if count >= 3}


def test_labels_that_stand_everywhere_move_nothing():
    found = [Record(fields={"t": str(n)}, target="ab"[n % 2]) for n in range(200)]
    before = cut(found, SHARES)
    assert complete(before) == (before, 0)


def test_only_records_of_the_label_that_was_lacking_move():
    usual = [Record(fields={"t": str(n)}, target="ab"[n % 2]) for n in range(200)]
    rare = [Record(fields={"t": f"rare {n}"}, target="rare") for n in range(40)]
    rare = [record for record in rare if place(record.group) < 0.6][:4]
    before = split_of(cut([*usual, *rare], SHARES))
    after, moved = complete(cut([*usual, *rare], SHARES))
    assert moved == 2
    gone = {record.target for name, part in after.items() for record in part if before[record.id] != name}
    assert gone == {"rare"}


def test_a_group_that_holds_all_of_a_label_stays_whole_where_it_is():
    one = [Record(fields={"t": f"rare {n}"}, target="rare", group="one") for n in range(4)]
    usual = [Record(fields={"t": str(n)}, target="ab"[n % 2]) for n in range(200)]
    after, _ = complete(cut([*usual, *one], SHARES))
    assert sorted(sum(record.target == "rare" for record in part) for part in after.values()) == [0, 0, 4]

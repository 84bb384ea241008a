"""Duplicates and leakage: contents are alike when they differ in case, white space and what cannot be seen only.

    "Card not arrived "  and  "card  not arrived"   are alike

Alike, with the same answers: the later record is dropped. Alike, with other answers: both stay, in one group, for
case may be what the answer is about. A group that stands in a file which is tested on is removed from the files
before it. Contents that are equal to the letter, so that a model cannot tell them apart, and that no answer is right
for together, are counted as contradicting.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tuneoff.core.identity import content_hash
from tuneoff.data.record import Record
from tuneoff.data.spelling import look

__all__ = ["Distinct", "content_key", "drop_duplicates", "drop_leaked", "join_groups"]


class Distinct(NamedTuple):
    """records: each (content, answers) once. removed: how many were dropped. alike: how many of these differ from
    the one that is kept in case or white space. contradicting: equal contents that no answer is right for together.
    """

    records: list[Record]
    removed: int
    alike: int
    contradicting: int


def content_key(record: Record) -> str:
    """The hash of what the record asks, in small letters, as it looks: each run of white space as one space."""
    return content_hash(_plain(record.content))


def drop_duplicates(records: Iterable[Record]) -> Distinct:
    """Keep the first of each (content, answers)."""
    kept: dict[tuple, Record] = {}
    by_content: dict[str, list[Record]] = defaultdict(list)
    removed = alike = 0
    for record in records:
        content = content_key(record)
        key = (content, frozenset(record.references))
        if key in kept:
            removed += 1
            alike += record.content != kept[key].content
        else:
            kept[key] = record
            by_content[content].append(record)
    several = (found for found in by_content.values() if len(found) > 1)
    return Distinct(list(kept.values()), removed, alike, sum(map(_contradicting, several)))


def _contradicting(records: Sequence[Record]) -> int:
    """Of contents that are alike: how many, to the letter, no answer is right for all their records."""
    right: dict[str, set[str]] = {}
    for record in records:
        exact = content_hash(record.content)
        right[exact] = right.get(exact, set(record.references)) & set(record.references)
    return sum(not answers for answers in right.values())


def join_groups(parts: Mapping[str, Sequence[Record]], named: bool) -> dict[str, list[Record]]:
    """The same records, with equal contents in one group.

    named: the groups come from a column; groups that share a content are then joined, and take the name that sorts
    first. So a new record that links two groups may move the one whose name sorts last, and nothing else can.
    """
    keys = {name: [content_key(record) for record in part] for name, part in parts.items()}
    if not named:
        return {
            name: [replace(record, group=key) for record, key in zip(part, keys[name])] for name, part in parts.items()
        }
    parent: dict[str, str] = {}
    first: dict[str, str] = {}
    for name, part in parts.items():
        for record, key in zip(part, keys[name]):
            _join(parent, record.group, first.setdefault(key, record.group))
    return {
        name: [replace(record, group=_root(parent, record.group)) for record in part] for name, part in parts.items()
    }


def drop_leaked(records: Sequence[Record], sealed: Iterable[Record]) -> tuple[list[Record], int, int]:
    """(records whose group does not stand in `sealed`, records removed, groups removed)."""
    closed = {record.group for record in sealed}
    kept = [record for record in records if record.group not in closed]
    return kept, len(records) - len(kept), len({record.group for record in records} & closed)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return look(value.casefold())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value]


def _join(parent: dict[str, str], a: str, b: str) -> None:
    low, high = sorted((_root(parent, a), _root(parent, b)))
    parent[high] = low


def _root(parent: dict[str, str], name: str) -> str:
    while parent.get(name, name) != name:
        parent[name] = parent.get(parent[name], parent[name])
        name = parent[name]
    return name

"""Where a record goes: by the hash of its group, so that added records never move old ones.

    place(group) = first 63 bits of SHA-256("0/split/<group>") / 2^63, a number in [0, 1)
    shares train 0.6, validation 0.15, test 0.25:   0 ---- train ---- 0.6 - validation - 0.75 -- test -- 1

What this buys, and what it costs. A record's split depends on its own group and the shares alone: not on the other
records, their order, or the study's seed. So the sizes come out near the shares, not at them (of 1000 groups at 0.6,
569 to 631 in 95 % of draws), and the splits are not stratified by label.

One exception: a label that a split would lack altogether. There would be nothing to learn it from, or nothing to judge
it by, so `complete` moves one group. No rule can keep both promises: a place that depends on nothing but the group
cannot know what the others lack. So added records of such a label may change which of its groups was moved, until one
has its own place in that split; records of labels that stand everywhere never move.

The limits (`train_records = 500`) are stratified: records are put in an order in which every beginning has the
labels in their proportions, each label at least once as soon as there is room. A larger limit therefore keeps all
of a smaller one's records. Adding records can change which ones a limit takes; it never moves one between splits.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tuneoff.core.errors import DataError
from tuneoff.core.seeds import stream
from tuneoff.data.record import Record

__all__ = ["complete", "cut", "in_order", "place"]

FIRST_SERVED = ("train", "test", "validation")


def place(group: str) -> float:
    """Where a group stands between 0 and 1, the same on every machine."""
    return stream(0, "split", group) / 2**63


def cut(records: Sequence[Record], shares: Mapping[str, float]) -> dict[str, list[Record]]:
    """The records of each named part, whole groups only. shares: positive, in order; they need not add up to 1."""
    if any(share <= 0 for share in shares.values()):
        raise DataError("every share must be above 0", found=dict(shares), fix="[data] shares = [0.6, 0.15, 0.25]")
    total, bounds, reached = sum(shares.values()), [], 0.0
    for name, share in shares.items():
        reached += share / total
        bounds.append((name, reached))
    parts: dict[str, list[Record]] = {name: [] for name in shares}
    for record in records:
        at = place(record.group)
        parts[next((name for name, bound in bounds if at < bound), bounds[-1][0])].append(record)
    return parts


def complete(parts: Mapping[str, Sequence[Record]]) -> tuple[dict[str, list[Record]], int]:
    """(parts in which each label stands everywhere that its groups suffice for, number of records moved).

    Training is served first, then the test, then validation. A split takes a group from where most of the label's are;
    of those the smallest, of equal ones the first by hash. No part is emptied for it, and none loses a label but to one
    that is served before it.
    """
    at = {record.group: name for name, records in parts.items() for record in records}
    groups: dict[str, list[Record]] = defaultdict(list)
    for records in parts.values():
        for record in records:
            groups[record.group].append(record)
    having: dict[str, list[str]] = defaultdict(list)  # label to its groups
    for group, records in groups.items():
        for label in {record.target for record in records}:
            having[label].append(group)
    stood = dict(at)
    for name in (name for name in FIRST_SERVED if name in parts):
        for label in sorted(having):
            if any(at[group] == name for group in having[label]):
                continue
            free = [group for group in having[label] if _may_leave(group, name, at, groups, having)]
            if free:
                standing = Counter(at[group] for group in having[label])
                taken = min(free, key=lambda one: (-standing[at[one]], len(groups[one]), place(one), one))
                at[taken] = name
    moved = sum(len(records) for group, records in groups.items() if at[group] != stood[group])
    whole = {name: [r for records in parts.values() for r in records if at[r.group] == name] for name in parts}
    return whole, moved


def _may_leave(
    group: str,
    name: str,
    at: Mapping[str, str],
    groups: Mapping[str, Sequence[Record]],
    having: Mapping[str, Sequence[str]],
) -> bool:
    """Whether a group may go to the split `name`: it is not alone where it stands, nor the last one of a label there,
    unless that split is served later.
    """
    here = at[group]
    if not any(other != group and place_of == here for other, place_of in at.items()):
        return False
    if FIRST_SERVED.index(name) < FIRST_SERVED.index(here):
        return True
    labels = {record.target for record in groups[group]}
    return all(any(other != group and at[other] == here for other in having[label]) for label in labels)


def in_order(records: Sequence[Record], *, stratified: bool) -> list[Record]:
    """The records in the order of their hashes; stratified: so that every beginning has the labels in proportion.

    Within a label the order is by hash; across labels the k-th record (from 0) of a label with n of them comes at
    (k + 1/2) / n (Webster's method, which never takes a seat back when the house grows), the first ones foremost.
    """
    hashed = sorted(records, key=lambda record: (stream(0, "order", record.id), record.source))
    if not stratified:
        return hashed
    counts, seen = Counter(record.target for record in hashed), defaultdict(int)
    keyed = []
    for record in hashed:
        k, n = seen[record.target], counts[record.target]
        keyed.append(((0.0, -n) if k == 0 else ((k + 0.5) / n, 0), record))
        seen[record.target] += 1
    return [record for _, record in sorted(keyed, key=lambda pair: pair[0])]

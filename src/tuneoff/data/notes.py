"""What a person should know about the data before a study on it: plain sentences for the report of loading."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from tuneoff.data.labels import are_codes
from tuneoff.data.record import Record

__all__ = ["counted", "label_notes", "size_notes", "spelling_notes"]

FEW_TEST_RECORDS = 150
SHOWN = 3
UNSEEN = {
    "test": "nothing will be known of how well it is answered",
    "validation": "arms are chosen without a look at it",
}


def size_notes(parts: Mapping[str, Sequence], used: Mapping[str, Sequence], limits: Mapping[str, int]) -> list[str]:
    """On limits that ask for more than there is, and on small tests."""
    notes = [
        f"{name}_records asks for {limits[name]:,}, and the split has {len(parts[name]):,}: all are used"
        for name in limits
        if limits[name] > len(parts[name])
    ]
    if len(used["test"]) < FEW_TEST_RECORDS:
        records = counted(len(used["test"]), "test record")
        notes.append(f"only {records}: small differences between arms cannot be seen")
    return notes


def label_notes(used: Mapping[str, Sequence[Record]], labels: Sequence[str], listed: bool) -> list[str]:
    """On labels that a split lacks, labels that are hard to tell apart, and codes. listed: by the person."""
    seen = {name: {record.target for record in records} for name, records in used.items()}
    notes = [
        f"the label {label!r} is in the {name} records but in no training record: a trained arm cannot learn it"
        for name in ("validation", "test")
        for label in labels
        if label in seen[name] - seen["train"]
    ]
    everywhere = set().union(*seen.values())
    for name, unseen in UNSEEN.items():
        missing = [label for label in labels if label in everywhere - seen[name]]
        if missing:
            notes.append(f"{_are(missing)} in no {name} record: {unseen if len(missing) == 1 else _plural(unseen)}")
    notes += [f"the label {label!r} is in no record" for label in labels if label not in everywhere]
    return [*notes, *_twins(labels), *([] if listed else _codes(labels))]


def _codes(labels: Sequence[str]) -> list[str]:
    """On labels that say nothing to a model before it is trained."""
    if not labels or not are_codes(labels):
        return []
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    shown = f"{', '.join(labels[:SHOWN])}{more}"
    return [f"the labels are codes ({shown}), which say nothing to a prompt: [data.labels] can give each a name"]


def spelling_notes(spelled: Mapping[str, str], found: Sequence[str]) -> list[str]:
    """On labels that look alike. spelled: what was replaced by what. found: the answers as they were read."""
    counts, kept = Counter(found), dict.fromkeys(spelled.values())
    return [
        f"labels that look alike are one: {label!r} was also spelled "
        + ", ".join(f"{other!a} ({counted(counts[other], 'record')})" for other, one in spelled.items() if one == label)
        for label in kept
    ]


def counted(count: int, noun: str) -> str:
    """1 record, 2,000 records."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _are(labels: Sequence[str]) -> str:
    if len(labels) == 1:
        return f"the label {labels[0]!r} is"
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return f"{len(labels)} labels ({', '.join(map(repr, labels[:SHOWN]))}{more}) are"


def _plural(words: str) -> str:
    return words.replace("it is answered", "they are answered").replace("at it", "at them")


def _twins(labels: Sequence[str]) -> list[str]:
    """Labels that are equal when capitals, then when full-width and like forms of letters are left out."""
    notes: list[str] = []
    forms = {"capital letters": str.casefold, "the form of letters": _folded}
    named: set[str] = set()
    for what, form in forms.items():
        count = Counter(map(form, labels))
        twins = [label for label in labels if count[form(label)] > 1]
        if set(twins) - named:
            notes.append(f"some labels differ in {what} only: {', '.join(twins)}")
        named |= set(twins)
    return notes


def _folded(label: str) -> str:
    return unicodedata.normalize("NFKC", label).casefold()

"""Readable names for labels that are written for programs.

AddToPlaylist -> add to playlist       card_arrival -> card arrival      ACCOUNT -> account
ABBR, DESC, ENTY, HUM, LOC, NUM -> abbreviation, description, ...        by a small table, where all are in it or clear
0, 1, A7, X                            nobody can tell: they stay as they are, for the person to name

A label that reads well stays: `Sci/Tech`, `not well-formed`, `正面`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tuneoff.data.labels import is_code
from tuneoff.data.spelling import look
from tuneoff.data.vocabulary import ABBREVIATIONS, ALONE, SHORT_WORDS

__all__ = ["AS_THEY_ARE", "Names", "name_labels"]

SAYS_NOTHING = {"label", "class", "intent", "category", "cat", "type", "tag", "entity", "in", "option", "answer"}
PARTS = re.compile(r"[\s_.:/]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
FEW = 4  # capitals that may be an abbreviation


class Names(NamedTuple):
    """words: readable name by label, of all labels. opaque: those that only the person can name; they stay."""

    words: Mapping[str, str] = {}
    opaque: tuple[str, ...] = ()

    @property
    def renamed(self) -> bool:
        """Whether a study should use the words: some label has another name, and most of them can be read."""
        changed = any(label != name for label, name in self.words.items())
        return changed and 2 * len(self.opaque) <= len(self.words)


AS_THEY_ARE = Names()


def name_labels(labels: Sequence[str], *, holds: bool = False) -> Names:
    """What the labels are called in words; two labels are never called the same.

    holds: whether the answer's column says what is true or false of a text, so that 0 and 1 are no and yes.
    """
    if holds and set(labels) == {"0", "1"}:
        return Names({"0": "no", "1": "yes"})
    table, parts = _table(labels), _without_prefix({label: _parts(label) for label in labels})
    opaque = _opaque(parts, table)
    if opaque:  # a table is sure of itself only where it leaves nothing over
        table = ALONE
        opaque = _opaque(parts, table)
    words = {label: label if label in opaque else table.get(label.upper()) or _name(label, parts) for label in labels}
    if len(set(map(look, words.values()))) < len(labels):
        return Names({label: label for label in labels}, opaque)
    return Names(words, opaque)


def _opaque(parts: Mapping[str, Sequence[str]], table: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(label for label, own in parts.items() if label.upper() not in table and not _clear(label, own))


def _table(labels: Sequence[str]) -> dict[str, str]:
    """The abbreviations of the field that most labels are of; none where it is less than half of them, or one alone."""
    upper = {label.upper() for label in labels}
    best = max(ABBREVIATIONS, key=lambda field: len(field.keys() & upper))
    found = len(best.keys() & upper)
    return {**ALONE, **(best if found > 1 and 2 * found >= len(labels) else {})}


def _parts(label: str) -> list[str]:
    """The words of a label that is written as one: by capitals and lower lines; any other label is one part."""
    if re.search(r"\s", label) or not label.isascii() or (not re.search(r"[_:.]", label) and "/" in label):
        return [label]
    return [part for part in PARTS.split(label) if part] or [label]


def _without_prefix(parts: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Without a first word that all labels have and that says nothing: entity_cancel_order, IN:GET_WEATHER."""
    firsts = {own[0].lower() for own in parts.values()}
    if len(parts) > 1 and len(firsts) == 1 and firsts <= SAYS_NOTHING and all(len(own) > 1 for own in parts.values()):
        return {label: own[1:] for label, own in parts.items()}
    return dict(parts)


def _name(label: str, parts: Mapping[str, Sequence[str]]) -> str:
    own = parts[label]
    shouted = all(other.isupper() for other in parts if other.isascii() and any(map(str.isalpha, other)))
    if own == [label] and not (shouted and label.isascii()):
        return label
    return " ".join(part.lower() if shouted or not _short_capitals(part) else part for part in own)


def _short_capitals(part: str) -> bool:
    """An abbreviation (ATM in ATMSupport), as far as can be told."""
    return part.isascii() and part.isupper() and 1 < len(part) <= FEW and part.lower() not in SHORT_WORDS


def _clear(label: str, parts: Sequence[str]) -> bool:
    """Whether a reader knows what the label means: no code, no short run of capitals, no `label 1`."""
    if is_code(look(label)) or {part.lower() for part in parts if not part.isdigit()} <= SAYS_NOTHING:
        return False
    if len(parts) == 1:
        return _reads(parts[0], 2)
    known = any(part in field for part in parts for field in ABBREVIATIONS)
    return not known and any(_reads(part, 3) for part in parts)


def _reads(part: str, letters: int) -> bool:
    """Whether it is a word: small letters, a known short one, or too long for an abbreviation."""
    if not part.isascii():
        return not is_code(look(part))
    if _short_capitals(part) or not re.search(f"[A-Za-z]{{{letters}}}", part):
        return False
    return not part.isupper() or len(part) > FEW or part.lower() in SHORT_WORDS

"""Labels that a reader cannot tell apart are one label, in one spelling.

    look("bank\u00a0loan") == look("bank  loan") == look("bank loan\u200b") == "bank loan"
    look("re\u0301clamation") == look("r\u00e9clamation")                   (one accent, encoded in two ways)

A label whose spelling nobody shares stays as it is. Capital letters are told apart: they may be the point.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["look", "one_spelling"]

# Zero-width characters, soft hyphens, marks of direction. The two joiners shape Arabic, Indic scripts and emoji, and
# are nothing behind a Latin letter.
INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
JOINER = re.compile("(?<=[\u0000-\u036f])[\u200c\u200d]|[\u200c\u200d]+$")


def look(label: str) -> str:
    """What a reader sees: accents composed, nothing invisible, each run of white space as one space."""
    if not label.isascii():  # for speed: texts go through here too
        label = JOINER.sub("", INVISIBLE.sub("", unicodedata.normalize("NFC", label)))
    return " ".join(label.split())


def one_spelling(found: Iterable[str], listed: Sequence[str] = ()) -> dict[str, str]:
    """Spelling to spelling, for every one that is replaced: by the one that the person lists first, else by the one
    without surprises, else by the most frequent.
    """
    counts = Counter(found)
    alike: dict[str, list[str]] = {}
    for spelling in dict.fromkeys([*listed, *sorted(counts)]):
        alike.setdefault(look(spelling), []).append(spelling)
    chosen = {}
    for seen, spellings in alike.items():
        named = [spelling for spelling in spellings if spelling in listed]
        kept = named[0] if named else min(spellings, key=lambda each: (each != seen, -counts[each]))
        chosen |= {spelling: kept for spelling in spellings if spelling != kept}
    return chosen

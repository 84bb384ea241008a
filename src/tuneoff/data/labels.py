"""Choice or free text, and which labels a choice is made from.

50 different answers at most, of 40 characters at most, that repeat: a choice. Anything else: text.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tuneoff.core.errors import DataError
from tuneoff.data.record import Record
from tuneoff.data.spelling import look

__all__ = [
    "are_codes",
    "check_labels",
    "check_sides",
    "codes_of",
    "guess_kind",
    "is_code",
    "label_set",
    "labels_listed",
    "refuse_label_sets",
]

# a number, or a sign of one or two characters, or a letter with a number: 3, -1, 2.5, 50 %, ++, A1
CODE = re.compile(r"[-+]?\d+([.,/]\d+)?\s?%?|[!-/:-@\[-`{-~]{1,2}|[^\W\d_]\d+|\d+[^\W\d_]")
WORDS_OF_ONE_LETTER = ("CJK", "HANGUL SYLLABLE", "YI SYLLABLE", "NUSHU", "TANGUT")
MOST_LABELS = 50
LONGEST_LABEL = 40


def guess_kind(targets: Sequence[str]) -> Literal["choice", "text"]:
    """choice where at most 50 distinct short answers repeat (five records each, on average), else text."""
    distinct = set(map(look, targets))
    few = len(distinct) <= min(MOST_LABELS, max(2, len(targets) / 5))
    repeat = len(distinct) < len(targets)
    return "choice" if few and repeat and all(len(target) <= LONGEST_LABEL for target in distinct) else "text"


def are_codes(labels: Sequence[str]) -> bool:
    """Whether all labels are numbers, signs, or letters of an alphabet alone: a model cannot know what they mean.

    Two letters are a word (ja, no), and so is one Chinese character.
    """
    return all(is_code(look(label)) for label in labels)


def is_code(label: str) -> bool:
    if len(label) != 1 or not label.isalpha():
        return bool(CODE.fullmatch(label))
    return not unicodedata.name(label, "").startswith(WORDS_OF_ONE_LETTER)


def label_set(records: Sequence[Record], labels: Mapping[str, str] | Sequence[str]) -> tuple[str, ...]:
    """The labels in their order: as the person lists them, else sorted."""
    return tuple(labels_listed(labels) if labels else sorted({record.target for record in records}))


def codes_of(labels: Mapping[str, str] | Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """What the data write in the place of each name, "" where several codes share it; nothing where none is renamed."""
    if not isinstance(labels, Mapping) or all(code == name for code, name in labels.items()):
        return ()
    written = {name: [code for code, word in labels.items() if look(word) == look(name)] for name in names}
    return tuple(codes[0] if len(codes) == 1 else "" for codes in written.values())


def labels_listed(labels: Mapping[str, str] | Sequence[str]) -> list[str]:
    """What a person names in [data] labels, in order; of spellings that look alike the first."""
    names = labels.values() if isinstance(labels, Mapping) else labels
    kept: dict[str, str] = {}
    for name in names:
        kept.setdefault(look(name), name)
    return list(kept.values())


def check_sides(splits: Mapping[str, Sequence[Record]], where: str) -> None:
    """Raise DataError where the training or the test records all have one answer: nothing is learned, or judged."""
    for name in ("train", "test"):
        found = {record.target for record in splits[name]}
        if len(found) == 1:
            label = next(iter(found))
            test = "to give it always is to be right, so nothing can be recommended"
            why = test if name == "test" else "there is nothing to tell it from"
            raise DataError(
                f"all {len(splits[name])} {name} records have the same answer {label!r}: {why}",
                where=where,
                fix=f"give {name} records of at least two labels: a larger share or limit, another file, or a group "
                "column\nwhose groups do not hold one label each",
            )


def refuse_label_sets(answers: Sequence[Any], kind: str, where: str) -> None:
    """Raise DataError where the answers are lists of labels: several may be right together, not one of several.

    answers: the cells of the answer column as they were read. kind: of the study; with text, lists hold texts.
    Lists of one item each are plain answers.
    """
    lists = [cell for cell in answers if isinstance(cell, list | tuple)]
    items = [str(item) for cell in lists for item in cell if not isinstance(item, list | tuple | Mapping)]
    if kind == "text" or not items or all(len(cell) == 1 for cell in lists):
        return
    if kind == "auto" and guess_kind(items) == "text":
        return
    names = sorted(set(items))
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    sizes = sorted({len(cell) for cell in lists})
    raise DataError(
        "the answers are sets of labels, which cannot be tuned for yet",
        where=where,
        found=f"lists of {sizes[0]} to {sizes[-1]} out of {len(names)} labels: {shown}",
        fix="give each row one label; where each list holds several right answers to one question, any of which will "
        'do,\nwrite kind = "text" under [data]',
    )


def check_labels(records: Sequence[Record], where: str) -> None:
    """Raise DataError for one class only, and for labels seen once, which cannot stand in both train and test."""
    counts = Counter(record.target for record in records)
    if len(counts) == 1:
        raise DataError(
            f"all {len(records)} records have the same answer {next(iter(counts))!r}",
            where=where,
            fix="a choice needs at least two labels: check [data] answer, or add records of another label",
        )
    once = [record for record in records if counts[record.target] == 1]
    if once:
        labels = "label is" if len(once) == 1 else "labels are"
        lines = [f"{record.source}  {record.target!r}" for record in once[:5]]
        more = [f"and {len(once) - 5} more"] if len(once) > 5 else []
        raise DataError(
            f"{len(once)} {labels} seen once in all: too few to learn from and test",
            where=where,
            found="\n".join([*lines, *more]),
            fix="add a second record with that label, remove the record, or join it to another label with\n"
            '[data] labels = {"old" = "new", ...}; where the answers are to be written out: kind = "text"',
        )

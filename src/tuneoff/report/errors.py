"""Where one arm errs: its wrong answers on validation, gathered by the answer that was wanted.

    wanted       right       said instead
    sadness      21 of 30    anger 6, joy 3
    joy          28 of 30    sadness 2

Each seed's answer counts. Validation only, so that nobody mends data by looking at the sealed test set.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuneoff.study.outcome import Outcome

__all__ = ["Errors", "Missed", "errors"]

LABELS, INSTEAD = 12, 3


@dataclass(frozen=True, slots=True)
class Missed:
    """A wanted answer: how often it was given, out of how often, and what was said instead, most often first."""

    label: str
    right: int
    asked: int
    instead: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Errors:
    """missed: the wanted answers with most errors first. more: further ones with errors. clean: ones without."""

    arm: str
    missed: tuple[Missed, ...]
    more: int
    clean: int


def errors(arm: str, answers: Mapping[str, Sequence[Outcome]], wanted: Mapping[str, str]) -> Errors | None:
    """answers: by record, one outcome a seed. wanted: the right answer by record; None where it is not known of any."""
    said = defaultdict(Counter)
    for record, outcomes in answers.items():
        if record in wanted:
            said[wanted[record]].update(outcome.answer for outcome in outcomes)
    if not said:
        return None
    rows = sorted((_missed(label, counts) for label, counts in said.items()), key=_most_wrong)
    wrong = [row for row in rows if row.right < row.asked]
    return Errors(arm, tuple(wrong[:LABELS]), max(0, len(wrong) - LABELS), len(rows) - len(wrong))


def _missed(label: str, counts: Counter) -> Missed:
    instead = tuple((answer, count) for answer, count in counts.most_common() if answer != label)
    return Missed(label, counts[label], counts.total(), instead[:INSTEAD])


def _most_wrong(row: Missed) -> tuple:
    return row.right - row.asked, row.label

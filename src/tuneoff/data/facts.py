"""What a set of records looks like: sizes, balance, lengths. Measured, never guessed.

facts(records).labels == {"joy": 300, "anger": 700}     facts(records).majority == 0.7
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from tuneoff.data.dedup import drop_duplicates
from tuneoff.data.record import Record

__all__ = ["Facts", "Spread", "facts", "spread"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A set of numbers in five. median and p95 are values that occur (nearest rank)."""

    least: int
    median: int
    mean: float
    p95: int
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """records; groups: that stay whole in a split; duplicates, contradicting: as in dedup.

    input_* and answer_*: lengths, the instruction counted with the input. tokens: None where no counter was given.
    labels: each answer and its count, most frequent first, for a choice; empty for text. majority: the share of
    the most frequent answer, which is what always giving it would score.
    """

    records: int
    groups: int
    duplicates: int
    contradicting: int
    input_words: Spread
    input_characters: Spread
    answer_words: Spread
    answer_characters: Spread
    input_tokens: Spread | None
    answer_tokens: Spread | None
    labels: dict[str, int]
    majority: float

    def as_dict(self) -> dict:
        return asdict(self)


def facts(records: Sequence[Record], *, kind: str, count_tokens: Callable[[str], int] | None = None) -> Facts:
    """The facts of at least one record. kind: choice or text. count_tokens: how many tokens a text has."""
    inputs = ["\n".join(part for part in (record.instruction, record.text) if part) for record in records]
    answers = [record.target for record in records]
    distinct = drop_duplicates(records)
    counts = Counter(answers).most_common()
    return Facts(
        records=len(records),
        groups=len({record.group for record in records}),
        duplicates=distinct.removed,
        contradicting=distinct.contradicting,
        input_words=spread([len(text.split()) for text in inputs]),
        input_characters=spread([len(text) for text in inputs]),
        answer_words=spread([len(text.split()) for text in answers]),
        answer_characters=spread([len(text) for text in answers]),
        input_tokens=spread([count_tokens(text) for text in inputs]) if count_tokens else None,
        answer_tokens=spread([count_tokens(text) for text in answers]) if count_tokens else None,
        labels=dict(counts) if kind == "choice" else {},
        majority=counts[0][1] / len(records),
    )


def spread(numbers: Sequence[int]) -> Spread:
    """The spread of at least one number."""
    ordered = sorted(numbers)
    count = len(ordered)
    return Spread(
        least=ordered[0],
        median=ordered[(count - 1) // 2],
        mean=fmean(ordered),
        p95=ordered[-(-95 * count // 100) - 1],
        most=ordered[-1],
    )

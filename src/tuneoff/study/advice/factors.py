"""What is measured before anything is trained: the classic reasons to prompt or to tune, as figures.

    data alignment      bits per byte of the person's inputs and answers, next to general text
    task uniqueness     what prompts reach untrained, next to the most frequent label and to a classifier of words
    data quantity       records, classes, the smallest class, and whether more records still help such a classifier
    compute             the forecast
    control             what the person's [decision] rules out

Expertise is the one factor that is not asked for: it lies in the defaults. One measured figure is an Estimate:

    Estimate(value=0.26, low=0.17, high=0.38, n=64)

bits per byte = minus log2-likelihood of a text / its length in UTF-8 bytes
"""

from dataclasses import dataclass, field

__all__ = [
    "Alignment",
    "Compared",
    "Compute",
    "CurvePoint",
    "Estimate",
    "Factors",
    "Prompted",
    "Quantity",
    "Uniqueness",
]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval over n records; low and high are None where those cannot tell."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def above_zero(self) -> bool:
        """For a difference: shown to be more than nothing."""
        return self.low is not None and self.low > 0

    @property
    def below_zero(self) -> bool:
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True)
class Compared:
    """Bits per byte of the person's texts, of general text in pieces as long, and how many more the first takes."""

    own: Estimate
    general: Estimate
    surplus: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Alignment:
    """inputs: each as a text of its own; None where there are none. answers: behind the record as it is asked."""

    inputs: Compared | None
    answers: Compared | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompted:
    """A prompt that trains nothing, on a sample of the validation records.

    over_majority, over_words: how much more it has than always saying the most frequent label, and than a classifier
    of words, on the same records; None for free text.
    """

    arm: str
    score: Estimate
    over_majority: Estimate | None = None
    over_words: Estimate | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Uniqueness:
    """metric: what is measured, from 0 to 1. majority: share of the most frequent label; words: a TF-IDF classifier,
    both on validation. words_over_majority: on the same records. All None for free text."""

    metric: str
    prompts: tuple[Prompted, ...]
    chance: float | None = None
    majority: Estimate | None = None
    majority_label: str = ""
    words: Estimate | None = None
    words_over_majority: Estimate | None = None

    @property
    def best(self) -> Prompted | None:
        """The prompt with the highest score."""
        return max(self.prompts, key=lambda prompt: prompt.score.value, default=None)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A classifier of words that learned from so many records, on validation."""

    records: int
    score: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """Counts of training records. classes 0: free text. duplicates: removed before the split.

    curve: accuracy of a TF-IDF classifier after a quarter, half and all of the records. rise: from half to all.
    """

    records: int
    duplicates: int
    classes: int = 0
    smallest: int = 0
    smallest_label: str = ""
    curve: tuple[CurvePoint, ...] = ()
    rise: Estimate | None = None

    @property
    def per_class(self) -> float:
        return self.records / self.classes if self.classes else float(self.records)


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute:
    """The forecast of the whole study, at best and at worst. arms: seconds of one whole job of each.

    peak_bytes: the most that training holds; None where nothing is trained, or it cannot be told.
    """

    best_s: float
    worst_s: float
    peak_bytes: int | None = None
    arms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """What the study asks for. ruled_out: by family, the reason. later: limits that arms are held to once measured."""

    ruled_out: dict[str, str] = field(default_factory=dict)
    later: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Factors:
    """All of them. families: by arm of the study. parameters: of the model. compute None: not forecast."""

    kind: str
    families: dict[str, str]
    parameters: int
    alignment: Alignment
    uniqueness: Uniqueness
    quantity: Quantity
    compute: Compute | None = None
    control: Control = field(default_factory=Control)

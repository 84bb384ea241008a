"""The shape of verdict.json, version 1."""

from dataclasses import dataclass, field

__all__ = ["Contrast", "Standing", "Verdict"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One arm. mean None: it was not measured on the test set, and `why` says why.

    low / high: 95 % interval of the mean over records and seeds. seed_spread: "included"; "none" where the arm has no
    randomness; "unknown" where it has and only one seed was run, so that the interval covers records alone.
    artifact_mean: the figure of the one seed handed over (best on validation), interval over records; artifact: its
    folder. status: tested, failed, unfinished, not tested, not run or unscored; a tested arm's `why` tells of seeds
    that failed. unreadable: share of answers that could not be read. cost: the columns of core/cost.py, means over
    seeds. others: the further metrics' means by name.
    """

    arm: str
    family: str
    metric: str
    mean: float | None
    low: float | None
    high: float | None
    n_test: int
    seeds: int
    status: str = "tested"
    why: str = ""
    seed_spread: str = ""
    validation: float | None = None
    artifact_mean: float | None = None
    artifact_low: float | None = None
    artifact_high: float | None = None
    artifact: str = ""
    unreadable: float = 0.0
    trials: int = 1
    cost: dict = field(default_factory=dict)
    others: dict = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """a minus b on the same records. low / high: marginal 95 %. p_holm: corrected over all contrasts.

    different: p_holm < 0.05. kind: different, practically_equal (interval inside the margin) or open.
    more_records / more_seeds: what would settle an open one, where an estimate exists; either alone is enough unless
    `note`, which says it in words, has "together".
    """

    a: str
    b: str
    diff: float
    low: float
    high: float
    p: float
    p_holm: float
    different: bool
    kind: str = "open"
    more_records: int | None = None
    more_seeds: int | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """winners: finalists that no other finalist beats. recommended: the cheapest of them.

    standings: measured arms, best first, then the others. facts: task, kind, up (whether more is better), margin,
    finalists (best first), constant (what an arm says that always says the same), smallest_visible (difference that a
    pair of finalists would show with 80 % power).
    """

    metric: str
    winners: tuple[str, ...]
    recommended: str | None
    standings: tuple[Standing, ...]
    contrasts: tuple[Contrast, ...]
    reason: str
    study: str = ""
    test_opened: int = 0
    unscored: int = 0
    facts: dict = field(default_factory=dict)
    version: int = 1

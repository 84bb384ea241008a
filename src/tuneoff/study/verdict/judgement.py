"""The shape of verdict.json, version 5."""

from dataclasses import dataclass, field

from tuneoff.study.traits import Traits

__all__ = ["Change", "Contrast", "Standing", "Verdict"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing(Traits):
    """One arm, with its traits. mean None: it was not measured on the test set, and `why` says why.

    low / high: 95 % interval of the mean over records and seeds. seed_spread: "included"; "none" where the arm has no
    randomness; "borrowed" where one seed was run and what seeds add is known from like arms; "unknown" where it is
    not, so that the interval covers records alone.
    artifact_mean: the figure of the one seed handed over (best on validation), interval over records; artifact: its
    folder. status: tested, ruled out (by a limit of the study), dropped (by the race), failed, unfinished, not tested,
    not run or unscored; a tested arm's `why` tells of seeds that failed or were not run. unreadable: share of answers
    that could not be read. trials: settings tried. cost: the columns of core/cost.py, means over seeds. axes: figures
    beside quality by name (study/axes/take.py), means over seeds. others: the further metrics' means by name. score:
    quality minus weighted costs, where the study has weights and all these costs are known. training: flat, improving
    or unknown, whether its curve had come to its end (study/outcome.py: Progress), the worst of its tested seeds; empty
    where nothing was trained. more_steps / more_s: about how many more optimiser steps of a seed would tell, and their
    seconds; 0 where flat.
    """

    arm: str
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
    axes: dict = field(default_factory=dict)
    others: dict = field(default_factory=dict)
    score: float | None = None
    training: str = ""
    more_steps: int = 0
    more_s: float = 0.0

    @property
    def unfinished(self) -> bool:
        """Whether more training could make it better: it may win, and has not lost."""
        return self.training in ("improving", "unknown") or (self.trains and self.status == "unfinished")


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """a minus b on the same records. low / high, p: for this pair alone, 95 %, two-sided.

    p_adjusted: over all pairs with a decision; with the best arm in it, that the other one is the best all the same.
    different: p_adjusted < 0.05. kind: different, practically_equal (shown to lie inside the margin) or open; empty:
    shown without a decision of its own. artifact_diff / artifact_p: the two saved files, by the exact test over
    records. more_records / more_seeds: what would settle an open one, where an estimate exists; either alone is
    enough unless `together`. note: the same in words.
    """

    a: str
    b: str
    diff: float
    low: float
    high: float
    p: float
    p_adjusted: float
    different: bool
    kind: str = "open"
    artifact_diff: float | None = None
    artifact_p: float | None = None
    more_records: int | None = None
    more_seeds: int | None = None
    together: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing that would change the recommendation, or might. What a kind has no use for is None or empty.

    kind "evidence": the recommended arm against `arm` is open. gain: how much better `arm` is as measured, below 0
    worse; records / seeds: how many more would settle it (both, where `together`).
    kind "price": while a unit of `axis` is worth from low to high points (nats of a loss; high None: and more), `arm`
    has the highest quality minus price. sure: whether its difference from the recommended arm is settled.
    kind "limit": without the limit `axis`, set at `limit`, `arm` would be recommended.
    kind "dropped": `arm` left the race before the test, and `detail` says why.
    kind "unfinished": the training of `arm` had not come to its end; `detail` says what to type to go on.
    kind "left out": `detail` says what the budget had no room for.
    """

    kind: str
    arm: str = ""
    axis: str = ""
    gain: float | None = None
    records: int | None = None
    seeds: int | None = None
    together: bool = False
    low: float | None = None
    high: float | None = None
    sure: bool = False
    limit: float | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """winners: arms that may be the best one. recommended: the one of them that [decision] prefers.
    answer, reasons, caveats: the verdict in words, a sentence or two each.

    standings: measured arms, best first, then the others. changes: what would change the recommendation. flags: what
    failed in the run that nobody expected, and what was done instead, a sentence each (study/faults.py). facts: task,
    kind, up (whether more is better), margin, compared (the arms, best first), constant (what an arm says that always
    says the same), smallest_visible (difference that a typical pair with the best arm would show with 80 % power),
    decision (the limits and the preference that the study set), unchecked (by limit, the arms that could not be held to
    it), front (arms than which none is better for less, cheapest first), unfinished (arms whose training had not come
    to its end), trials (settings tried, by family and arm), sizes (curves over training records and where they cross,
    study/curve.py), measured_on (model and numbers of records), machine (where times were measured; int8: what 8 bits
    changed, engine/rounding.py), paths (by fast path, why it was not taken; "" where it was, engine/capabilities.py).
    """

    metric: str
    winners: tuple[str, ...]
    recommended: str | None
    standings: tuple[Standing, ...]
    contrasts: tuple[Contrast, ...]
    answer: str
    reasons: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    study: str = ""
    test_opened: int = 0
    unscored: int = 0
    flags: tuple[str, ...] = ()
    facts: dict = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    version: int = 5

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Arms that have not lost, whatever their figures."""
        return tuple(self.facts.get("unfinished", ()))

    @property
    def so_far(self) -> bool:
        """Whether the recommendation may change with more training alone, which can make an arm only better."""
        return any(name != self.recommended for name in self.unfinished)

    @property
    def reason(self) -> str:
        """The whole verdict in words, as one text."""
        return " ".join([self.answer, *self.reasons, *self.caveats])

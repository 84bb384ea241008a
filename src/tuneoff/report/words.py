"""Numbers as people read them: 4.9 M, 3 min 20 s, 18 MB, 81.3 %. None is a dash, because unknown is not zero."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tuneoff.study.verdict.judgement import Contrast, Verdict
from tuneoff.study.verdict.phrases import amount, title

__all__ = [
    "CHOSEN",
    "COSTS",
    "CostWords",
    "Measure",
    "chooses",
    "count",
    "kind",
    "marks",
    "probability",
    "rounded",
    "says",
    "seconds",
    "size",
    "tried",
]

DASH = "-"
SHORT_S = 0.1


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric as people read it: scores in per cent and their differences in points, losses in nats."""

    metric: str
    up: bool

    @property
    def title(self) -> str:
        return title(self.metric)

    @property
    def unit(self) -> str:
        return " %" if self.up else " nats"

    @property
    def difference_unit(self) -> str:
        return "points" if self.up else "nats"

    @property
    def better(self) -> str:
        return "more is better" if self.up else "less is better"

    def shown(self, value: float | None) -> float | None:
        """The number to put on an axis."""
        return 100 * value if self.up and value is not None else value

    def figure(self, value: float | None) -> str:
        return DASH if value is None else amount(value, self.up)

    def interval(self, low: float | None, high: float | None) -> str:
        if low is None or high is None:
            return DASH
        return f"{self._bare(low)} to {self._bare(high)}{' %' if self.up else ''}"

    def difference(self, value: float) -> str:
        return f"{self.shown(value):+.1f}" if self.up else f"{value:+.3f}"

    def between(self, low: float, high: float) -> str:
        return f"{self.difference(low)} to {self.difference(high)}"

    def _bare(self, value: float) -> str:
        return f"{100 * value:.1f}" if self.up else f"{value:.3f}"


def probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(value: float | None) -> str:
    """How many, in three figures: 921 600 is 922 k."""
    return _scaled(value, ("", " k", " M", " G"))


def size(value: float | None) -> str:
    """Bytes, in powers of 1000; what leaves no file behind has none."""
    if value == 0:
        return "none"
    return _scaled(value, (" B", " kB", " MB", " GB", " TB"))


def seconds(value: float | None) -> str:
    if value is None:
        return DASH
    if value < SHORT_S:
        return f"< {SHORT_S} s" if value else "0 s"
    if value < 60:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _scaled(value: float | None, units: tuple[str, ...]) -> str:
    if value is None:
        return DASH
    at = 0
    while abs(value) >= 999.5 and at < len(units) - 1:
        value, at = value / 1000, at + 1
    return f"{value:.3g}{units[at]}"


@dataclass(frozen=True, slots=True)
class CostWords:
    """One cost column of core/cost.py. short: the head of a terminal's column, two lines."""

    title: str
    short: str
    write: Callable[[float | None], str]


COSTS = {
    "trainable": CostWords("trainable parameters", "trainable\nparameters", count),
    "train_s": CostWords("training time", "training\ntime", seconds),
    "prompt_tokens": CostWords("prompt tokens per request", "prompt\ntokens", count),
    "artifact_bytes": CostWords("artifact size", "artifact\nsize", size),
    "peak_bytes": CostWords("peak memory in training", "peak\nmemory", size),
}

CHOSEN = {"serving": "prompt_tokens", "artifact": "artifact_bytes", "training": "train_s"}
"the cost column of the cost that a study puts first"
LEAST = {
    "prompt_tokens": "fewest prompt tokens per request",
    "artifact_bytes": "the smallest artifact",
    "train_s": "the shortest training",
}


def marks(verdict: Verdict) -> dict[str, str]:
    """What each mark of an arm means, under the preference of a study."""
    decision, so_far = verdict.facts["decision"], " so far" if verdict.unfinished else ""
    pick = "recommended so far" if verdict.so_far else "recommended"
    return {
        "recommended": f"{pick}: {chooses(decision)}",
        "winner": "may be the best: it is not ruled out",
        "tested": f"ruled out as the best{so_far}",
        "out": "no test figure",
    }


def chooses(decision: Mapping) -> str:
    """What settles the choice between arms that may be the best."""
    if decision["weights"]:
        return "the highest score of those that may be the best: quality minus its costs, as the study weighs them"
    if decision["prefer"] == "best":
        return "the best mean"
    first = CHOSEN[decision["cost"]]
    least = [LEAST[first], *(words for column, words in LEAST.items() if column != first)]
    return f"the best mean, or what is as good for less: {least[0]}, then {least[1]}, then {least[2]}"


def tried(trials: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Settings tried, one text a family: prompting 4 (zero_shot 1, few_shot 3)."""
    return [
        f"{family} {sum(arms.values())} ({', '.join(f'{arm} {number}' for arm, number in arms.items())})"
        for family, arms in trials.items()
    ]


def rounded(int8: Mapping | None) -> list[str]:
    """What a training in 8 bits changed, where there was one."""
    if not int8:
        return []
    told = f"a right answer's log-probability moved by {int8['nats']:.2g} nats, a gradient by {int8['gradient']:.0%}"
    speed = f"a step ran {int8['speed']:.2g} times as fast"
    return [f"trained in 8 bits (on {int8['records']} records {told} of its length; {speed}), judged in float32"]


KINDS = {"different": "different", "practically_equal": "practically equal", "open": "open", "": "not decided"}


def kind(contrast: Contrast) -> str:
    """What a contrast amounts to, in a word."""
    return KINDS["different" if contrast.different else contrast.kind]


def says(contrast: Contrast) -> str:
    """What a contrast amounts to, and what would settle it where it is open."""
    return f"{kind(contrast)}: {contrast.note}" if contrast.note else kind(contrast)

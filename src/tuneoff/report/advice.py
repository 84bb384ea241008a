"""Advice before training in words: what was measured, one line a figure, and the recommendation with its reasons.

    task uniqueness    few_shot: accuracy 45 % (95 % interval 33 to 57 %, n 64); +2 points over always saying the same

Plain texts, for whatever paints them.
"""

from tuneoff.report.words import count, seconds, size
from tuneoff.study.advice.advice import Advice
from tuneoff.study.advice.factors import Alignment, Compared, Control, Estimate, Factors, Prompted, Quantity, Uniqueness
from tuneoff.study.advice.opinion import Opinion, per_cent
from tuneoff.study.verdict.phrases import title

__all__ = ["factor_lines", "order_lines", "reason_lines"]


def factor_lines(advice: Advice) -> dict[str, list[str]]:
    """{factor: its figures}"""
    f = advice.factors
    return {
        "data alignment": _alignment(f.alignment),
        "task uniqueness": _uniqueness(f.uniqueness),
        "data quantity": _quantity(f.quantity),
        "compute": _compute(f),
        "limits": _control(f.control),
    }


def order_lines(opinion: Opinion) -> list[str]:
    """The families, the most promising first, then those that are ruled out."""
    lines = []
    for place, ranked in enumerate(opinion.order, start=1):
        absent = "" if ranked.in_study else ", not in this study"
        lines.append(f"{place}. {ranked.family} ({ranked.weight:+d}{absent})")
    return lines + [f"-  {family}: {why}" for family, why in opinion.ruled_out.items()]


def reason_lines(opinion: Opinion) -> list[str]:
    """What speaks for and against, each with its source; families that one reason touches stand together."""
    found: dict[tuple[str, str], list[str]] = {}
    for lean in opinion.leanings:
        found.setdefault((lean.reason, lean.source), []).append(f"{lean.family} {lean.weight:+d}")
    lines = [f"{', '.join(touched)}: {reason} [{source}]" for (reason, source), touched in found.items()]
    return lines + [f"{remark.reason} [{remark.source}]" for remark in opinion.remarks]


def _alignment(a: Alignment) -> list[str]:
    pairs = (("inputs", a.inputs), ("answers, given the inputs", a.answers))
    return [_compared(name, both) for name, both in pairs if both is not None]


def _compared(name: str, both: Compared) -> str:
    return f"{name}: {_bits(both.own)}; general text in pieces as long: {_bits(both.general)}"


def _bits(e: Estimate) -> str:
    span = "" if e.low is None or e.high is None else f"95 % interval {e.low:.2f} to {e.high:.2f}, "
    return f"{e.value:.2f} bits per byte ({span}n {e.n})"


def _uniqueness(u: Uniqueness) -> list[str]:
    lines = [] if u.chance is None else [f"chance {100 * u.chance:.0f} %; {_baselines(u)}"]
    return lines + [_prompted(prompt, u) for prompt in u.prompts]


def _baselines(u: Uniqueness) -> str:
    words = "" if u.words is None else f"; a TF-IDF classifier {per_cent(u.words)}"
    return f"always saying {u.majority_label!r} {per_cent(u.majority)}{words}"


def _prompted(prompt: Prompted, u: Uniqueness) -> str:
    leads = [("over always saying the same", prompt.over_majority), ("over the classifier", prompt.over_words)]
    told = [f"; {_points(lead)} {name}" for name, lead in leads if lead is not None]
    return f"{prompt.arm}: {title(u.metric)} {per_cent(prompt.score)}{''.join(told)}"


def _points(e: Estimate) -> str:
    span = "" if e.low is None or e.high is None else f" ({100 * e.low:+.0f} to {100 * e.high:+.0f})"
    return f"{100 * e.value:+.0f} points{span}"


def _quantity(q: Quantity) -> list[str]:
    gone = f", {q.duplicates:,} duplicates removed before" if q.duplicates else ""
    if not q.classes:
        return [f"{q.records:,} training records{gone}"]
    lines = [
        f"{q.records:,} training records{gone}; {q.classes} classes, {q.per_class:.0f} records per class, the smallest "
        f"{q.smallest_label!r} with {q.smallest}"
    ]
    if q.curve:
        points = ", ".join(f"{per_cent(point.score)} after {point.records:,}" for point in q.curve)
        lines.append(f"a TF-IDF classifier learns: {points}")
    if q.rise is not None:
        lines.append(f"from half of them to all: {_points(q.rise)}, {_rising(q.rise)}")
    return lines


def _rising(rise: Estimate) -> str:
    return "still rising" if rise.above_zero else "not shown to rise any more"


def _compute(f: Factors) -> list[str]:
    model = f"a model of {count(f.parameters)} parameters"
    if f.compute is None:
        return [f"{model}; time is forecast by the run"]
    c = f.compute
    peak = f", peak memory {size(c.peak_bytes)}" if c.peak_bytes else ""
    arms = ", ".join(f"{arm} {seconds(took)}" for arm, took in c.arms.items())
    whole = f"the study takes {seconds(c.best_s)} at best, {seconds(c.worst_s)} at worst{peak}"
    return [f"{model}; {whole}", *([f"one job of each arm: {arms}"] if arms else [])]


def _control(c: Control) -> list[str]:
    lines = [f"{', '.join(c.ruled_out)}: left out, no_weights_access is set"] if c.ruled_out else []
    lines += [f"{limit}: checked for each arm once it is measured" for limit in c.later]
    return lines or ["none set under [decision]"]

"""Figures of a verdict as its sentences write them: 83.2 %, 6.1 points, 95 % interval, how far one arm leads another.

Scores are in per cent and their differences in points; losses in nats.
"""

from typing import NamedTuple

from tuneoff.study.verdict.judgement import Contrast, Standing, Verdict

__all__ = [
    "Lead",
    "amount",
    "bare",
    "figure",
    "gap",
    "join",
    "lead_of",
    "measure",
    "more_is_better",
    "odds",
    "price_of",
    "row_of",
    "sentence",
    "tested_rows",
    "title",
    "turned",
    "with_interval",
]

TITLES = {"macro_f1": "macro F1", "token_f1": "token F1", "rouge_l": "ROUGE-L", "chrf": "chrF", "nll": "loss"}


class Lead(NamedTuple):
    """How much better x is than y; below 0: worse."""

    by: float
    low: float
    high: float
    contrast: Contrast


def title(metric: str) -> str:
    """A metric's name as a person writes it."""
    return TITLES.get(metric, metric.replace("_", " "))


def amount(value: float, up: bool) -> str:
    """A figure: 83.2 % of a score, 0.412 nats of a loss."""
    return f"{100 * value:.1f} %" if up else f"{value:.3f} nats"


def gap(value: float, up: bool) -> str:
    """A difference of two figures: 6.1 points, 0.051 nats."""
    return f"{bare(value, up)} points" if up else f"{bare(value, up)} nats"


def lead_of(verdict: Verdict, x: str, y: str) -> Lead:
    """How much better x is than y, whichever way round the contrast stands and whichever way the metric counts."""
    row = next(row for row in verdict.contrasts if {row.a, row.b} == {x, y})
    lead = Lead(row.diff, row.low, row.high, row)
    return lead if (row.a == x) == more_is_better(verdict) else turned(lead)


def turned(lead: Lead) -> Lead:
    return Lead(-lead.by, -lead.high, -lead.low, lead.contrast)


def measure(verdict: Verdict, lead: Lead) -> str:
    up = more_is_better(verdict)
    return f"{gap(lead.by, up)} (95 % interval {bare(lead.low, up)} to {bare(lead.high, up)})"


def odds(lead: Lead) -> str:
    """That x is the better one, before anything else is known: 97 to 3."""
    chance = lead.contrast.p / 2 if lead.by < 0 else 1 - lead.contrast.p / 2
    sure = round(100 * chance)
    return f"{sure} to {100 - sure}" if 0 < sure < 100 else "more than 99 to 1" if sure else "less than 1 to 99"


def with_interval(verdict: Verdict, name: str) -> str:
    row, up = row_of(verdict, name), more_is_better(verdict)
    return f"{amount(row.mean, up)} (95 % interval {bare(row.low, up)} to {amount(row.high, up)})"


def figure(verdict: Verdict, name: str) -> str:
    return amount(row_of(verdict, name).mean, more_is_better(verdict))


def bare(value: float, up: bool) -> str:
    """Without "-0.0"."""
    text = f"{100 * value:.1f}" if up else f"{value:.3f}"
    return text.lstrip("-") if float(text) == 0 else text


def price_of(row: Standing, first: str) -> str:
    """An arm's costs, the one that counts first before the others."""
    tokens, size, seconds = (row.cost.get(key) for key in ("prompt_tokens", "artifact_bytes", "train_s"))
    what = "of training" if row.tuned else "to prepare"
    parts = {
        "serving": "prompt tokens unknown" if tokens is None else f"{tokens:.0f} prompt tokens a request",
        "artifact": f"{_bytes(size)} to keep" if size else "",
        "training": f"{seconds:.0f} s {what}" if seconds else "",
    }
    return ", ".join(part for part in (parts.pop(first) or f"no {first}", *parts.values()) if part)


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def row_of(verdict: Verdict, name: str) -> Standing:
    return next(row for row in verdict.standings if row.arm == name)


def tested_rows(verdict: Verdict) -> list[Standing]:
    return [row for row in verdict.standings if row.mean is not None]


def more_is_better(verdict: Verdict) -> bool:
    return verdict.facts["up"]


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def join(*parts: str) -> str:
    return " ".join(part for part in parts if part)

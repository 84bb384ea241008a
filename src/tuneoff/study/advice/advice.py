"""Advice before training: the measured factors and a first opinion; and afterwards, where the opinion was wrong.

    runs/tickets/advice.json    factors, opinion, the ground that they were measured on

    compare_opinion(advice, verdict)
    ["The rules recommended prompt tuning. That was wrong: lora (parameter-efficient fine-tuning) is 9.1 points ahead
      of soft_prompt_after, the best of it.", ...]

All here is pure: figures in, words out. study/advice/adviser.py measures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tuneoff.core.errors import StudyError
from tuneoff.core.files import write_text
from tuneoff.study.advice.factors import Factors, Prompted
from tuneoff.study.advice.opinion import Leaning, Opinion, first_opinion, per_cent
from tuneoff.study.verdict.judgement import Standing, Verdict
from tuneoff.study.verdict.phrases import amount, gap

__all__ = ["ADVICE", "Advice", "advise", "compare_opinion", "read_advice", "write_advice"]

ADVICE = "advice.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """ground: model, data and task that it was measured on, hashed. seconds: what measuring took."""

    factors: Factors
    opinion: Opinion
    ground: str = ""
    seconds: float = 0.0
    version: int = 1


def advise(factors: Factors, ground: str = "", seconds: float = 0.0) -> Advice:
    """The opinion on measured figures."""
    return Advice(factors=factors, opinion=first_opinion(factors), ground=ground, seconds=seconds)


def write_advice(advice: Advice, path: Path) -> None:
    """advice.json, whole or not at all."""
    write_text(path, TypeAdapter(Advice).dump_json(advice, indent=2).decode() + "\n")


def read_advice(path: Path) -> Advice | None:
    """The advice that write_advice wrote; None where there is none. Raises StudyError where it cannot be read."""
    if not path.is_file():
        return None
    try:
        return TypeAdapter(Advice).validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        found = str(error).splitlines()[0]
        raise StudyError("the advice cannot be read", where=path, found=found, fix="remove that file") from None


def compare_opinion(advice: Advice, verdict: Verdict) -> list[str]:
    """Where the first opinion was right and where it was wrong: sentences, what matters most first.

    A family holds where one of its arms is among the verdict's winners.
    """
    best = _best_by_family(verdict)
    if not best:
        return []
    first = _of_the_first(advice.opinion.first, verdict, best)
    return [first, *_of_the_leanings(advice.opinion, verdict, best), *_of_the_samples(advice, verdict)]


def _best_by_family(verdict: Verdict) -> dict[str, Standing]:
    """Of each judged family the arm to speak of: a winner before others, then the best figure. Best family first."""
    judged = [row for row in verdict.standings if row.mean is not None]
    sign = -1 if verdict.facts["up"] else 1
    judged.sort(key=lambda row: (row.arm not in verdict.winners, sign * row.mean))
    best: dict[str, Standing] = {}
    for row in judged:
        best.setdefault(row.family, row)
    return best


def _of_the_first(family: str | None, verdict: Verdict, best: Mapping[str, Standing]) -> str:
    if family is None:
        return "The rules recommended no family of this study."
    if family not in best:
        return f"The rules recommended {family}; none of its arms was tested."
    own, top = best[family], next(iter(best.values()))
    rivals = [row for other, row in best.items() if other != family and row.arm in verdict.winners]
    if own.arm not in verdict.winners:
        if own.unfinished:
            behind = f"{_gap(verdict, top, own)} behind {top.arm} ({top.family}) so far"
            return f"The rules recommended {family}. That is open: {own.arm} had not come to its end, and is {behind}."
        ahead = f"{top.arm} ({top.family}) is {_gap(verdict, top, own)} ahead of {own.arm}, the best of it"
        return f"The rules recommended {family}. That was wrong: {ahead}."
    if not rivals:
        return f"The rules recommended {family}. That was right: {own.arm} has {_figure(verdict, own)}."
    if own is top:
        return (
            f"The rules recommended {family}: {own.arm} has the best figure ({_figure(verdict, own)}), but "
            f"{_named(verdict, rivals)} may be as good."
        )
    return (
        f"The rules recommended {family}. That is open: {own.arm} ({_figure(verdict, own)}) is not shown to be worse "
        f"than {top.arm} ({top.family}), which is {_gap(verdict, top, own)} ahead."
    )


def _of_the_leanings(opinion: Opinion, verdict: Verdict, best: Mapping[str, Standing]) -> list[str]:
    """How many held, and each that did not. An arm that is unfinished and behind says nothing of either yet."""
    told = {family for family, row in best.items() if row.arm in verdict.winners or not row.unfinished}
    checked = [lean for lean in opinion.leanings if lean.weight and lean.family in told]
    failed = [lean for lean in checked if (lean.weight > 0) != (best[lean.family].arm in verdict.winners)]
    if not checked:
        return []
    held = f"{len(checked) - len(failed)} of {len(checked)}"
    held += " votes were right: for a family that ties for best, or against one that is beaten"
    return [f"{held}.", *(_failure(lean, verdict, best) for lean in failed)]


def _failure(lean: Leaning, verdict: Verdict, best: Mapping[str, Standing]) -> str:
    row = best[lean.family]
    if lean.weight < 0:
        return f"Wrong: against {lean.family} ({lean.reason}); nothing beats {row.arm} ({_figure(verdict, row)})."
    top = next(iter(best.values()))
    told = f"{row.arm}, the best of it, is {_gap(verdict, top, row)} behind {top.arm}"
    return f"Wrong: for {lean.family} ({lean.reason}); {told}."


def _of_the_samples(advice: Advice, verdict: Verdict) -> list[str]:
    """Prompts whose test figure lies outside what the small sample had allowed."""
    asked = advice.factors.uniqueness
    if asked.metric != verdict.metric:
        return []
    rows = {row.arm: row for row in verdict.standings if row.mean is not None}
    return [
        f"{prompt.arm} had {per_cent(prompt.score)} before training and {_figure(verdict, rows[prompt.arm])} on the "
        "test set: the sample misled."
        for prompt in asked.prompts
        if prompt.arm in rows and _outside(prompt, rows[prompt.arm].mean)
    ]


def _outside(prompt: Prompted, mean: float) -> bool:
    low, high = prompt.score.low, prompt.score.high
    return low is not None and high is not None and not low <= mean <= high


def _gap(verdict: Verdict, better: Standing, worse: Standing) -> str:
    return gap(abs(better.mean - worse.mean), verdict.facts["up"])


def _figure(verdict: Verdict, row: Standing) -> str:
    return amount(row.mean, verdict.facts["up"])


def _named(verdict: Verdict, rows: Sequence[Standing]) -> str:
    listed = [f"{row.arm} ({row.family}, {_figure(verdict, row)})" for row in rows]
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)

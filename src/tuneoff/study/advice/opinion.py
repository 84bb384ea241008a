"""The first opinion: a table of rules, each a condition on measured figures that leans to or from a family.

    prompts near nothing    the best prompt hardly beats the most frequent label    prompting -2
    words are enough        a TF-IDF classifier has 90 % or more                    baseline +2

The weights of the rules that fire are added up by family, and equal sums stand in the order of cost. It is an opinion:
the thresholds are ours unless a source is named, and compare_opinion (advice.py) tells afterwards what came of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tuneoff.study.advice.factors import Estimate, Factors

__all__ = ["FAMILIES", "RULES", "Leaning", "Opinion", "Ranked", "Rule", "first_opinion", "per_cent"]

BASELINE, PROMPTING, PROBING, PROMPT_TUNING = "baseline", "prompting", "probing", "prompt tuning"
PEFT, INSTRUCTION, FULL = "parameter-efficient fine-tuning", "instruction tuning", "full fine-tuning"
FAMILIES = (BASELINE, PROMPTING, PROBING, PROMPT_TUNING, PEFT, INSTRUCTION, FULL)
"cheapest first: equal leanings stand in this order"
CHOOSING = (BASELINE, PROBING)
"they choose among labels, and write nothing"

ENOUGH = 0.9  # a score from which on there is little left to gain
NEAR = 0.05  # a lead that is hardly one
WEAK_TEXT = 0.3  # token F1 below which an answer shares little more than small words with the wanted one
FOREIGN = 1.25  # times the bits per byte of general text
FEW_PER_CLASS, FEW_RECORDS, MANY_RECORDS = 16, 200, 10_000
SMALL_MODEL, LARGE_MODEL = 1e9, 1e10
FLAT = 0.02  # a classifier that gains less from twice the records has nearly all that they can give it

OWN = "an opinion of ours, without a source"


@dataclass(frozen=True, slots=True)
class Leaning:
    """What one rule says of one family. weight: -2 to 2; above 0 speaks for it. family "": a remark for no family."""

    rule: str
    family: str
    weight: int
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """A family with the sum of its leanings. in_study: whether an arm of it races."""

    family: str
    weight: int
    in_study: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """order: families, the most promising first. ruled_out: those that are not in it, with the reason."""

    order: tuple[Ranked, ...]
    leanings: tuple[Leaning, ...]
    remarks: tuple[Leaning, ...] = ()
    ruled_out: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str | None:
        """The most promising family of those that race."""
        return next((ranked.family for ranked in self.order if ranked.in_study), None)


class Said(NamedTuple):
    """What a rule that fires says: why, and how much that speaks for each family (none: a remark)."""

    reason: str
    weights: Mapping[str, int]


class Rule(NamedTuple):
    name: str
    source: str
    look: Callable[[Factors], Said | None]


def first_opinion(factors: Factors) -> Opinion:
    """Ask every rule, and add up."""
    found = list(_leanings(factors))
    sums = {family: sum(lean.weight for lean in found if lean.family == family) for family in FAMILIES}
    if factors.kind != "choice":
        sums = {family: total for family, total in sums.items() if family not in CHOOSING}
    left = [family for family in sums if family not in factors.control.ruled_out]
    racing = set(factors.families.values())
    return Opinion(
        order=tuple(Ranked(each, sums[each], each in racing) for each in sorted(left, key=lambda f: -sums[f])),
        leanings=tuple(lean for lean in found if lean.family in left),
        remarks=tuple(lean for lean in found if not lean.family),
        ruled_out=dict(factors.control.ruled_out),
    )


def per_cent(e: Estimate, n: bool = True) -> str:
    """26 % (95 % interval 17 to 38 %, n 64)"""
    if e.low is None or e.high is None:
        return f"{100 * e.value:.0f} % (n {e.n})"
    return f"{100 * e.value:.0f} % (95 % interval {100 * e.low:.0f} to {100 * e.high:.0f} %{f', n {e.n}' if n else ''})"


def _leanings(factors: Factors) -> Iterable[Leaning]:
    for rule in RULES:
        said = rule.look(factors)
        if said is not None:
            for family, weight in (said.weights or {"": 0}).items():
                yield Leaning(rule.name, family, weight, said.reason, rule.source)


def _record_so_far(f: Factors) -> Said:
    return Said(
        "in three studies of 135 M and 270 M parameter models a low-rank update had the highest test score", {PEFT: 1}
    )


def _prompts_near_nothing(f: Factors) -> Said | None:
    best, share = f.uniqueness.best, f.uniqueness.majority
    if best is None or share is None or not _near_zero(best.over_majority):
        return None
    chance = f"chance {100 * f.uniqueness.chance:.0f} %"
    always = f"always saying {f.uniqueness.majority_label!r} ({per_cent(share)}; {chance})"
    reason = f"the best prompt, {best.arm}, has {per_cent(best.score)} and is not shown to beat {always}"
    return Said(f"{reason}: prompting alone is unlikely to do", {PROMPTING: -2})


def _prompts_are_enough(f: Factors) -> Said | None:
    best = f.uniqueness.best
    if best is None or best.score.value < ENOUGH:
        return None
    reason = f"{best.arm} already reaches {per_cent(best.score)}: training has little left to gain"
    return Said(reason, {PROMPTING: 2})


def _the_model_knows(f: Factors) -> Said | None:
    best = f.uniqueness.best
    if best is None or best.over_words is None or not best.over_words.above_zero:
        return None
    reason = (
        f"{best.arm} beats a classifier of words by {_points(best.over_words)}: the model knows the task already, and "
        "a prompt, typed or learned, can bring it out"
    )
    return Said(reason, {PROMPTING: 1, PROMPT_TUNING: 1})


def _answers_miss(f: Factors) -> Said | None:
    best = f.uniqueness.best
    if f.kind == "choice" or best is None or best.score.high is None or best.score.high >= WEAK_TEXT:
        return None
    reason = f"the best prompt, {best.arm}, shares few words with the wanted answers: token F1 {per_cent(best.score)}"
    return Said(reason, {PROMPTING: -1})


def _words_are_enough(f: Factors) -> Said | None:
    words, rise = f.uniqueness.words, f.quantity.rise
    if words is None or words.value < ENOUGH:
        return None
    rising = " and still rises with more records" if rise is not None and rise.above_zero else ""
    reason = f"a TF-IDF classifier already reaches {per_cent(words)}{rising}: a language model may not pay"
    return Said(reason, {BASELINE: 2})


def _words_near_nothing(f: Factors) -> Said | None:
    over, words = f.uniqueness.words_over_majority, f.uniqueness.words
    if over is None or not _near_zero(over):
        return None
    reason = f"a TF-IDF classifier has {per_cent(words)} and is not shown to beat the most frequent label"
    return Said(f"{reason}: words alone do not tell the answer", {BASELINE: -2})


def _few_per_class(f: Factors) -> Said | None:
    per_class = f.quantity.per_class
    if not f.quantity.classes or per_class >= FEW_PER_CLASS:
        return None
    reason = f"few records per class ({per_class:.0f}): demonstrations or a small update before full fine-tuning"
    return Said(reason, {PEFT: 1, FULL: -1})


def _few_for_soft_prompts(f: Factors) -> Said | None:
    if f.quantity.records >= FEW_RECORDS:
        return None
    return Said(f"{f.quantity.records} training records: soft prompts learn slowly from few", {PROMPT_TUNING: -1})


def _many_records(f: Factors) -> Said | None:
    if f.quantity.records < MANY_RECORDS:
        return None
    return Said(f"{f.quantity.records:,} training records: enough for all weights to learn from", {FULL: 1})


def _model_size(f: Factors) -> Said | None:
    if SMALL_MODEL <= f.parameters < LARGE_MODEL:
        return None
    size = f"the model has {f.parameters / 1e6:,.0f} M parameters: "
    if f.parameters < SMALL_MODEL:
        return Said(f"{size}soft prompts stay behind other tuning on models below some billions", {PROMPT_TUNING: -1})
    return Said(f"{size}soft prompts come up to tuning all weights at that size", {PROMPT_TUNING: 1})


def _answers_are_new(f: Factors) -> Said | None:
    answers = f.alignment.answers
    if f.kind == "choice" or answers is None or not answers.surplus.above_zero:
        return None
    reason = f"{_against('answers cost', answers)}: their style or knowledge is new to the model, so tuning pays"
    return Said(reason, {PEFT: 1, FULL: 1, PROMPTING: -1})


def _answers_are_known(f: Factors) -> Said | None:
    answers = f.alignment.answers
    if f.kind == "choice" or answers is None or not answers.surplus.below_zero:
        return None
    return Said(f"{_against('answers cost', answers)}: the model says such things already", {PROMPTING: 1})


def _inputs_are_foreign(f: Factors) -> Said | None:
    inputs = f.alignment.inputs
    if inputs is None or not inputs.surplus.above_zero or inputs.own.value < FOREIGN * inputs.general.value:
        return None
    reason = f"{_against('inputs cost', inputs)}: their language is far from what the model was trained on"
    return Said(reason, {PEFT: 1, FULL: 1})


def _more_records_help(f: Factors) -> Said | None:
    rise = f.quantity.rise
    if rise is None or not rise.above_zero:
        return None
    return Said(f"a classifier of words still gains {_points(rise)} from twice the records: so may all arms", {})


def _more_records_do_not_help(f: Factors) -> Said | None:
    rise = f.quantity.rise
    if rise is None or rise.high is None or rise.high >= FLAT:
        return None
    return Said(f"a classifier of words gains {_points(rise)} from twice the records: it has what it can learn", {})


def _dearest(f: Factors) -> Said | None:
    if f.compute is None or not f.compute.arms:
        return None
    arm, seconds = max(f.compute.arms.items(), key=lambda pair: pair[1])
    share = seconds / max(sum(f.compute.arms.values()), 1e-9)
    if share <= 0.5 or len(f.compute.arms) < 2:
        return None
    return Said(f"one job of {arm} takes longer than one of every other arm together ({100 * share:.0f} %)", {})


def _near_zero(lead: Estimate) -> bool:
    """Not shown to be a lead, and a small one as measured: a large one that few records do not show says nothing."""
    return not lead.above_zero and lead.value < NEAR


def _points(e: Estimate) -> str:
    span = "" if e.low is None else f" (95 % interval {100 * e.low:.0f} to {100 * e.high:.0f})"
    return f"{100 * e.value:.1f} points{span}"


def _against(what: str, compared) -> str:
    own, general = compared.own, compared.general
    return f"{what} {own.value:.2f} bits per byte, against {general.value:.2f} of general text in pieces as long"


RULES = (
    Rule("record so far", "studies/*/verdict.json: three studies of choices, models of 135 M and 270 M parameters",
         _record_so_far),
    Rule("prompts near nothing", "studies/emotion/verdict.json: such prompts stayed 30 points behind a low-rank update",
         _prompts_near_nothing),
    Rule("prompts are enough", OWN, _prompts_are_enough),
    Rule("the model knows", "Petrov et al. 2023, arXiv 2310.19698: prefixes bring out what is there, and teach little",
         _the_model_knows),
    Rule("answers miss", OWN, _answers_miss),
    Rule("words are enough", "studies/bitext/verdict.json: at 97 %, no arm was shown to beat the words",
         _words_are_enough),
    Rule("words near nothing", "studies/emotion_gemma/verdict.json: words stayed at the most frequent label's share",
         _words_near_nothing),
    Rule("few per class", "Liu et al. 2022 (T-Few, IA3), arXiv 2205.05638: a small update beat demonstrations and all "
         "weights at 20 to 70 records", _few_per_class),
    Rule("few for soft prompts", "Gu et al. 2022 (PPT), arXiv 2109.04332: prompt tuning is far behind with few records",
         _few_for_soft_prompts),
    Rule("many records", "He et al. 2022, arXiv 2110.04366: small updates fall behind where records are many",
         _many_records),
    Rule("model size", "Lester et al. 2021, arXiv 2104.08691, figure 1", _model_size),
    Rule("answers are new", OWN, _answers_are_new),
    Rule("answers are known", OWN, _answers_are_known),
    Rule("inputs are foreign", "Gururangan et al. 2020, arXiv 2004.10964: the farther the domain, the more training "
         "on it gave", _inputs_are_foreign),
    Rule("more records help", OWN, _more_records_help),
    Rule("more records do not help", OWN, _more_records_do_not_help),
    Rule("dearest arm", OWN, _dearest),
)  # fmt: skip

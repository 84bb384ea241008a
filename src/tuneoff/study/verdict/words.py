"""The verdict in plain words, made from its figures alone: the answer, its reasons, then what they do not cover.

    answer     lora wins: accuracy 83.2 % (95 % interval 79.0 to 87.4 %). It is better than few_shot, the next best, ...
    reasons    Tuning pays.    Recommended: lora. No other arm matches it.
    caveats    Measured on 400 test records with 3 seeds of every arm that has randomness.

Scores are in per cent and their differences in points; losses in nats.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import NamedTuple

from tuneoff.stats.decide import FINALISTS
from tuneoff.study.verdict.judgement import Contrast, Standing, Verdict
from tuneoff.study.verdict.settling import listed

__all__ = ["Words", "amount", "gap", "title", "words"]

STATUS = {"ruled out": "over a limit", "dropped": "stopped early"}
TITLES = {"macro_f1": "macro F1", "token_f1": "token F1", "rouge_l": "ROUGE-L", "chrf": "chrF", "nll": "loss"}


class Lead(NamedTuple):
    """How much better x is than y; below 0: worse."""

    by: float
    low: float
    high: float
    contrast: Contrast


class Words(NamedTuple):
    """One or two sentences each."""

    answer: str
    reasons: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


def words(verdict: Verdict) -> Words:
    """All that is said of a verdict."""
    tested = _tested(verdict)
    if not tested:
        return Words(_nothing_tested(verdict), (), _said(_others(verdict)))
    caveats = _said([*_evidence(verdict), *_others(verdict)])
    if len(verdict.facts["finalists"]) == 1:
        return Words(_alone(verdict, tested[0]), (), caveats)
    answer, found = _ring(verdict), []
    if _baseline_winner(verdict):
        answer, found = _nothing_better(verdict), [_best_with_a_model(verdict)]
    elif verdict.winners:
        answer, found = _headline(verdict), [_tuning(verdict), _over_baselines(verdict)]
    choice = [_advice(verdict), _passed_over(verdict), _training(verdict)]
    return Words(answer, _said([*choice, *found, _below_constant(verdict)]), caveats)


def _said(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for part in parts if part)


def title(metric: str) -> str:
    """A metric's name as a person writes it."""
    return TITLES.get(metric, metric.replace("_", " "))


def amount(value: float, up: bool) -> str:
    """A figure: 83.2 % of a score, 0.412 nats of a loss."""
    return f"{100 * value:.1f} %" if up else f"{value:.3f} nats"


def gap(value: float, up: bool) -> str:
    """A difference of two figures: 6.1 points, 0.051 nats."""
    return f"{_bare(value, up)} points" if up else f"{_bare(value, up)} nats"


def _headline(verdict: Verdict) -> str:
    names = verdict.winners
    if len(names) == 1:
        return _sole_winner(verdict)
    tied = listed([f"{name} ({_figure(verdict, name)})" for name in names])
    pairs = [(a, b, _lead(verdict, a, b)) for a, b in combinations(names, 2)]
    unclear = next((pair for pair in pairs if pair[2].contrast.kind == "open"), None)
    if unclear is None:
        margin = gap(verdict.facts["margin"], _up(verdict))
        return f"{tied} are practically equal on {title(verdict.metric)}: no difference goes beyond {margin}."
    a, b, lead = unclear
    pair = "the difference is" if len(names) == 2 else f"between {a} and {b} the difference is"
    more = f" {_sentence(lead.contrast.note)}" if lead.contrast.note else ""
    return f"{tied} are too close to call on {title(verdict.metric)}: {pair} {_measure(verdict, lead)}.{more}"


def _ring(verdict: Verdict) -> str:
    """Arms with unlike seeds are compared on those that pair, so each may be beaten by another."""
    names = listed(verdict.facts["finalists"])
    return f"No arm comes out ahead: each of {names} is beaten by another, on seeds that differ from pair to pair."


def _sole_winner(verdict: Verdict) -> str:
    name = verdict.winners[0]
    second = next(arm for arm in verdict.facts["finalists"] if arm != name)
    lead = _lead(verdict, name, second)
    return (
        f"{_introduced(verdict, name)} wins: {title(verdict.metric)} {_with_interval(verdict, name)}. "
        f"It is better than {second}, the next best, by {_measure(verdict, lead)}."
    )


def _introduced(verdict: Verdict, name: str) -> str:
    """A probe is no tuning and no prompt, so it is said what it is."""
    what = ", a small classifier on the frozen model's hidden states," if _row(verdict, name).probe else ""
    return f"{name}{what}"


def _nothing_better(verdict: Verdict) -> str:
    name = _baseline_winner(verdict)
    always = verdict.facts["constant"].get(name)
    what = f"always saying {always!r} ({name})" if always else f"{name}, which needs no language model"
    return f"Nothing here is measurably better than {what}: {title(verdict.metric)} {_with_interval(verdict, name)}."


def _best_with_a_model(verdict: Verdict) -> str:
    """Where it stands beside the baseline that nothing beats."""
    name = _baseline_winner(verdict)
    models = [arm for arm in verdict.facts["finalists"] if _row(verdict, arm).needs_model]
    if not models:
        return ""
    lead = _lead(verdict, models[0], name)
    side = "ahead" if lead.by > 0 else "behind"
    sure = ", which is measurably worse" if lead.contrast.different else ""
    return _join(
        f"The best arm with a language model, {models[0]}, has {_figure(verdict, models[0])} and is {side} by "
        f"{_measure(verdict, lead if lead.by > 0 else _turned(lead))}{sure}.",
        _sentence(lead.contrast.note) if lead.contrast.kind == "open" else "",
    )


def _tuning(verdict: Verdict) -> str:
    """Whether tuning beats prompting; the figures only where the headline has not given them."""
    tuned = _best(verdict, lambda row: row.tuned)
    prompt = _best(verdict, lambda row: row.prompt)
    if not tuned or not prompt:
        return ""
    lead = _lead(verdict, tuned, prompt)
    told = {tuned, prompt} == set(verdict.facts["finalists"][:2])
    if not lead.contrast.different:
        equal = lead.contrast.kind == "practically_equal"
        head = "Tuning and prompting are practically equal here" if equal else "Whether tuning beats prompting is open"
        return f"{head}." if told else f"{head}: {_against(verdict, tuned, prompt, lead)}."
    proviso = _proviso(verdict, [tuned])
    if lead.by > 0:
        rest = "" if told else f": {tuned} beats {prompt}, the best prompt, by {_measure(verdict, lead)}"
        return f"Tuning pays{proviso}{rest}."
    rest = "" if told else f": {prompt} beats {tuned}, the best tuned arm, by {_measure(verdict, _turned(lead))}"
    return f"Tuning does not pay here{proviso}{rest}."


def _proviso(verdict: Verdict, tuned: Sequence[str]) -> str:
    """One seed says nothing of a method."""
    return ", as far as one seed shows" if all(_row(verdict, a).seed_spread == "unknown" for a in tuned) else ""


def _over_baselines(verdict: Verdict) -> str:
    best = verdict.winners[0]
    leads = [
        (name, _lead(verdict, best, name))
        for name in verdict.facts["finalists"]
        if _row(verdict, name).baseline and name != best
    ]
    beaten = [f"{name} by {_measure(verdict, lead)}" for name, lead in leads if lead.contrast.different]
    unclear = [name for name, lead in leads if not lead.contrast.different]
    return _join(
        f"{best} beats the {'baseline' if len(beaten) == 1 else 'baselines'} {listed(beaten)}." if beaten else "",
        f"It is not shown to beat {listed(unclear)}." if unclear else "",
    )


def _below_constant(verdict: Verdict) -> str:
    """Arms whose plain figures are not above that of one answer to everything."""
    tested, sign = _tested(verdict), 1 if _up(verdict) else -1
    constant = next((row for row in tested if row.baseline and row.arm in verdict.facts["constant"]), None)
    others = [row for row in tested if constant and row is not constant]
    worse = [row.arm for row in others if sign * (row.mean - constant.mean) <= 1e-9]
    if not worse:
        return ""
    name = constant.arm
    always = f"always saying {verdict.facts['constant'][name]!r} ({_figure(verdict, name)})"
    return f"No better than {always}: {listed(worse)}."


def _advice(verdict: Verdict) -> str:
    name = verdict.recommended
    if name is None:
        return ""
    if len(verdict.winners) == 1:
        return f"Recommended: {name}. No other arm matches it."
    why, at = _because(verdict, _row(verdict, name))
    return f"Recommended: {name}, {why} of the {len(verdict.winners)} arms tied for best ({at})."


def _passed_over(verdict: Verdict) -> str:
    """The winner with the best score, where another was recommended for its cost, and what taking it costs."""
    decision, name = verdict.facts["decision"], verdict.recommended
    top = next((row for row in verdict.standings if row.arm in verdict.winners), None)
    if (
        name is None
        or _baseline_winner(verdict)
        or top.arm == name
        or decision["weights"]
        or decision["prefer"] == "best"
    ):
        return ""
    return f'{top.arm} has the better score, at {_price(top, decision["cost"])}; prefer = "best" takes it.'


def _training(verdict: Verdict) -> str:
    """Whether to train, where the recommended arm needs none: said only where a trained arm was compared."""
    name = verdict.recommended
    if name is None or _row(verdict, name).uses_weights:
        return ""
    trained = [arm for arm in verdict.facts["finalists"] if _row(verdict, arm).tuned]
    if not trained:
        missed = any(row.tuned and row.status != "ruled out" for row in verdict.standings)
        return "Whether training would pay is not known: no trained arm stands among those compared." if missed else ""
    rivals = [arm for arm in trained if arm in verdict.winners]
    if any(_lead(verdict, arm, name).contrast.kind == "open" for arm in rivals):
        return "Training is not shown to pay for this."
    return f"Do not train for this{_proviso(verdict, trained)}."


def _evidence(verdict: Verdict) -> list[str]:
    """What the figures stand on."""
    tested = _tested(verdict)
    several = {row.arm: row.seeds for row in tested if row.seed_spread == "included"}
    lone = [row.arm for row in tested if row.seed_spread == "unknown"]
    runs = " to ".join(map(str, dict.fromkeys((min(several.values()), max(several.values()))))) if several else ""
    whose = listed(list(several)) if lone else "every arm that has randomness"
    counted = f" with {runs} seeds of {whose}" if several else ""
    floor = verdict.facts["smallest_visible"]
    unseen = f"With this much data a difference below about {gap(floor or 0, _up(verdict))} would mostly not show."
    left_out = "1 test record was" if verdict.unscored == 1 else f"{verdict.unscored} test records were"
    return [
        f"Measured on {tested[0].n_test} test records{counted}.",
        f"One seed only for {listed(lone)}: the interval covers the records, not what another seed would give."
        if lone
        else "",
        f"Only the {FINALISTS} best arms are compared in pairs." if len(tested) > FINALISTS else "",
        unseen if floor else "",
        f"{left_out} left out for all arms: one of them could not be scored there." if verdict.unscored else "",
        f"The test set was opened {verdict.test_opened} times." if verdict.test_opened > 1 else "",
    ]


def _others(verdict: Verdict) -> list[str]:
    """Arms without a figure, with fewer seeds than planned, and limits that could not be checked."""
    blank = [row for row in verdict.standings if row.mean is None]
    out = [f"{row.arm} ({row.why})" for row in blank if row.status == "ruled out"]
    rest = [
        f"{row.arm} ({STATUS.get(row.status, row.status)}: {row.why})" for row in blank if row.status != "ruled out"
    ]
    fewer: dict[str, list[str]] = {}
    for row in verdict.standings:
        if row.mean is not None and row.why:
            fewer.setdefault(row.why, []).append(row.arm)
    short = [f"{listed(arms)}: {why}." for why, arms in fewer.items()]
    unknown = [f"{key} could not be checked for {listed(arms)}" for key, arms in verdict.facts["unchecked"].items()]
    weighed = verdict.facts["decision"]["weights"]
    unknown += [f"no score for {row.arm}" for row in _tested(verdict) if weighed and row.score is None]
    return [
        f"Over a limit: {listed(out)}." if out and _tested(verdict) else "",
        f"Not tested: {listed(rest)}." if rest and _tested(verdict) else "",
        f"Not measured: {listed(unknown)}." if unknown else "",
        *short,
    ]


def _nothing_tested(verdict: Verdict) -> str:
    causes = "; ".join(f"{row.arm} {STATUS.get(row.status, row.status)}: {row.why}" for row in verdict.standings)
    if any(row.status == "ruled out" for row in verdict.standings):
        return f"No arm that was measured keeps to the limits of the study, so none can be recommended. {causes}."
    return f"No arm has been measured on the test set, so nothing can be said yet. {causes}."


def _alone(verdict: Verdict, row: Standing) -> str:
    figure = f"{title(verdict.metric)} {_with_interval(verdict, row.arm)}"
    if any(other.status == "ruled out" for other in verdict.standings):
        return (
            f"Of the measured arms only {row.arm} keeps to the limits: {figure}. There is nothing to compare it with."
        )
    return f"Only {row.arm} was measured: {figure}. There is nothing to compare it with."


def _lead(verdict: Verdict, x: str, y: str) -> Lead:
    """How much better x is than y, whichever way round the contrast stands and whichever way the metric counts."""
    row = next(row for row in verdict.contrasts if {row.a, row.b} == {x, y})
    lead = Lead(row.diff, row.low, row.high, row)
    return lead if (row.a == x) == _up(verdict) else _turned(lead)


def _turned(lead: Lead) -> Lead:
    return Lead(-lead.by, -lead.high, -lead.low, lead.contrast)


def _measure(verdict: Verdict, lead: Lead) -> str:
    up = _up(verdict)
    return f"{gap(lead.by, up)} (95 % interval {_bare(lead.low, up)} to {_bare(lead.high, up)})"


def _against(verdict: Verdict, tuned: str, prompt: str, lead: Lead) -> str:
    side = "better" if lead.by >= 0 else "worse"
    size = _measure(verdict, lead if lead.by >= 0 else _turned(lead))
    return f"{tuned} is {side} than {prompt}, the best prompt, by {size}"


def _with_interval(verdict: Verdict, name: str) -> str:
    row, up = _row(verdict, name), _up(verdict)
    return f"{amount(row.mean, up)} (95 % interval {_bare(row.low, up)} to {amount(row.high, up)})"


def _figure(verdict: Verdict, name: str) -> str:
    return amount(_row(verdict, name).mean, _up(verdict))


def _bare(value: float, up: bool) -> str:
    """Without "-0.0"."""
    text = f"{100 * value:.1f}" if up else f"{value:.3f}"
    return text.lstrip("-") if float(text) == 0 else text


def _because(verdict: Verdict, row: Standing) -> tuple[str, str]:
    """What settled the choice between winners, and the figure that did."""
    decision = verdict.facts["decision"]
    if decision["weights"] and row.score is not None:
        return "the highest score", f"{row.score:.2f}"
    if decision["prefer"] == "best":
        return "the best mean", _figure(verdict, row.arm)
    return "the cheapest", _price(row, decision["cost"])


def _price(row: Standing, first: str) -> str:
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


def _best(verdict: Verdict, wanted: Callable[[Standing], bool]) -> str:
    return next((name for name in verdict.facts["finalists"] if wanted(_row(verdict, name))), "")


def _baseline_winner(verdict: Verdict) -> str:
    """The simplest baseline that nothing beats: one that always says the same, before any other."""
    names = [name for name in verdict.winners if _row(verdict, name).baseline]
    return next((name for name in names if name in verdict.facts["constant"]), names[0] if names else "")


def _row(verdict: Verdict, name: str) -> Standing:
    return next(row for row in verdict.standings if row.arm == name)


def _tested(verdict: Verdict) -> list[Standing]:
    return [row for row in verdict.standings if row.mean is not None]


def _up(verdict: Verdict) -> bool:
    return verdict.facts["up"]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)

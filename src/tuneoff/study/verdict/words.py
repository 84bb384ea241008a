"""The verdict in plain words, made from its figures alone: the answer, its reasons, then what they do not cover.

    answer     lora wins: accuracy 83.2 % (95 % interval 79.0 to 87.4 %). It is better than few_shot, the next best, ...
    reasons    Tuning pays.    Recommended: lora. No other arm matches it.
    caveats    Measured on 400 test records with 3 seeds of every arm that has randomness.

Scores are in per cent and their differences in points; losses in nats. Of an arm whose training had not come to its end
nothing is said that more training could turn over; the rest is said as "so far".
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tuneoff.stats.decide import cheapest
from tuneoff.study.verdict.judgement import Standing, Verdict
from tuneoff.study.verdict.phrases import (
    Lead,
    figure,
    gap,
    join,
    lead_of,
    measure,
    more_is_better,
    odds,
    price_of,
    row_of,
    sentence,
    tested_rows,
    title,
    turned,
    with_interval,
)
from tuneoff.study.verdict.price import price
from tuneoff.study.verdict.saved import saved_files
from tuneoff.study.verdict.settling import listed
from tuneoff.study.verdict.unfinished import rising, still_open

__all__ = ["Words", "words"]

STATUS = {"ruled out": "over a limit", "dropped": "stopped early, no claim is made"}


class Words(NamedTuple):
    """One or two sentences each."""

    answer: str
    reasons: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


def words(verdict: Verdict) -> Words:
    """All that is said of a verdict."""
    tested = tested_rows(verdict)
    if not tested:
        return Words(_nothing_tested(verdict), (), _said(_others(verdict)))
    caveats = _said([*_evidence(verdict), *_others(verdict)])
    if len(verdict.facts["compared"]) == 1:
        return Words(join(_unfinished(verdict), _alone(verdict, tested[0])), _said([_rising(verdict)]), caveats)
    if _baseline_winner(verdict):
        answer, found = _nothing_better(verdict), [_best_with_a_model(verdict)]
    else:
        answer, found = _headline(verdict), [_tuning(verdict), _over_baselines(verdict)]
    choice = [_advice(verdict), *_odds(verdict), _passed_over(verdict), _rising(verdict), _training(verdict)]
    answer = join(_unfinished(verdict), answer)
    return Words(answer, _said([*choice, *found, *saved_files(verdict), *_below_constant(verdict)]), caveats)


def _unfinished(verdict: Verdict) -> str:
    """What comes before all else, unless the one winner is the only unfinished arm: that can only get better."""
    return still_open(verdict) if set(verdict.unfinished) - _settled(verdict) else ""


def _rising(verdict: Verdict) -> str:
    lone = [] if _unfinished(verdict) else verdict.unfinished
    return "".join(rising(row_of(verdict, name)) for name in lone)


def _settled(verdict: Verdict) -> set[str]:
    """The sole winner."""
    return set(verdict.winners) if len(verdict.winners) == 1 else set()


def _so_far(verdict: Verdict) -> str:
    """How a sentence begins that more training could turn over."""
    return "So far " if _unfinished(verdict) else ""


def _said(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for part in parts if part)


def _headline(verdict: Verdict) -> str:
    names, so_far = verdict.winners, _so_far(verdict)
    if len(names) == 1:
        return _sole_winner(verdict)
    tied = listed([f"{name} ({figure(verdict, name)})" for name in names])
    pairs = [(names[0], name, lead_of(verdict, names[0], name)) for name in names[1:]]
    unclear = next((pair for pair in pairs if pair[2].contrast.kind == "open"), None)
    if unclear is None:
        margin = gap(verdict.facts["margin"], more_is_better(verdict))
        how = f"the difference from {names[0]} is at most {margin}"
        return f"{so_far}{tied} are practically equal on {title(verdict.metric)}: {how}."
    a, b, lead = unclear
    pair = "the difference is" if len(names) == 2 else f"between {a} and {b} the difference is"
    more = f" {sentence(lead.contrast.note)}" if lead.contrast.note else ""
    return f"{so_far}{tied} are too close to call on {title(verdict.metric)}: {pair} {measure(verdict, lead)}.{more}"


def _sole_winner(verdict: Verdict) -> str:
    name = verdict.winners[0]
    second = next(arm for arm in verdict.facts["compared"] if arm != name)
    lead = lead_of(verdict, name, second)
    so_far, wins = _so_far(verdict), "is ahead" if _so_far(verdict) else "wins"
    return (
        f"{so_far}{_introduced(verdict, name)} {wins}: {title(verdict.metric)} {with_interval(verdict, name)}. "
        f"It is better than {second}, the next best, by {measure(verdict, lead)}."
    )


def _introduced(verdict: Verdict, name: str) -> str:
    """A probe is no tuning and no prompt, so it is said what it is."""
    what = ", a small classifier on the frozen model's hidden states," if row_of(verdict, name).probe else ""
    return f"{name}{what}"


def _nothing_better(verdict: Verdict) -> str:
    name = _baseline_winner(verdict)
    always = verdict.facts["constant"].get(name)
    what = f"always saying {always!r} ({name})" if always else f"{name}, which needs no language model"
    figure = f"{title(verdict.metric)} {with_interval(verdict, name)}"
    if _so_far(verdict):
        return f"So far no arm is ahead of {what}: {figure}."
    return f"Nothing here is measurably better than {what}: {figure}."


def _best_with_a_model(verdict: Verdict) -> str:
    """Where it stands beside the baseline that nothing beats."""
    name = _baseline_winner(verdict)
    models = [arm for arm in verdict.facts["compared"] if row_of(verdict, arm).needs_model]
    if not models:
        return ""
    lead = lead_of(verdict, models[0], name)
    side = "ahead" if lead.by > 0 else "behind"
    sure = ", which is measurably worse" if lead.contrast.different else ""
    the = "So far the" if _so_far(verdict) else "The"
    return join(
        f"{the} best arm with a language model, {models[0]}, has {figure(verdict, models[0])} and is {side} by "
        f"{measure(verdict, lead if lead.by > 0 else turned(lead))}{sure}.",
        sentence(lead.contrast.note) if lead.contrast.kind == "open" else "",
    )


def _tuning(verdict: Verdict) -> str:
    """Whether tuning beats prompting; the figures only where the headline has not given them."""
    tuned = _best(verdict, lambda row: row.tuned)
    prompt = _best(verdict, lambda row: row.prompt)
    if not tuned or not prompt:
        return ""
    lead = lead_of(verdict, tuned, prompt)
    told = {tuned, prompt} == set(verdict.facts["compared"][:2])
    if _open_tuned(verdict) and not (lead.contrast.different and lead.by > 0):
        so_far = "" if told else f": so far {_against(verdict, tuned, prompt, lead)}"
        return f"Whether tuning beats prompting is open{so_far}."
    if not lead.contrast.different:
        equal = lead.contrast.kind == "practically_equal"
        head = "Tuning and prompting are practically equal here" if equal else "Whether tuning beats prompting is open"
        return f"{head}." if told else f"{head}: {_against(verdict, tuned, prompt, lead)}."
    proviso = _proviso(verdict, [tuned])
    if lead.by > 0:
        rest = "" if told else f": {tuned} beats {prompt}, the best prompt, by {measure(verdict, lead)}"
        return f"Tuning pays{proviso}{rest}."
    rest = "" if told else f": {prompt} beats {tuned}, the best tuned arm, by {measure(verdict, turned(lead))}"
    return f"Tuning does not pay here{proviso}{rest}."


def _open_tuned(verdict: Verdict) -> list[str]:
    """Tuned arms that more training could make better."""
    return [name for name in verdict.unfinished if row_of(verdict, name).tuned]


def _proviso(verdict: Verdict, tuned: Sequence[str]) -> str:
    """One seed says nothing of a method."""
    return ", as far as one seed shows" if all(row_of(verdict, a).seed_spread == "unknown" for a in tuned) else ""


def _over_baselines(verdict: Verdict) -> str:
    best = verdict.winners[0]
    leads = [
        (name, lead_of(verdict, best, name))
        for name in verdict.facts["compared"]
        if row_of(verdict, name).baseline and name != best
    ]
    beaten = [f"{name} by {measure(verdict, lead)}" for name, lead in leads if lead.contrast.different]
    unclear = [name for name, lead in leads if not lead.contrast.different]
    return join(
        f"{best} beats the {'baseline' if len(beaten) == 1 else 'baselines'} {listed(beaten)}." if beaten else "",
        f"It is not shown to beat {listed(unclear)}." if unclear else "",
    )


def _below_constant(verdict: Verdict) -> list[str]:
    """Arms whose plain figures are not above that of one answer to everything, those that are unfinished last."""
    tested, sign = tested_rows(verdict), 1 if more_is_better(verdict) else -1
    constant = next((row for row in tested if row.baseline and row.arm in verdict.facts["constant"]), None)
    others = [row for row in tested if constant and row is not constant]
    worse = [row.arm for row in others if sign * (row.mean - constant.mean) <= 1e-9]
    if not worse:
        return []
    name = constant.arm
    always = f"always saying {verdict.facts['constant'][name]!r} ({figure(verdict, name)})"
    still = [arm for arm in worse if arm in verdict.unfinished]
    done = [arm for arm in worse if arm not in still]
    return [
        f"No better than {always}: {listed(done)}." if done else "",
        f"So far not above {always}: {listed(still)}." if still else "",
    ]


def _advice(verdict: Verdict) -> str:
    name, leader = verdict.recommended, verdict.facts["compared"][0]
    if name is None:
        return ""
    head = "So far" if verdict.so_far else "Recommended"
    if len(verdict.winners) == 1:
        return f"{head}: {name}. No other arm matches it{' yet' if verdict.so_far else ''}."
    row, several = row_of(verdict, name), f"of the {len(verdict.winners)} arms that may be the best"
    if verdict.facts["decision"]["weights"] and row.score is not None:
        return f"{head}: {name}, the highest score {several} ({row.score:.2f})."
    if name == leader:
        return f"{head}: {name}, the best as measured {several} ({figure(verdict, name)})."
    cost = price_of(row, verdict.facts["decision"]["cost"])
    return f"{head}: {name}, which costs less than {leader} and {_as_good(verdict, name, leader)} ({cost})."


def _as_good(verdict: Verdict, name: str, leader: str) -> str:
    if lead_of(verdict, leader, name).contrast.kind == "practically_equal":
        return "is practically equal to it"
    if _level(verdict, leader, name):
        return "is level with it as measured"
    return f"is behind it by no more than {gap(verdict.facts['margin'], more_is_better(verdict))} as measured"


def _level(verdict: Verdict, leader: str, name: str) -> bool:
    """Whether the two have the same figure, so that neither has the better one."""
    return abs(lead_of(verdict, leader, name).by) < 1e-12


def _odds(verdict: Verdict) -> list[str]:
    """How likely it is that each cheaper arm that may be the best is the worse one."""
    name, first = verdict.recommended, verdict.facts["decision"]["cost"]
    if name is None:
        return []
    costs = {arm: price(row_of(verdict, arm), first) for arm in {*verdict.winners, name}}
    cheaper = [arm for arm in verdict.winners if cheapest((name, arm), costs) != name]
    return [
        f"{arm} costs less ({price_of(row_of(verdict, arm), first)}); the odds that {name} is the better one are "
        f"{odds(lead_of(verdict, name, arm))}."
        for arm in cheaper
    ]


def _passed_over(verdict: Verdict) -> str:
    """The leader, where another was recommended for its cost, and what taking it costs."""
    decision, name, leader = verdict.facts["decision"], verdict.recommended, verdict.facts["compared"][0]
    if name in (None, leader) or decision["weights"] or _level(verdict, leader, name):
        return ""
    cost = price_of(row_of(verdict, leader), decision["cost"])
    return f'{leader} has the better score, at {cost}; prefer = "best" takes it.'


def _training(verdict: Verdict) -> str:
    """Whether to train, where the recommended arm needs none: said only where a trained arm was compared."""
    name = verdict.recommended
    if name is None or row_of(verdict, name).uses_weights:
        return ""
    trained = [arm for arm in verdict.facts["compared"] if row_of(verdict, arm).tuned]
    if not trained:
        missed = any(row.tuned and row.status != "ruled out" for row in verdict.standings)
        return "Whether training would pay is not known: no trained arm stands among those compared." if missed else ""
    if unfinished := _open_tuned(verdict):
        return f"Whether training pays for this is not known yet: {listed(unfinished)} could still get better."
    rivals = [arm for arm in trained if arm in verdict.winners]
    if any(lead_of(verdict, arm, name).contrast.kind == "open" for arm in rivals):
        return "Training is not shown to pay for this."
    return f"Do not train for this{_proviso(verdict, trained)}."


def _evidence(verdict: Verdict) -> list[str]:
    """What the figures stand on."""
    tested = tested_rows(verdict)
    several = {row.arm: row.seeds for row in tested if row.seed_spread == "included"}
    lone = [row.arm for row in tested if row.seed_spread == "unknown"]
    borrowed = [row.arm for row in tested if row.seed_spread == "borrowed"]
    runs = " to ".join(map(str, dict.fromkeys((min(several.values()), max(several.values()))))) if several else ""
    whose = listed(list(several)) if lone or borrowed else "every arm that has randomness"
    counted = f" with {runs} seeds of {whose}" if several else ""
    floor = verdict.facts["smallest_visible"]
    least = gap(floor or 0, more_is_better(verdict))
    unseen = f"With this much data a difference below about {least} would mostly not show."
    left_out = "1 test record was" if verdict.unscored == 1 else f"{verdict.unscored} test records were"
    return [
        f"Measured on {tested[0].n_test} test records{counted}.",
        f"One seed only for {listed(lone)}: the interval covers the records, not what another seed would give."
        if lone
        else "",
        f"One seed only for {listed(borrowed)}: what another seed would change is taken from the other arms."
        if borrowed
        else "",
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
    unknown += [f"no score for {row.arm}" for row in tested_rows(verdict) if weighed and row.score is None]
    return [
        f"Over a limit: {listed(out)}." if out and tested_rows(verdict) else "",
        f"Not tested: {listed(rest)}." if rest and tested_rows(verdict) else "",
        f"Not measured: {listed(unknown)}." if unknown else "",
        *short,
    ]


def _nothing_tested(verdict: Verdict) -> str:
    causes = "; ".join(f"{row.arm} {STATUS.get(row.status, row.status)}: {row.why}" for row in verdict.standings)
    if any(row.status == "ruled out" for row in verdict.standings):
        return f"No arm that was measured keeps to the limits of the study, so none can be recommended. {causes}."
    return f"No arm has been measured on the test set, so nothing can be said yet. {causes}."


def _alone(verdict: Verdict, row: Standing) -> str:
    figure = f"{title(verdict.metric)} {with_interval(verdict, row.arm)}"
    if any(other.status == "ruled out" for other in verdict.standings):
        return (
            f"Of the measured arms only {row.arm} keeps to the limits: {figure}. There is nothing to compare it with."
        )
    return f"Only {row.arm} was measured: {figure}. There is nothing to compare it with."


def _against(verdict: Verdict, tuned: str, prompt: str, lead: Lead) -> str:
    side = "better" if lead.by >= 0 else "worse"
    size = measure(verdict, lead if lead.by >= 0 else turned(lead))
    return f"{tuned} is {side} than {prompt}, the best prompt, by {size}"


def _best(verdict: Verdict, wanted: Callable[[Standing], bool]) -> str:
    return next((name for name in verdict.facts["compared"] if wanted(row_of(verdict, name))), "")


def _baseline_winner(verdict: Verdict) -> str:
    """The simplest baseline that nothing beats: one that always says the same, before any other."""
    names = [name for name in verdict.winners if row_of(verdict, name).baseline]
    return next((name for name in names if name in verdict.facts["constant"]), names[0] if names else "")

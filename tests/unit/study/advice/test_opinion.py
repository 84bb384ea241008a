"""Each rule fires on what it is about and on nothing else; the opinion is their sum."""

from dataclasses import replace
from pathlib import Path

import pytest

from made_advice import compared, estimate, factors, prompted, quantity, uniqueness, written
from tuneoff.study.advice.factors import Alignment, Compute, Control, Estimate, Prompted, Uniqueness
from tuneoff.study.advice.opinion import FAMILIES, RULES, first_opinion, per_cent

PEFT, FULL = "parameter-efficient fine-tuning", "full fine-tuning"
ALWAYS = "record so far"


def prompts(*made, **more):
    return factors(uniqueness=uniqueness(prompts=made, **more))


def text_prompts(score, half=0.05):
    made = Prompted(arm="zero_shot", score=estimate(score, half))
    return written(uniqueness=Uniqueness(metric="token_f1", prompts=(made,)))


def answers(own, general, kind=written):
    return kind(alignment=Alignment(inputs=None, answers=compared(own, general)))


def inputs(own, general):
    return factors(alignment=Alignment(inputs=compared(own, general), answers=None))


CASES = {
    "prompts near nothing": (prompts(prompted("few_shot", 0.42, over_majority=0.02)), {"prompting": -2}),
    "prompts are enough": (prompts(prompted("few_shot", 0.95)), {"prompting": 2}),
    "the model knows": (
        prompts(prompted("few_shot", 0.8, over_words=0.1)),
        {"prompting": 1, "prompt tuning": 1},
    ),
    "answers miss": (text_prompts(0.1), {"prompting": -1}),
    "words are enough": (factors(uniqueness=uniqueness(words=estimate(0.92))), {"baseline": 2}),
    "words near nothing": (factors(uniqueness=uniqueness(words_over_majority=estimate(0.01))), {"baseline": -2}),
    "few per class": (factors(quantity=quantity(records=240, classes=40)), {PEFT: 1, FULL: -1}),
    "few for soft prompts": (factors(quantity=quantity(records=120)), {"prompt tuning": -1}),
    "many records": (factors(quantity=quantity(records=20_000)), {FULL: 1}),
    "model size": (factors(parameters=135_000_000), {"prompt tuning": -1}),
    "answers are new": (answers(2.1, 0.9), {PEFT: 1, FULL: 1, "prompting": -1}),
    "answers are known": (answers(0.5, 0.9), {"prompting": 1}),
    "inputs are foreign": (inputs(2.0, 1.2), {PEFT: 1, FULL: 1}),
    "more records help": (factors(quantity=quantity(rise=estimate(0.08))), {}),
    "more records do not help": (factors(quantity=quantity(rise=estimate(0.0, 0.01))), {}),
    "dearest arm": (factors(compute=Compute(best_s=90.0, worst_s=100.0, arms={"a": 80.0, "b": 20.0})), {}),
}


def fired(made):
    """{rule: {family: weight}}; remarks have no family."""
    opinion = first_opinion(made)
    found = {}
    for lean in (*opinion.leanings, *opinion.remarks):
        found.setdefault(lean.rule, {}).update({lean.family: lean.weight} if lean.family else {})
    return found


def test_every_rule_has_a_case_and_a_source():
    assert {rule.name for rule in RULES} == {*CASES, ALWAYS}
    assert all(rule.source for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_every_rule_stands_in_the_docs():
    page = (Path(__file__).parents[4] / "docs" / "advice.md").read_text(encoding="utf-8")
    assert [rule.name for rule in RULES if rule.name not in page] == []


@pytest.mark.parametrize("name", CASES)
def test_a_rule_fires_alone(name):
    made, weights = CASES[name]
    assert fired(made) == {ALWAYS: {PEFT: 1}, name: weights}


@pytest.mark.parametrize("made", [factors(), written()], ids=["choice", "text"])
def test_where_nothing_is_striking_only_the_record_speaks(made):
    assert fired(made) == {ALWAYS: {PEFT: 1}}


NOT = {
    "a prompt just below": prompts(prompted("few_shot", 0.89)),
    "as good as words": prompts(prompted("few_shot", 0.7, over_words=0.04)),
    "answers of a choice": answers(2.1, 0.9, factors),
    "unlike, but not by much": inputs(1.3, 1.1),
    "a middling model": factors(parameters=7_000_000_000),
    "one arm only": factors(compute=Compute(best_s=100.0, worst_s=100.0, arms={"a": 100.0})),
    "nothing known": factors(
        compute=None,
        alignment=Alignment(inputs=None, answers=None),
        quantity=quantity(rise=None, curve=()),
        uniqueness=uniqueness(words=None, words_over_majority=None),
    ),
}


@pytest.mark.parametrize("name", NOT)
def test_nothing_fires_on(name):
    assert fired(NOT[name]) == {ALWAYS: {PEFT: 1}}


def test_a_large_lead_that_few_records_do_not_show_is_no_evidence():
    lead = Estimate(0.25, -0.3, 0.8, 12)
    made = prompts(replace(prompted("few_shot", 0.75), over_majority=lead))
    assert "prompts near nothing" not in fired(made)


def test_reasons_hold_their_figures():
    opinion = first_opinion(CASES["prompts near nothing"][0])
    (reason,) = [lean.reason for lean in opinion.leanings if lean.family == "prompting"]
    assert "few_shot, has 42 % (95 % interval 37 to 47 %, n 64)" in reason
    assert "always saying 'anger' (40 %" in reason
    assert "chance 25 %" in reason
    (reason,) = {lean.reason for lean in first_opinion(answers(2.1, 0.9)).leanings if lean.family == FULL}
    assert "2.10 bits per byte, against 0.90 of general text" in reason
    rising = factors(quantity=quantity(rise=estimate(0.08)), uniqueness=uniqueness(words=estimate(0.92)))
    (reason,) = [lean.reason for lean in first_opinion(rising).leanings if lean.family == "baseline"]
    assert "already reaches 92 % (95 % interval 87 to 97 %, n 64) and still rises" in reason


def test_the_order_is_the_sum_and_then_the_cost():
    opinion = first_opinion(factors())
    assert [(each.family, each.weight) for each in opinion.order] == [
        (PEFT, 1), ("baseline", 0), ("prompting", 0), ("probing", 0), ("prompt tuning", 0),
        ("instruction tuning", 0), (FULL, 0),
    ]  # fmt: skip
    assert opinion.first == PEFT
    enough = first_opinion(CASES["prompts are enough"][0])
    assert [each.family for each in enough.order][:2] == ["prompting", PEFT]


def test_the_first_is_one_that_races():
    opinion = first_opinion(factors(families={"zero_shot": "prompting", "full": FULL}))
    assert opinion.order[0].family == PEFT
    assert not opinion.order[0].in_study
    assert opinion.first == "prompting"
    assert first_opinion(factors(families={"mine": "trained elsewhere"})).first is None


def test_free_text_has_no_baseline():
    assert {each.family for each in first_opinion(written()).order} == {*FAMILIES} - {"baseline", "probing"}


def test_what_is_ruled_out_is_in_no_order():
    barred = {family: "no weights" for family in FAMILIES[2:]}
    opinion = first_opinion(factors(control=Control(ruled_out=barred)))
    assert [each.family for each in opinion.order] == ["baseline", "prompting"]
    assert opinion.ruled_out == barred
    assert opinion.leanings == ()


def test_a_figure_of_one_record_has_no_interval():
    assert per_cent(Estimate(0.5, None, None, 1)) == "50 % (n 1)"

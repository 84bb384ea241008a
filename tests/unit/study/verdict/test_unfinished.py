"""Training that stopped too early: what is not said, what is said so far, and what still wins."""

import json
from dataclasses import replace

import numpy as np
import pytest

from judged_run import RECORDS, TRAITS, Run
from made_advice import factors
from tuneoff.study.advice.advice import advise, compare_opinion
from tuneoff.study.outcome import Progress
from tuneoff.study.verdict.change_words import told
from tuneoff.study.verdict.judge import read_verdict, write_verdict

FLAT = Progress(state="flat", gain=0.001, upper=0.005, steps=360)
IMPROVING = Progress(state="improving", gain=0.08, upper=0.1, steps=360, more_steps=120, more_s=240.0)
UNKNOWN = Progress(state="unknown", steps=40, more_steps=40, more_s=30.0)
STATES = {"improving": IMPROVING, "unknown": UNKNOWN}


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


@pytest.fixture(params=STATES.values(), ids=STATES.keys())
def early(request):
    return request.param


def noisy(share, seeds=1, seed=0):
    return (np.random.default_rng(seed).random((seeds, RECORDS)) < share).astype(float)


def row(verdict, arm):
    return next(one for one in verdict.standings if one.arm == arm)


def test_of_several_seeds_the_worst_stands_and_the_median_of_what_is_left(run):
    more = Progress(state="unknown", steps=360, more_steps=200, more_s=300.0)
    run.arm("zero_shot", 0.4)
    run.arm("lora", 0.9, seeds=3, progress=[FLAT, IMPROVING, more])
    run.arm("dora", 0.8, seeds=3, progress=FLAT)
    run.arm("soft_prompt", 0.7, seeds=2, progress=[FLAT, UNKNOWN])
    verdict = run.verdict()
    lora = row(verdict, "lora")
    assert (lora.training, lora.more_steps, lora.more_s) == ("improving", 160, 270.0)
    assert (row(verdict, "dora").training, row(verdict, "dora").more_steps) == ("flat", 0)
    assert row(verdict, "soft_prompt").training == "unknown"
    assert row(verdict, "zero_shot").training == ""
    assert verdict.facts["unfinished"] == ["lora", "soft_prompt"]


def test_do_not_train_is_not_said(run, early):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5, seeds=3, progress=FLAT)
    assert "Do not train for this." in run.verdict().reason
    run.arm("dora", 0.4, seeds=3, progress=early)
    reason = run.verdict().reason
    assert "Do not train" not in reason
    assert "Whether training pays for this is not known yet: dora could still get better." in reason


def test_training_is_not_shown_to_pay_is_not_said(run, early):
    run.arm("zero_shot", noisy(0.7))
    run.arm("lora", noisy(0.7, 3, seed=1), seeds=3, progress=FLAT)
    assert "Training is not shown to pay for this." in run.verdict(margin=0.1).reason
    run.arm("lora", noisy(0.7, 3, seed=1), seeds=3, progress=early)
    fresh = run.verdict(margin=0.1).reason
    assert "not shown to pay" not in fresh
    assert "Whether training pays for this is not known yet" in fresh


def test_tuning_does_not_pay_is_not_said(run, early):
    run.arm("tfidf", 0.2)
    run.arm("few_shot", 0.9)
    run.arm("zero_shot", 0.8)
    run.arm("lora", 0.5, seeds=3, progress=FLAT)
    assert "Tuning does not pay here: few_shot beats lora, the best tuned arm" in run.verdict().reason
    run.arm("dora", 0.4, seeds=3, progress=early)  # the best one is flat, and another one may overtake it
    reason = run.verdict().reason
    assert "does not pay" not in reason
    assert "Whether tuning beats prompting is open: so far lora is worse than few_shot, the best prompt, by" in reason


def test_no_better_than_prompting_is_not_said(run, early):
    run.arm("few_shot", 0.8)
    run.arm("lora", 0.8, seeds=3, progress=FLAT)
    settled = run.verdict(margin=0.1)
    assert "Tuning and prompting are practically equal here." in settled.reason
    assert settled.answer.startswith("few_shot (80.0 %) and lora (80.0 %) are practically equal on accuracy")
    run.arm("lora", 0.8, seeds=3, progress=early)
    verdict = run.verdict(margin=0.1)
    assert "practically equal here" not in verdict.reason
    assert "Whether tuning beats prompting is open." in verdict.reason
    assert "So far few_shot (80.0 %) and lora (80.0 %) are practically equal on accuracy" in verdict.answer


def test_nothing_is_better_than_tfidf_is_not_said(run, early):
    run.arm("tfidf", 0.61)
    run.arm("few_shot", 0.3)
    run.arm("lora", 0.425, seeds=3, progress=FLAT)
    assert "Nothing here is measurably better than tfidf" in run.verdict().answer
    run.arm("lora", 0.425, seeds=3, progress=early)
    verdict = run.verdict()
    assert "Nothing here" not in verdict.reason
    assert "So far no arm is ahead of tfidf, which needs no language model: accuracy 61.0 %" in verdict.answer
    assert "So far the best arm with a language model, lora, has 42.5 % and is behind by" in verdict.reason
    assert "So far: tfidf. No other arm matches it yet." in verdict.reason
    assert "Recommended" not in verdict.reason
    assert (verdict.recommended, verdict.so_far) == ("tfidf", True)


def test_a_win_over_an_unfinished_arm_is_one_so_far(run, early):
    run.arm("lora", 0.9, seeds=3, progress=FLAT)
    run.arm("soft_prompt", 0.6, seeds=3, progress=early)
    verdict = run.verdict()
    assert "wins" not in verdict.reason
    assert "So far lora is ahead: accuracy 90.0 %" in verdict.answer
    assert "So far: lora." in verdict.reason


def test_arms_that_are_no_better_than_one_answer_are_told_so_far(run, early):
    run.arm("majority", 0.5, answers=["no"] * RECORDS)
    run.arm("few_shot", 0.4)
    run.arm("lora", 0.3, seeds=3, progress=early)
    reason = run.verdict().reason
    assert "No better than always saying 'no' (50.0 %): few_shot." in reason
    assert "So far not above always saying 'no' (50.0 %): lora." in reason


def test_the_answer_begins_with_what_is_missing(run):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5, seeds=3, progress=IMPROVING)
    assert run.verdict().answer.startswith(
        "Unfinished: lora was still improving when it stopped; about 120 more steps, 4 minutes a seed, would show "
        "whether it has come to its end. So far few_shot is ahead: "
    )
    run.arm("dora", 0.4, progress=UNKNOWN)
    run.arm("soft_prompt", 0.3, progress=UNKNOWN)
    assert run.verdict().answer.startswith(
        "Unfinished: lora was still improving when it stopped and dora and soft_prompt were not shown to have come to "
        "their end; about 40 to 120 more steps, 30 seconds to 4 minutes a seed, would show whether they have come to "
        "their end."
    )


def test_an_unfinished_arm_that_wins_wins(run):
    run.arm("few_shot", 0.6)
    run.arm("lora", 0.9, seeds=3, progress=IMPROVING)
    verdict = run.verdict()
    assert verdict.answer.startswith("lora wins: accuracy 90.0 %")
    assert "Tuning pays." in verdict.reason
    assert "Recommended: lora. No other arm matches it." in verdict.reason
    assert (
        "Its training was still improving when it stopped, so its figure could still rise (about 120 more steps, "
        "4 minutes a seed)." in verdict.reasons
    )
    assert not verdict.so_far
    assert [one.kind for one in verdict.changes if one.arm == "lora"] == ["unfinished"]


def test_flat_arms_are_judged_as_ever(run):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5, seeds=3, progress=FLAT)
    said = run.verdict()
    assert said.facts["unfinished"] == []
    assert said.answer.startswith("few_shot wins")
    assert "far" not in said.reason.replace("as far as", "")


def test_an_arm_left_behind_at_its_end_may_be_unfinished_too(run, early):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5, seeds=3, progress=FLAT)
    key = run.job("dora")
    run.ledger.finish(key, run.ledger.jobs()[0].cost, [], early)
    run.ledger.drop(key, "worse on validation than few_shot")
    verdict = run.verdict()
    assert verdict.facts["unfinished"] == ["dora"]
    assert "Do not train" not in verdict.reason
    out = run.verdict({"no_weights_access": True})
    assert out.facts["unfinished"] == []


def test_of_an_arm_that_was_stopped_early_nothing_is_claimed(run):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5, seeds=3, progress=FLAT)
    run.ledger.drop(run.job("dora"), "behind lora on validation at rung 1")
    verdict = run.verdict()
    assert "dora (stopped early, no claim is made: behind lora on validation at rung 1)" in verdict.reason
    assert verdict.facts["unfinished"] == []


def test_what_to_type_stands_in_the_changes(run, tmp_path):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5, progress=IMPROVING)
    verdict = run.verdict()
    first = verdict.changes[0]
    assert (first.kind, first.arm) == ("unfinished", "lora")
    assert told(first, verdict) == (
        "lora had not come to its end: about 120 more steps, 4 minutes, would tell. To go on: a larger budget, or more "
        "epochs under [train], and the same command again: it goes on from where it stopped."
    )
    write_verdict(verdict, tmp_path / "verdict.json")
    assert read_verdict(tmp_path / "verdict.json") == verdict
    table = json.loads((tmp_path / "verdict.json").read_text())
    assert (table["version"], table["facts"]["unfinished"]) == (5, ["lora"])
    price = next(one for one in verdict.changes if one.kind == "price") if len(verdict.changes) > 1 else None
    assert price is None or told(price, verdict).endswith("so far.")


def test_the_advice_before_training_is_not_called_wrong_by_an_unfinished_arm(run, early):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5, seeds=3, progress=early)
    advice = advise(factors(families={"few_shot": "prompting", "lora": "parameter-efficient fine-tuning"}))
    assert advice.opinion.first == "parameter-efficient fine-tuning"
    verdict = run.verdict(traits=under("parameter-efficient fine-tuning"))
    said = " ".join(compare_opinion(advice, verdict))
    assert "That is open: lora had not come to its end, and is 40.0 points behind few_shot (prompting) so far." in said
    assert "rong" not in said


def under(family):
    return TRAITS | {"lora": replace(TRAITS["lora"], family=family)}

"""Limits rule arms out before anything is compared; costs, means or weights choose between winners."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from judged_run import RECORDS, Run
from tuneoff.core.cost import Cost
from tuneoff.core.errors import ConfigError
from tuneoff.study.arm import parse_arm
from tuneoff.study.outcome import JobRow
from tuneoff.study.spec import DecisionSpec, StudySpec
from tuneoff.study.verdict.judge import read_verdict, write_verdict
from tuneoff.study.verdict.judgement import Standing
from tuneoff.study.verdict.limits import held
from tuneoff.study.verdict.price import AXES, score


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def _row(verdict, arm):
    return next(row for row in verdict.standings if row.arm == arm)


def _tie(run):
    """Three arms that the data cannot tell apart, each the cheapest in one way."""
    for name, share, cost in (
        ("zero_shot", 0.80, Cost(prompt_tokens=40.0, artifact_bytes=9_000, train_s=0.0)),
        ("few_shot", 0.81, Cost(prompt_tokens=300.0, artifact_bytes=100, train_s=50.0)),
        ("soft_prompt", 0.82, Cost(prompt_tokens=60.0, artifact_bytes=5_000, train_s=90.0)),
    ):
        rng = np.random.default_rng(hash_of(name))
        run.arm(name, (rng.random((1, RECORDS)) < share).astype(float), cost=cost)


def hash_of(name):
    return sum(name.encode())


def test_a_limit_rules_out_before_anything_is_compared(run):
    run.arm("zero_shot", 0.5)
    run.arm("few_shot", 0.6)
    run.arm("lora", 0.9, seeds=3, validation=[0.8, 0.9, 0.7])
    for seed in range(3):
        run.axis("lora", "first_token_ms_1", 180.0 + seed, seed)
    run.axis("few_shot", "first_token_ms_1", 99.0)
    run.axis("zero_shot", "first_token_ms_1", 20.0)
    verdict = run.verdict({"max_latency_ms": 100})
    row = _row(verdict, "lora")
    assert (row.status, row.why) == ("ruled out", "first token takes 181 ms, the limit is 100")
    assert (row.mean, row.low, row.artifact_mean, row.seeds, row.n_test) == (None, None, None, 0, 0)
    assert row.validation == pytest.approx(0.8)
    assert row.cost["prompt_tokens"] == 45
    assert row.axes == {"first_token_ms_1": pytest.approx(181.0)}
    assert verdict.winners == ("few_shot",)
    assert {name for one in verdict.contrasts for name in (one.a, one.b)} == {"few_shot", "zero_shot"}
    assert [one.arm for one in verdict.standings] == ["few_shot", "zero_shot", "lora"]
    assert "Over a limit: lora (first token takes 181 ms, the limit is 100)." in verdict.reason
    assert "90.0 %" not in verdict.reason


@pytest.mark.parametrize(
    ("limit", "cost", "said"),
    [
        ({"max_artifact_mb": 1}, Cost(artifact_bytes=4_100_000), "4.1 MB to keep, the limit is 1"),
        ({"max_train_minutes": 3}, Cost(train_s=204.0), "3.4 minutes of training a job, the limit is 3"),
        ({"max_train_minutes": 3}, Cost(train_s=180.01), "3.0002 minutes of training a job, the limit is 3"),
    ],
)
def test_a_limit_on_what_it_costs(run, limit, cost, said):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.9, seeds=3, cost=cost)
    assert _row(run.verdict(limit), "lora").why == said


def test_what_is_at_the_limit_keeps_to_it(run):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.9, seeds=3, cost=Cost(train_s=180.0, artifact_bytes=1_000_000))
    assert run.verdict({"max_train_minutes": 3, "max_artifact_mb": 1}).recommended == "lora"


def test_an_arm_that_was_not_measured_stays_and_that_is_said(run):
    run.arm("majority", 0.4)
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.9, seeds=3)
    verdict = run.verdict({"max_latency_ms": 100, "max_forgetting": 0.1})
    assert verdict.recommended == "lora"
    assert verdict.facts["unchecked"] == {"max_latency_ms": ["zero_shot", "lora"], "max_forgetting": ["lora"]}
    assert "max_latency_ms could not be checked for zero_shot and lora" in verdict.reason
    assert run.verdict().facts["unchecked"] == {}
    only_prompts = run.verdict({"max_forgetting": 0.1, "no_weights_access": True})
    assert only_prompts.facts["unchecked"] == {}, "lora is out anyway"


def test_forgetting_is_nil_where_no_weight_is_touched(run):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.9, seeds=3)
    run.axis("lora", "retention_drift", 0.21)
    why = _row(run.verdict({"max_forgetting": 0.1}), "lora").why
    assert why == "0.21 nats per token away from the base model, the limit is 0.1"
    assert AXES["forgetting"].figure(_row(run.verdict(), "zero_shot")) == 0.0


def test_without_access_to_weights_only_prompts_and_baselines_are_left(run):
    run.arm("majority", 0.4)
    run.arm("few_shot", 0.6)
    run.arm("lora", 0.9, seeds=3)
    run.ledger.fail(run.job("dora"), "out of memory")
    verdict = run.verdict({"no_weights_access": True}, arms=[*run.arms, "soft_prompt"])
    assert {row.arm: row.status for row in verdict.standings} == {
        "few_shot": "tested",
        "majority": "tested",
        "lora": "ruled out",
        "dora": "failed",
        "soft_prompt": "ruled out",
    }
    assert verdict.recommended == "few_shot"
    assert "Whether training would pay" in verdict.reason, "dora failed, so that no trained arm was compared"


def test_several_broken_limits_are_all_told():
    row = Standing(arm="lora", family="peft", metric="accuracy", mean=0.9, low=0.8, high=1.0, n_test=9, seeds=1,
                   cost=Cost(artifact_bytes=2_000_000, train_s=600).as_dict())  # fmt: skip
    choice = DecisionSpec(max_artifact_mb=1, max_train_minutes=5)
    assert held([row], choice).out == {
        "lora": "2 MB to keep, the limit is 1; 10 minutes of training a job, the limit is 5"
    }


def test_all_ruled_out(run):
    run.arm("zero_shot", 0.5, cost=Cost(artifact_bytes=2_000_000, prompt_tokens=9.0))
    run.arm("few_shot", 0.6, cost=Cost(artifact_bytes=3_000_000, prompt_tokens=9.0))
    verdict = run.verdict({"max_artifact_mb": 1})
    assert (verdict.winners, verdict.recommended, verdict.contrasts) == ((), None, ())
    assert verdict.facts["front"] == []
    assert verdict.reason.startswith("No arm that was measured keeps to the limits of the study")
    assert "zero_shot over a limit: 2 MB to keep, the limit is 1" in verdict.reason
    assert "nothing can be said" not in verdict.reason


def test_one_left(run):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.6, seeds=3, cost=Cost(artifact_bytes=3_000_000, prompt_tokens=9.0))
    reason = run.verdict({"max_artifact_mb": 1}).reason
    assert reason.startswith("Of the measured arms only zero_shot keeps to the limits: accuracy 50.0 %")


NEAR = "which costs less than few_shot and is behind it by no more than 10.0 points as measured"
LEADS = "the best as measured of the 3 arms that may be the best"


def test_the_leader_is_recommended_where_nothing_cheaper_is_as_good(run):
    """Being too close to call is no evidence of being as good: 77.5 % at 40 tokens is not taken for 84.0 % at 300."""
    _tie(run)
    verdict = run.verdict()
    assert verdict.recommended == "few_shot"
    assert f"Recommended: few_shot, {LEADS} (84.0 %)." in verdict.reason
    pair = next(row for row in verdict.contrasts if {row.a, row.b} == {"few_shot", "zero_shot"})
    sure = round(100 * (1 - pair.p / 2))
    assert "zero_shot costs less (40 prompt tokens a request" in verdict.reason
    assert f"the odds that few_shot is the better one are {sure} to {100 - sure}." in verdict.reason


@pytest.mark.parametrize(
    ("decision", "recommended", "why"),
    [
        ({}, "zero_shot", f"{NEAR} (40 prompt tokens a request, 9 kB to keep)"),
        ({"cost": "artifact"}, "few_shot", f"{LEADS} (84.0 %)"),
        ({"cost": "training"}, "zero_shot", f"{NEAR} (no training, 40 prompt tokens"),
        ({"prefer": "best"}, None, f"{LEADS} (84.0 %)"),
        ({"weights": {"serving": 0.0}}, None, "the highest score of the 3 arms that may be the best (84.00)"),
        ({"weights": {"serving": 1.0}}, "zero_shot", "the highest score of the 3 arms that may be the best"),
    ],
)
def test_what_settles_the_choice_between_winners(run, decision, recommended, why):
    _tie(run)
    verdict = run.verdict(decision, margin=0.1)
    assert len(verdict.winners) == 3
    best = max(verdict.standings, key=lambda row: row.mean).arm
    assert verdict.recommended == (recommended or best)
    assert f"Recommended: {verdict.recommended}, {why}" in verdict.reason


def test_scores_are_points_minus_what_the_costs_are_worth(run):
    _tie(run)
    run.axis("soft_prompt", "first_token_ms_1", 50.0)
    weights = {"quality": 2.0, "serving": 0.01, "training": 4.0}
    verdict = run.verdict({"weights": weights})
    row = _row(verdict, "soft_prompt")
    assert row.score == pytest.approx(2 * 100 * row.mean - 0.6 - 4 * 1.5)
    partly = run.verdict({"weights": {"latency": 0.1}})
    assert _row(partly, "soft_prompt").score == pytest.approx(100 * row.mean - 5)
    assert _row(partly, "zero_shot").score is None, "its latency is not known"
    assert partly.recommended == "soft_prompt"
    assert "no score for " in partly.reason
    assert _row(run.verdict(), "soft_prompt").score is None


def test_of_a_loss_the_score_falls_with_it():
    row = Standing(arm="x", family="peft", metric="nll", mean=0.4, low=0.3, high=0.5, n_test=9, seeds=1,
                   cost={"prompt_tokens": 10.0})  # fmt: skip
    assert score(row, {"serving": 0.01}, up=False) == pytest.approx(-0.5)


def test_what_was_trained_elsewhere_has_no_training_time():
    cost = Cost(train_s=0.0).as_dict()
    traits = asdict(parse_arm({"adapter": "folder"}, {}, "here").traits)
    row = Standing(arm="x", **traits, metric="nll", mean=0.4, low=0, high=1, n_test=9, seeds=1, cost=cost)
    assert AXES["training"].figure(row) is None


def test_the_front_is_of_those_that_were_tested(run):
    run.arm("zero_shot", 0.5)
    run.arm("few_shot", 0.55)
    run.arm("soft_prompt", 0.6, seeds=3)
    run.arm("dora", 0.7, seeds=3, cost=Cost(prompt_tokens=None))
    assert run.verdict().facts["front"] == ["zero_shot", "soft_prompt"], "few_shot costs more and is worse"
    assert run.verdict({"no_weights_access": True}).facts["front"] == ["zero_shot", "few_shot"]


def test_trials_by_family_and_arm(run):
    run.arm("zero_shot", 0.5)
    for trial in range(3):
        run.arm("lora", 0.6, trial=trial, validation=[0.5 + trial / 10])
    run.ledger.add_job(JobRow(key="later", arm="lora", trial=7, seed=0, status="planned"))
    verdict = run.verdict(arms=[*run.arms, "dora"])
    assert verdict.facts["trials"] == {"prompting": {"zero_shot": 1}, "peft": {"lora": 3, "dora": 0}}


def test_the_decision_is_in_the_json(run, tmp_path):
    _tie(run)
    verdict = run.verdict({"max_artifact_mb": 0.0095, "weights": {"serving": 0.001}})
    write_verdict(verdict, tmp_path / "verdict.json")
    assert read_verdict(tmp_path / "verdict.json") == verdict
    told = json.loads((tmp_path / "verdict.json").read_text())
    assert told["facts"]["decision"] == {
        "cost": "serving",
        "prefer": "cheapest",
        "limits": {"max_artifact_mb": 0.0095},
        "weights": {"serving": 0.001},
    }
    assert set(told["changes"][0]) == set(asdict(verdict.changes[0]))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"weights": {"servng": 1}}, ["no axis 'servng' to weigh", "did you mean 'serving'?", "quality, serving, art"]),
        ({"weights": {"serving": -1}}, ["the weight of serving must be 0 or more", "found:   -1"]),
        ({"weights": {"quality": 0}}, ["the weight of quality must be above 0"]),
        ({"weights": {"serving": float("nan")}}, ["the weight of serving must be 0 or more"]),
        ({"weights": {"serving": 1}, "prefer": "best"}, ["choose in two ways", "remove one of them"]),
        ({"max_latency": 5}, ["unknown key 'decision.max_latency'", "did you mean 'max_latency_ms'?"]),
        ({"max_latency_ms": -1}, ["decision.max_latency_ms: input should be greater than or equal to 0"]),
        ({"cost": "disk"}, ["decision.cost: input should be 'serving', 'artifact' or 'training'"]),
    ],
)
def test_what_is_wrong_in_the_table_is_said(table, said):
    with pytest.raises(ConfigError) as caught:
        StudySpec.build({"version": 1, "decision": table}, "study.toml")
    for words in said:
        assert words in str(caught.value)


def test_another_decision_is_the_same_study():
    changed = StudySpec.build({"version": 1, "decision": {"max_latency_ms": 5, "prefer": "best"}}, "here")
    assert changed.fingerprint() == StudySpec.build({"version": 1}, "here").fingerprint()


def test_of_two_that_are_level_none_has_the_better_score(run):
    rng = np.random.default_rng(11)
    right = (rng.random((1, RECORDS)) < 0.8).astype(float)
    run.arm("few_shot", right)
    run.arm("zero_shot", rng.permutation(right.T).T)
    reason = run.verdict().reason
    assert "Recommended: zero_shot, which costs less than few_shot and is level with it as measured" in reason
    assert "has the better score" not in reason

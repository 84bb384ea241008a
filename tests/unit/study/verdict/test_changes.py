"""What would change the recommendation is worked out, and stays true when it is tried."""

import numpy as np
import pytest

from judged_run import RECORDS, Run
from tuneoff.core.cost import Cost
from tuneoff.study.verdict.change_words import told
from tuneoff.study.verdict.changes import left_out
from tuneoff.study.verdict.price import AXES, quality


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def _row(verdict, arm):
    return next(row for row in verdict.standings if row.arm == arm)


def _changes(verdict, kind):
    return {one.arm: one for one in verdict.changes if one.kind == kind}


def _draw(run, name, share, seed, seeds=1, **more):
    rng = np.random.default_rng(seed)
    run.arm(name, (rng.random((seeds, RECORDS)) < share).astype(float), seeds=seeds, **more)


def test_open_contrasts_of_the_recommended_arm_with_what_would_settle_them(run):
    _draw(run, "zero_shot", 0.80, 1)
    _draw(run, "few_shot", 0.80, 2)
    _draw(run, "lora", 0.85, 3, seeds=3)
    verdict = run.verdict(margin=0.1)
    assert verdict.recommended == "zero_shot"
    found = _changes(verdict, "evidence")
    pairs = [one for one in verdict.contrasts if "zero_shot" in (one.a, one.b) and one.kind == "open"]
    assert len(found) == len(pairs) > 0
    for pair in pairs:
        other = pair.a if pair.b == "zero_shot" else pair.b
        change = found[other]
        assert change.gain == pytest.approx(_row(verdict, other).mean - _row(verdict, "zero_shot").mean)
        assert (change.records, change.seeds, change.together) == (pair.more_records, pair.more_seeds, pair.together)
        if change.gain > 0:
            assert f"{other} is {100 * change.gain:.1f} points ahead of zero_shot" in told(change, verdict)
            assert told(change, verdict).endswith("If it is shown to be ahead, zero_shot is no longer recommended.")


def test_of_a_loss_the_smaller_one_is_ahead(run):
    rng = np.random.default_rng(5)
    run.arm("zero_shot", [rng.normal(1.0, 0.5, RECORDS).clip(0)], metric="nll")
    run.arm("lora", rng.normal(0.97, 0.5, (3, RECORDS)).clip(0), seeds=3, metric="nll")
    verdict = run.verdict(metric="nll")
    better = _row(verdict, "zero_shot").mean - _row(verdict, "lora").mean
    assert _changes(verdict, "evidence")["lora"].gain == pytest.approx(better)
    assert "nats" in told(verdict.changes[0], verdict)
    assert "points" not in " ".join(told(one, verdict) for one in verdict.changes)


def test_prices_at_which_another_arm_is_the_better_bargain(run):
    run.arm("zero_shot", 0.60)  # 40 tokens
    run.arm("lora", 0.80, seeds=3)  # 45 tokens
    run.arm("few_shot", 0.98)  # 300 tokens
    verdict = run.verdict()
    assert verdict.recommended == "few_shot"
    found = _changes(verdict, "price")
    assert (found["lora"].low, found["lora"].high) == (pytest.approx(18 / 255), pytest.approx(20 / 5))
    assert (found["zero_shot"].low, found["zero_shot"].high) == (pytest.approx(20 / 5), None)
    assert found["lora"].sure
    assert told(found["lora"], verdict) == (
        "lora (80.0 %) is preferred if a prompt token costs 0.071 to 4 points; it is measurably worse than few_shot."
    )
    assert "costs 4 points or more" in told(found["zero_shot"], verdict)


def test_a_weight_at_that_price_recommends_the_arm(run):
    """The rate between two winners is the weight at which the recommendation flips."""
    run.arm("few_shot", 0.81)
    run.arm("lora", 0.80, seeds=3)
    low = run.verdict({"weights": {"serving": 0.0}})
    assert low.recommended == "few_shot"
    flip = _changes(low, "price")["lora"].low
    assert flip == pytest.approx(1 / 255)
    assert run.verdict({"weights": {"serving": flip * 0.99}}).recommended == "few_shot"
    assert run.verdict({"weights": {"serving": flip * 1.01}}).recommended == "lora"
    twice = run.verdict({"weights": {"quality": 2.0, "serving": flip * 1.01}})
    assert twice.recommended == "few_shot"
    assert _changes(twice, "price")["lora"].low == pytest.approx(flip), "a rate is points per token at any scale"


def test_other_weights_go_off_before_the_price(run):
    run.arm("few_shot", 0.81, cost=Cost(prompt_tokens=300.0, train_s=0.0))
    run.arm("lora", 0.80, seeds=3, cost=Cost(prompt_tokens=100.0, train_s=60.0))
    verdict = run.verdict({"weights": {"training": 0.5}})
    assert _changes(verdict, "price")["lora"].low == pytest.approx((81 - 79.5) / 200)


@pytest.mark.parametrize(("cost", "unit"), [("artifact", "MB to keep"), ("training", "minute of training")])
def test_prices_are_those_of_the_chosen_cost(run, cost, unit):
    run.arm("zero_shot", 0.7, cost=Cost(prompt_tokens=9.0))
    run.arm("lora", 0.9, seeds=3, cost=Cost(prompt_tokens=9.0, artifact_bytes=2_000_000, train_s=120.0))
    change = _changes(run.verdict({"cost": cost}), "price")["zero_shot"]
    assert (change.axis, change.low, change.high) == (cost, pytest.approx(10.0), None)
    assert AXES[cost].unit == unit


def test_prices_hold_when_they_are_tried(run):
    """At a rate inside an arm's range, no winner and no arm on the front is worth more."""
    tokens = {"majority": 0, "zero_shot": 40, "soft_prompt": 90, "lora": 45, "few_shot": 300, "dora": 47}
    for at, (name, count) in enumerate(tokens.items()):
        _draw(run, name, 0.5 + 0.07 * at, at, cost=Cost(prompt_tokens=float(count)))
    verdict = run.verdict()
    names = {*verdict.winners, *verdict.facts["front"]}
    assert _changes(verdict, "price")
    for name, one in _changes(verdict, "price").items():
        rate = one.low + 1 if one.high is None else (one.low + one.high) / 2
        worth = {arm: quality(_row(verdict, arm), True) - rate * tokens[arm] for arm in names}
        assert max(worth, key=worth.get) == name


def test_a_limit_that_changes_the_answer_is_named(run):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.7, seeds=3)
    run.arm("dora", 0.9, seeds=3, cost=Cost(prompt_tokens=45.0, artifact_bytes=9_000_000, train_s=600.0))
    for arm, latency in (("zero_shot", 10.0), ("lora", 50.0), ("dora", 60.0)):
        run.axis(arm, "first_token_ms_1", latency)
    limits = {"max_latency_ms": 20, "max_artifact_mb": 5}
    verdict = run.verdict(limits)
    assert verdict.recommended == "zero_shot"
    found = [one for one in verdict.changes if one.kind == "limit"]
    assert [(one.axis, one.limit, one.arm) for one in found] == [("max_latency_ms", 20, "lora")]
    assert told(found[0], verdict) == "Without max_latency_ms = 20, lora would be recommended."
    assert run.verdict({"max_artifact_mb": 5}).recommended == "lora", "as it was said"


def test_a_limit_without_a_figure_is_named_by_its_key(run):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.9, seeds=3)
    verdict = run.verdict({"no_weights_access": True})
    assert [told(one, verdict) for one in verdict.changes if one.kind == "limit"] == [
        "Without no_weights_access, lora would be recommended."
    ]


def test_a_limit_that_rules_all_out_would_leave_an_answer(run):
    run.arm("lora", 0.9, seeds=3, cost=Cost(artifact_bytes=9_000_000))
    verdict = run.verdict({"max_artifact_mb": 5})
    assert verdict.recommended is None
    assert [(one.kind, one.arm) for one in verdict.changes] == [("limit", "lora")]


def test_what_the_budget_left_out_is_told_once(run):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.9, seeds=3)
    for detail in ("the second seed of lora.", "dora, all of it", "dora, all of it"):
        run.ledger.note("", "left out", detail)
    found = [one for one in run.verdict().changes if one.kind == "left out"]
    assert [one.detail for one in found] == ["the second seed of lora.", "dora, all of it"]
    assert told(found[0], run.verdict()) == "A larger budget would have room for more: the second seed of lora."


@pytest.mark.parametrize(
    ("events", "left"),
    [
        ("left:a left:b verdict", ["a", "b"]),
        ("left:a verdict study", ["a"]),  # judged anew with another margin: nothing ran
        ("left:a verdict start", []),  # the work went on under a larger budget
        ("left:a verdict left:b", ["b"]),
        ("left:a start verdict left:b start verdict", ["b"]),
        ("start left:a start", ["a"]),
    ],
)
def test_only_the_latest_run_counts(events, left):
    words = [word.partition(":") for word in events.split()]
    rows = [{"what": "left out" if what == "left" else what, "detail": detail} for what, _, detail in words]
    assert left_out(rows) == left

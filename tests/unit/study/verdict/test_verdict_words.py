"""The words of a verdict say what its figures say, whatever they are."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judged_run import TRAITS, Run
from tuneoff.core.cost import Cost
from tuneoff.study.outcome import Progress
from tuneoff.study.verdict.change_words import told
from tuneoff.study.verdict.price import price, quality

RECORDS = 60
ARMS = sorted(TRAITS)

arm = st.fixed_dictionaries(
    {
        "share": st.sampled_from([0.0, 0.3, 0.5, 0.55, 0.6, 0.9, 1.0]),
        "noisy": st.booleans(),
        "seeds": st.sampled_from([1, 2, 3]),
        "tokens": st.sampled_from([None, 0.0, 40.0, 45.0, 300.0]),
        "megabytes": st.sampled_from([0, 1, 5]),
        "latency": st.sampled_from([None, 20.0, 200.0]),
        "state": st.sampled_from(["tested", "tested", "tested", "failed", "dropped"]),
        "training": st.sampled_from([None, None, "flat", "improving", "unknown"]),
    }
)
tables = st.one_of(
    st.fixed_dictionaries(
        {
            "max_latency_ms": st.sampled_from([0, 100]),
            "max_artifact_mb": st.sampled_from([0, 0, 3]),
            "no_weights_access": st.sampled_from([False, False, True]),
            "cost": st.sampled_from(["serving", "artifact", "training"]),
            "prefer": st.sampled_from(["cheapest", "best"]),
        }
    ),
    st.fixed_dictionaries({"weights": st.sampled_from([{"serving": 0.01}, {"quality": 2.0, "artifact": 1.0}])}),
)


def judged(studied, table, margin, seed):
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), RECORDS)
        for name, one in studied.items():
            seeds = one["seeds"] if TRAITS[name].random else 1
            if one["state"] == "failed":
                run.ledger.fail(run.job(name), "out of memory")
                continue
            if one["state"] == "dropped":
                run.ledger.drop(run.job(name), "stopped early: behind another on validation at rung 1")
                continue
            drawn = (rng.random((seeds, RECORDS)) < one["share"]).astype(float)
            steady = np.arange(RECORDS) < one["share"] * RECORDS
            cost = Cost(prompt_tokens=one["tokens"], artifact_bytes=one["megabytes"] * 10**6, train_s=60.0)
            scores = drawn if one["noisy"] else np.tile(steady, (seeds, 1))
            ended = Progress(state=one["training"]) if TRAITS[name].trains and one["training"] else None
            run.arm(name, scores, seeds=seeds, cost=cost, progress=ended)
            if one["latency"] is not None:
                run.axis(name, "first_token_ms_1", one["latency"])
        verdict = run.verdict(table, margin=margin)
        run.ledger.close()
        return verdict


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(ARMS), arm, min_size=1, max_size=6),
    tables,
    st.sampled_from([0.0, 0.01, 0.2]),
    st.integers(0, 99),
)
def test_the_words_never_contradict_the_figures(studied, table, margin, seed):
    verdict = judged(studied, table, margin, seed)
    check_choice(verdict)
    check_ruled_out(verdict)
    check_headline(verdict)
    check_training(verdict)
    check_unfinished(verdict)
    check_figures(verdict)
    assert all(told(change, verdict) for change in verdict.changes)


def rows(verdict):
    return {row.arm: row for row in verdict.standings}


def kinds(verdict):
    return {frozenset((one.a, one.b)): one.kind for one in verdict.contrasts}


def check_choice(verdict):
    """Recommended is the leader, or a winner that is as good and that no other such winner undercuts."""
    decision, named = verdict.facts["decision"], rows(verdict)
    if not verdict.winners:
        assert verdict.recommended is None
        return
    pick = named[verdict.recommended]
    tied = [named[name] for name in verdict.winners]
    if decision["weights"]:
        assert pick.score is None or pick.score == max(row.score for row in tied if row.score is not None)
    elif decision["prefer"] == "best":
        assert quality(pick, True) == max(quality(row, True) for row in tied)
    else:
        leader, margin = verdict.winners[0], verdict.facts["margin"]
        good = [named[name] for name in verdict.winners if as_good(verdict, leader, name, margin)]
        ordered = [[float("inf") if part is None else part for part in price(row, decision["cost"])] for row in good]
        assert ordered[[row.arm for row in good].index(pick.arm)] == min(ordered)
    head = "So far" if verdict.so_far else "Recommended"
    assert f"{head}: {pick.arm}" in verdict.reason or len(verdict.facts["compared"]) == 1


def as_good(verdict, leader, name, margin):
    behind = rows(verdict)[leader].mean - rows(verdict)[name].mean
    return behind <= margin or kinds(verdict)[frozenset((leader, name))] == "practically_equal"


def check_ruled_out(verdict):
    out = {row.arm for row in verdict.standings if row.status == "ruled out"}
    compared = {name for one in verdict.contrasts for name in (one.a, one.b)}
    assert not out & (compared | {*verdict.winners} | {*verdict.facts["front"]})
    for row in verdict.standings:
        assert (row.mean is None) == (row.status != "tested")
        assert row.mean is not None or not re.search(rf"\b{row.arm} \(\d+\.\d %\)", verdict.reason)
        assert row.mean is not None or row.why in verdict.reason


def check_headline(verdict):
    leader, said = verdict.winners[:1], verdict.reason
    between = [kinds(verdict)[frozenset((*leader, name))] for name in verdict.winners[1:]]
    assert "different" not in between
    if " wins: " in said:
        assert len(verdict.winners) == 1
    if "too close to call" in said:
        assert "open" in between
    if re.search(r" are practically equal on ", said):
        assert set(between) == {"practically_equal"}
    if "Nothing here is measurably better" in said:
        assert any(rows(verdict)[name].baseline for name in verdict.winners)


def check_training(verdict):
    said, named, between = verdict.reason, rows(verdict), kinds(verdict)
    finalists = verdict.facts["compared"]
    trained = [name for name in finalists if named[name].tuned]
    rivals = [name for name in trained if name in verdict.winners]
    unsettled = [name for name in rivals if between.get(frozenset((name, verdict.recommended))) == "open"]
    if "Do not train" in said:
        assert not named[verdict.recommended].uses_weights
        assert trained
        assert not unsettled
    if "not shown to pay" in said:
        assert unsettled
    prompts = [name for name in finalists if named[name].prompt]
    if trained and prompts and " pay" in said:
        kind, lead = between[frozenset((trained[0], prompts[0]))], _lead(verdict, trained[0], prompts[0])
        if "Tuning pays" in said:
            assert (kind, lead > 0) == ("different", True)
        if "Tuning does not pay here" in said:
            assert (kind, lead < 0) == ("different", True)
    lone = trained and all(named[name].seed_spread == "unknown" for name in trained)
    if lone and "Do not train" in said:
        assert "Do not train for this, as far as one seed shows." in said


AGAINST = ("Nothing here is measurably", "does not pay", "practically equal here", "Do not train", "not shown to pay")


def check_unfinished(verdict):
    """Whatever more training could turn over is said so far, or not at all."""
    named, said = rows(verdict), verdict.reason
    unfinished = [
        row.arm for row in verdict.standings if row.training in ("improving", "unknown") and row.mean is not None
    ]
    assert list(verdict.unfinished) == unfinished
    assert [one.arm for one in verdict.changes if one.kind == "unfinished"] == unfinished
    others = [name for name in unfinished if (name,) != verdict.winners]
    assert verdict.answer.startswith("Unfinished: ") == bool(others)
    if unfinished:
        assert not any(words in said for words in AGAINST)
    if others:
        assert " wins: " not in said
        assert "So far" in said or len(verdict.facts["compared"]) == 1
    if verdict.recommended and len(verdict.facts["compared"]) > 1:
        later = [name for name in unfinished if name != verdict.recommended]
        assert (f"So far: {verdict.recommended}" in said) == bool(later)
    assert "could still rise" not in said or named[verdict.recommended].unfinished


def _lead(verdict, a, b):
    one = next(one for one in verdict.contrasts if {one.a, one.b} == {a, b})
    return one.diff if one.a == a else -one.diff


def check_figures(verdict):
    """Every figure that stands behind an arm's name is that arm's."""
    for name, figure in re.findall(rf"\b({'|'.join(rows(verdict))}) \((\d+\.\d) %\)", verdict.reason):
        assert figure == f"{100 * rows(verdict)[name].mean:.1f}"
    tested = [row for row in verdict.standings if row.mean is not None]
    if tested:
        assert f"Measured on {tested[0].n_test} test records" in verdict.reason
    if verdict.facts["smallest_visible"]:
        assert f"a difference below about {100 * verdict.facts['smallest_visible']:.1f} points" in verdict.reason


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_without_a_trained_arm_nothing_is_said_of_training(run):
    run.arm("zero_shot", 0.6)
    run.arm("few_shot", 0.9)
    assert "train" not in run.verdict().reason.lower()
    run.ledger.fail(run.job("lora"), "out of memory")
    assert "Whether training would pay is not known" in run.verdict().reason


def test_one_seed_says_nothing_of_a_method(run):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5)
    reason = run.verdict().reason
    assert "Tuning does not pay here, as far as one seed shows." in reason
    assert "Do not train for this, as far as one seed shows." in reason
    run.arm("dora", 0.4, seeds=3)
    assert "Do not train for this." in run.verdict().reason


def test_the_open_pair_is_the_one_that_is_told(run):
    rng = np.random.default_rng(3)
    steady = (rng.random(200) < 0.9).astype(float)
    run.arm("zero_shot", [steady])
    run.arm("few_shot", [steady])
    run.arm("lora", (rng.random((3, 200)) < 0.90).astype(float), seeds=3)
    verdict = run.verdict(margin=0.05)
    assert kinds(verdict)[frozenset(("zero_shot", "few_shot"))] == "practically_equal"
    assert "between zero_shot and lora the difference is" in verdict.reason


def test_smallest_visible_difference_and_records_always_stand_there(run):
    run.arm("few_shot", 0.9)
    run.arm("lora", 0.5, seeds=3)
    assert all(one.different for one in run.verdict().contrasts)
    assert "a difference below about " in run.verdict().reason
    assert "Measured on 200 test records" in run.verdict().reason

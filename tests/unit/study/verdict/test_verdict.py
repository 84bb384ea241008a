"""Verdicts on small ledgers whose outcomes are known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from judged_run import RECORDS, TRAITS, Run
from tuneoff.core.cost import Cost
from tuneoff.core.errors import StudyError
from tuneoff.study.outcome import Outcome
from tuneoff.study.verdict.judge import read_verdict, write_verdict


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def _noisy(rng, share, seeds, records=RECORDS):
    return (rng.random((seeds, records)) < share).astype(float)


def _row(verdict, arm):
    return next(row for row in verdict.standings if row.arm == arm)


def _pair(verdict, a, b):
    return next(row for row in verdict.contrasts if {row.a, row.b} == {a, b})


def test_a_clear_winner(run):
    rng = np.random.default_rng(0)
    run.arm("majority", 0.4, answers=["no"] * RECORDS)
    run.arm("few_shot", 0.6)
    run.arm("lora", _noisy(rng, 0.9, 3), seeds=3, validation=[0.8, 0.9, 0.7])
    verdict = run.verdict()
    assert verdict.winners == ("lora",)
    assert verdict.recommended == "lora"
    assert [row.arm for row in verdict.standings] == ["lora", "few_shot", "majority"]
    assert all(row.different and row.diff > 0 and row.kind == "different" for row in verdict.contrasts)
    assert "lora wins: accuracy" in verdict.reason
    assert "It is better than few_shot, the next best, by" in verdict.reason
    assert "Tuning pays." in verdict.reason
    assert "lora beats the baseline majority by" in verdict.reason
    assert "Recommended: lora. No other arm matches it." in verdict.reason
    assert "200 test records with 3 seeds of every arm that has randomness" in verdict.reason
    assert "Do not train" not in verdict.reason


def test_the_artifact_is_the_seed_best_on_validation_whatever_the_test_says(run):
    matrix = [[1.0] * 200, [1.0] * 100 + [0.0] * 100, [1.0] * 180 + [0.0] * 20]
    run.arm("lora", matrix, seeds=3, validation=[0.6, 0.9, 0.7])
    row = _row(run.verdict(), "lora")
    assert row.artifact == "artifacts/lora/0/1"
    assert row.artifact_mean == 0.5
    assert row.artifact_low == pytest.approx(0.431, abs=1e-3)
    assert row.mean == pytest.approx(0.8)
    assert row.validation == pytest.approx(2.2 / 3)
    assert row.high - row.low > row.artifact_high - row.artifact_low


def test_arms_that_are_worse_than_one_answer_to_everything_are_named(run):
    run.arm("majority", 0.4, answers=["no"] * RECORDS)
    run.arm("few_shot", 0.3, answers=["yes"] * RECORDS)
    run.arm("lora", 0.9)
    assert "No better than always saying 'no' (40.0 %): few_shot." in run.verdict().reason
    run.arm("few_shot", 0.5, seeds=2)
    assert "No better than always" not in run.verdict().reason


def test_nothing_better_than_the_majority(run):
    rng = np.random.default_rng(1)
    run.arm("majority", 0.63, answers=["no"] * RECORDS)
    run.arm("few_shot", _noisy(rng, 0.62, 1))
    run.arm("lora", _noisy(rng, 0.64, 3), seeds=3)
    verdict = run.verdict()
    assert set(verdict.winners) == {"majority", "few_shot", "lora"}
    assert verdict.recommended == "majority"
    assert verdict.reason.startswith(
        "Nothing here is measurably better than always saying 'no' (majority): accuracy 63.0 %"
    )
    assert "Training is not shown to pay for this." in verdict.reason
    assert "would settle it" in verdict.reason
    assert "Tuning" not in verdict.reason


def test_nothing_better_than_tfidf_and_worse_models(run):
    run.arm("tfidf", 0.9)
    run.arm("zero_shot", 0.4)
    verdict = run.verdict()
    assert verdict.winners == ("tfidf",)
    assert "Nothing here is measurably better than tfidf, which needs no language model" in verdict.reason
    assert "zero_shot, has 40.0 % and is behind by 50.0 points (95 % interval 43.0 to 57.0)" in verdict.reason
    assert "which is measurably worse" in verdict.reason


def test_a_tie_goes_to_the_leader_and_says_what_would_settle_it(run):
    rng = np.random.default_rng(2)
    run.arm("majority", 0.3, answers=["no"] * RECORDS)
    run.arm("few_shot", _noisy(rng, 0.8, 1))
    run.arm("lora", _noisy(rng, 0.83, 3), seeds=3)
    verdict = run.verdict()
    assert set(verdict.winners) == {"few_shot", "lora"}
    assert verdict.recommended == "lora"
    pair = _pair(verdict, "few_shot", "lora")
    assert pair.kind == "open"
    assert pair.more_records > 0
    assert f"bout {pair.more_records} more test records" in verdict.reason
    assert "are too close to call on accuracy" in verdict.reason
    assert "Whether tuning beats prompting is open." in verdict.reason
    assert "Recommended: lora, the best as measured of the 2 arms that may be the best (83.7 %)." in verdict.reason
    assert "would mostly not show" in verdict.reason


def test_a_tied_prompt_that_is_cheaper_says_do_not_train(run):
    run.arm("zero_shot", 0.8)
    run.arm("lora", 0.8, seeds=3)
    assert "Training is not shown to pay for this" in run.verdict(margin=0.0).reason, "open: nothing is inside 0"
    verdict = run.verdict(margin=0.05)
    pair = verdict.contrasts[0]
    assert (pair.kind, pair.p) == ("practically_equal", 1.0)
    assert verdict.recommended == "zero_shot"
    assert "practically equal on accuracy: the difference from zero_shot is at most 5.0 points." in verdict.reason
    assert "Recommended: zero_shot" in verdict.reason
    assert "Do not train for this." in verdict.reason


def test_prompting_that_beats_tuning(run):
    run.arm("few_shot", 0.9)
    run.arm("zero_shot", 0.7)
    run.arm("lora", 0.5, seeds=3)
    reason = run.verdict().reason
    assert "Tuning does not pay here: few_shot beats lora, the best tuned arm, by 40.0 points" in reason


def test_one_seed_of_a_random_arm_is_marked(run):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.8, validation=[0.8])
    verdict = run.verdict()
    assert _row(verdict, "lora").seed_spread == "unknown"
    assert _row(verdict, "zero_shot").seed_spread == "none"
    assert verdict.contrasts[0].note == "the seed spread of lora is unknown"
    assert "One seed only for lora" in verdict.reason


def test_a_failed_arm_is_a_row_with_its_reason(run):
    run.arm("zero_shot", 0.6)
    run.arm("few_shot", 0.7)
    for seed in range(3):
        run.ledger.fail(run.job("dora", seed), "out of memory")
    row = _row(run.verdict(arms=[*run.arms, "soft_prompt"]), "dora")
    assert (row.status, row.why, row.mean, row.n_test) == ("failed", "out of memory", None, 0)
    verdict = run.verdict(arms=[*run.arms, "soft_prompt"])
    assert _row(verdict, "soft_prompt").status == "not run"
    assert "Not tested: dora (failed: out of memory) and soft_prompt (not run: it was never started)." in verdict.reason
    assert "dora" not in {name for row in verdict.contrasts for name in (row.a, row.b)}


def test_an_arm_that_lost_a_seed_is_judged_on_the_others(run):
    rng = np.random.default_rng(3)
    run.arm("lora", _noisy(rng, 0.8, 2), seeds=2)
    run.arm("soft_prompt", _noisy(rng, 0.5, 3), seeds=3)
    run.ledger.fail(run.job("lora", 2), "loss was not a number")
    verdict = run.verdict()
    assert _row(verdict, "lora").seeds == 2
    assert _row(verdict, "lora").why == "1 of 3 seeds failed (seed 3): loss was not a number"
    assert verdict.winners == ("lora",)
    assert "lora: 1 of 3 seeds failed (seed 3): loss was not a number." in verdict.reason


def test_records_unscored_under_one_arm_leave_all(run):
    run.arm("zero_shot", 0.5, unscored=(0, 1, 199))
    run.arm("few_shot", 0.5)
    verdict = run.verdict()
    assert verdict.unscored == 3
    assert {row.n_test for row in verdict.standings} == {197}
    assert _row(verdict, "few_shot").mean == pytest.approx(98 / 197)
    assert "3 test records were left out for all arms" in verdict.reason


def test_an_arm_without_any_scored_record_takes_none_away(run):
    run.arm("zero_shot", 0.5, unscored=range(RECORDS))
    run.arm("few_shot", 0.5)
    verdict = run.verdict()
    assert verdict.unscored == 0
    assert (_row(verdict, "zero_shot").status, _row(verdict, "zero_shot").why) == ("unscored", "grader timed out")
    assert verdict.reason.startswith("Only few_shot was measured: accuracy 50.0 %")


def test_nothing_tested_at_all(run):
    run.job("zero_shot")
    run.ledger.fail(run.job("lora"), "out of memory")
    verdict = run.verdict()
    assert (verdict.winners, verdict.recommended, verdict.contrasts) == ((), None, ())
    assert "No arm has been measured on the test set" in verdict.reason
    assert "lora failed: out of memory" in verdict.reason
    assert "zero_shot unfinished: 1 of its 1 jobs are not done" in verdict.reason


def test_unreadable_answers_are_a_column(run):
    run.arm("zero_shot", 0.5, answers=["yes"] * 150 + [""] * 50)
    assert _row(run.verdict(), "zero_shot").unreadable == 0.25


def test_of_two_trials_validation_chooses(run):
    run.arm("lora", 0.9, validation=[0.5], trial=0)
    run.arm("lora", 0.6, validation=[0.7], trial=1)
    row = _row(run.verdict(), "lora")
    assert (row.mean, row.trials, row.artifact) == (0.6, 2, "artifacts/lora/1/0")


def test_unknown_cost_sorts_last_and_stays_unknown(run):
    run.arm("zero_shot", 0.8, cost=Cost(prompt_tokens=None))
    run.arm("few_shot", 0.8)
    verdict = run.verdict()
    assert verdict.recommended == "few_shot"
    assert _row(verdict, "zero_shot").cost["prompt_tokens"] is None


def test_every_arm_is_compared_with_the_best_one_and_the_others_are_shown(run):
    traits = {f"p{n}": TRAITS["few_shot"] for n in range(10)}
    for n in range(10):
        run.arm(f"p{n}", 0.3 + 0.02 * n)
    verdict = run.verdict(traits=traits)
    assert [(row.a, row.b) for row in verdict.contrasts[:9]] == [("p9", f"p{n}") for n in range(8, -1, -1)]
    assert len(verdict.contrasts) == 45
    assert {row.kind for row in verdict.contrasts if "p9" not in (row.a, row.b)} == {""}
    assert verdict.facts["compared"] == [f"p{n}" for n in range(9, -1, -1)]


def test_of_a_loss_less_is_better_and_is_told_in_nats(run):
    rng = np.random.default_rng(4)
    run.arm("zero_shot", [rng.normal(1.5, 0.3, RECORDS).clip(0)], metric="nll")
    run.arm("lora", rng.normal(0.4, 0.1, (3, RECORDS)).clip(0), seeds=3, metric="nll", validation=[0.5, 0.3, 0.4])
    verdict = run.verdict(metric="nll")
    assert verdict.winners == ("lora",)
    assert verdict.contrasts[0].a == "lora"
    assert verdict.contrasts[0].diff < 0
    assert _row(verdict, "lora").artifact == "artifacts/lora/0/1"
    assert "lora wins: loss 0.398 nats (95 % interval 0.388 to 0.409 nats)" in verdict.reason
    assert "%" not in verdict.reason.replace("95 %", "")
    assert "better than zero_shot, the next best, by 1.1" in verdict.reason


def test_macro_f1_goes_through_the_jackknife(run):
    rng = np.random.default_rng(5)
    target = (rng.random(RECORDS) < 0.2).astype(float)

    def rows(share, seeds):
        flips = rng.random((seeds, RECORDS)) > share
        return [[(t, abs(t - flip)) for t, flip in zip(target, row)] for row in flips]

    run.arm("zero_shot", rows(0.6, 1), metric="macro_f1")
    run.arm("lora", rows(0.95, 3), seeds=3, metric="macro_f1")
    verdict = run.verdict(metric="macro_f1")
    assert verdict.winners == ("lora",)
    row = _row(verdict, "lora")
    assert row.low < row.mean < row.high <= 1
    assert verdict == run.verdict(metric="macro_f1")


def test_further_metrics_are_reported_on_the_records_compared(run):
    run.arm("zero_shot", 0.5, unscored=(0,))
    run.ledger.finish_test(
        "zero_shot/0/0",
        Cost(),
        [
            Outcome(job="zero_shot/0/0", record=f"r{at:04}", metric="nll", split="test", stats=(value,))
            for at, value in ((0, 50.0), (1, 1.0), (2, 2.0))
        ],
    )
    run.arm("few_shot", 0.5)
    verdict = run.verdict(others=("nll",))
    assert _row(verdict, "zero_shot").others == {"nll": 1.5}
    assert _row(verdict, "few_shot").others == {"nll": None}


def test_what_is_different_from_the_best_is_no_winner(run):
    rng = np.random.default_rng(6)
    for name, share in (("zero_shot", 0.5), ("few_shot", 0.6), ("lora", 0.62), ("dora", 0.66)):
        run.arm(name, _noisy(rng, share, 1))
    verdict = run.verdict()
    best = verdict.facts["compared"][0]
    rows = [row for row in verdict.contrasts if row.a == best]
    assert all(row.different == (row.p_adjusted < 0.05) == (row.b not in verdict.winners) for row in rows)
    assert all(row.p_adjusted >= row.p / 2 for row in rows)


def test_files_and_methods_that_disagree_are_told(run):
    rng = np.random.default_rng(8)
    steady = _noisy(rng, 0.7, 1)[0]
    lucky = np.where(rng.random(RECORDS) < 0.5, 1.0, steady)
    run.arm("lora", np.stack([lucky, steady, 1 - lucky]), seeds=3, validation=[0.9, 0.5, 0.4])
    run.arm("soft_prompt", np.stack([steady] * 3), seeds=3)
    said = run.verdict().reason
    assert "As saved, lora's file is better than soft_prompt's by" in said
    assert "which is not shown of the methods: another seed may turn it over" in said
    run.arm("lora", np.stack([steady] * 3), seeds=3, validation=[0.9, 0.5, 0.4])
    assert "As saved" not in run.verdict().reason


def test_seeds_pair_by_number_and_a_plain_arm_stands_against_every_seed(run):
    matrix = np.zeros((3, RECORDS))
    matrix[0, :100], matrix[1, :120], matrix[2, :140] = 1, 1, 1
    run.arm("lora", matrix, seeds=3)
    run.arm("few_shot", matrix, seeds=3)
    run.arm("zero_shot", 0.5)
    verdict = run.verdict(traits=TRAITS | {"few_shot": replace(TRAITS["few_shot"], random=True)})
    assert _pair(verdict, "lora", "few_shot").diff == 0
    pair = _pair(verdict, "lora", "zero_shot")
    assert pair.diff == pytest.approx(0.1)
    assert pair.high - pair.low > 0.2  # three seeds 10 points apart: df is near 2


def test_what_seeds_add_is_pooled_over_trained_arms(run):
    rng = np.random.default_rng(5)
    alike = _noisy(rng, 0.7, 3)
    run.arm("soft_prompt", alike, seeds=3)
    run.arm("zero_shot", 0.5)
    alone = _pair(run.verdict(), "soft_prompt", "zero_shot")
    for name in ("lora", "dora"):
        run.arm(name, np.concatenate([_noisy(rng, share, 1) for share in (0.6, 0.7, 0.8)]), seeds=3)
    beside = _pair(run.verdict(), "soft_prompt", "zero_shot")
    assert beside.diff == pytest.approx(alone.diff)
    assert beside.high - beside.low > 1.1 * (alone.high - alone.low)


def test_verdict_json_is_read_back_whole(run, tmp_path):
    run.arm("zero_shot", 0.5)
    run.arm("lora", 0.8, seeds=3, validation=[0.8, 0.7, 0.9])
    run.ledger.set_meta("test_opened", "2")
    verdict = run.verdict()
    path = tmp_path / "verdict.json"
    write_verdict(verdict, path)
    assert read_verdict(path) == verdict
    table = json.loads(path.read_text())
    assert table["version"] == 5
    assert {"winners", "recommended", "standings", "contrasts", "answer", "reasons", "caveats"} <= set(table)
    assert {"arm", "metric", "mean", "low", "high", "n_test", "seeds", "cost"} <= set(table["standings"][0])
    assert {"a", "b", "diff", "low", "high", "p_adjusted", "different"} <= set(table["contrasts"][0])
    assert "The test set was opened 2 times." in table["caveats"]


def test_a_missing_or_foreign_verdict_is_explained(tmp_path):
    with pytest.raises(StudyError, match="holds no verdict yet"):
        read_verdict(tmp_path / "verdict.json")
    (tmp_path / "verdict.json").write_text('{"version": 9}')
    with pytest.raises(StudyError, match="another version of tuneoff") as error:
        read_verdict(tmp_path / "verdict.json")
    assert "version 9" in str(error.value)

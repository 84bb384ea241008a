"""What the race leaves behind: statuses, reasons, and the figures of jobs that stopped early."""

import pytest

from judged_run import Run
from tuneoff.core.cost import Cost
from tuneoff.evaluation.run import metric_named
from tuneoff.study.outcome import Outcome
from tuneoff.study.verdict.measured import pooled_by_job

WORSE = "stopped early: behind lora on validation at rung 2"
BEHIND = "not pursued: not among the best 2 of its trials at rung 1"


@pytest.fixture
def run(tmp_path):
    made = Run(tmp_path)
    made.arm("zero_shot", 0.5)
    return made


def _row(run, arm, **more):
    return next(row for row in run.verdict(**more).standings if row.arm == arm)


def _pause(run, arm, trial, rung, value):
    key = run.job(arm, 0, trial)
    row = Outcome(job=key, record="v", metric="accuracy", split="validation", stats=(value,), step=rung)
    run.ledger.pause(key, rung, Cost(train_s=1.0), [row])
    return key


def test_an_arm_that_was_dropped_says_why_and_how_far_it_came(run):
    for trial, (rung, value, why) in enumerate([(2, 0.6, WORSE), (1, 0.9, BEHIND), (1, 0.3, BEHIND)]):
        run.ledger.drop(_pause(run, "dora", trial, rung, value), why)
    row = _row(run, "dora")
    assert (row.status, row.why, row.mean, row.trials) == ("dropped", WORSE, None, 3)
    assert row.validation == 0.6, "the trial that came furthest, not the best of an earlier rung"
    verdict = run.verdict()
    assert f"Not tested: dora (stopped early, no claim is made: {WORSE})." in verdict.reason
    assert [(one.kind, one.arm, one.detail) for one in verdict.changes] == [("dropped", "dora", WORSE)]


def test_of_trials_dropped_at_one_rung_the_reason_is_the_arms(run):
    run.ledger.drop(_pause(run, "dora", 0, 1, 0.6), WORSE)
    run.ledger.drop(_pause(run, "dora", 1, 1, 0.5), BEHIND)
    assert _row(run, "dora").why == WORSE


def test_an_arm_that_waits_at_a_rung_is_unfinished(run):
    run.ledger.drop(_pause(run, "dora", 0, 1, 0.4), BEHIND)
    _pause(run, "dora", 1, 1, 0.6)
    row = _row(run, "dora")
    assert (row.status, row.why) == ("unfinished", "1 of its 2 jobs are not done")


def test_failed_and_dropped_is_dropped(run):
    run.ledger.fail(run.job("dora"), "out of memory")
    run.ledger.drop(_pause(run, "dora", 1, 1, 0.4), WORSE)
    assert _row(run, "dora").status == "dropped"


def test_a_dropped_trial_is_no_lost_seed(run):
    run.arm("lora", 0.8, seeds=3, validation=[0.8, 0.8, 0.8])
    run.ledger.drop(_pause(run, "lora", 1, 1, 0.4), BEHIND)
    row = _row(run, "lora")
    assert (row.status, row.why, row.trials, row.seeds) == ("tested", "", 2, 3)


def test_seeds_that_the_race_had_no_need_of_are_told(run):
    run.arm("lora", 0.3, validation=[0.4])
    for seed in (1, 2):
        run.ledger.drop(run.job("lora", seed), f"one seed is enough: {WORSE}")
    row = _row(run, "lora")
    assert row.why == f"2 further seeds were not run, one seed is enough: {WORSE}"
    assert row.seed_spread == "unknown"


def test_a_job_that_is_done_counts_by_what_it_left_behind(run):
    key = _pause(run, "lora", 0, 1, 0.95)
    last = Outcome(job=key, record="v", metric="accuracy", split="validation", stats=(0.7,))
    run.ledger.finish(key, Cost(), [last])
    assert pooled_by_job(run.ledger, metric_named("accuracy")) == {key: 0.7}


def test_an_arm_that_never_started_tried_nothing(run):
    assert _row(run, "dora", arms=[*run.arms, "dora"]).trials == 0
    assert _row(run, "zero_shot").trials == 1

"""Learning curves over data sizes: which jobs they need, what they show, where families cross."""

import pytest

from tiny_study import put_rows, rows, table
from tuneoff.core.errors import ConfigError
from tuneoff.evaluation.run import metric_named
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.report.sizes import crossings as told
from tuneoff.study.conduct import conduct
from tuneoff.study.curve import Crossing, FamilyCurve, Sized, crossings, curve_jobs, family_curves
from tuneoff.study.plan import make_plan
from tuneoff.study.seen import seen_of
from tuneoff.study.spec import StudySpec
from tuneoff.study.store import Ledger
from tuneoff.study.traits import Traits


def curve(family, *means, sizes=(16, 64, 256)):
    points = tuple(Sized(size, mean, mean - 0.1, mean + 0.1, 50) for size, mean in zip(sizes, means))
    return FamilyCurve(family, f"an arm of {family}", points)


TRAITS = {
    "an arm of prompting": Traits(family="prompting"),
    "an arm of baseline": Traits(family="baseline", needs_model=False),
    "an arm of peft": Traits(family="peft", uses_weights=True, trains=True, tuned=True),
}


def crossed(*tuned, up=True, prompting=(0.5, 0.5, 0.5)):
    (found,) = crossings([curve("prompting", *prompting), curve("peft", *tuned)], TRAITS, up)
    return found


def test_a_family_crosses_where_a_line_over_the_logarithm_of_sizes_does():
    assert crossed(0.4, 0.6, 0.7) == Crossing("peft", "prompting", 32)
    assert crossed(0.4, 0.45, 0.55).records == 128
    assert crossed(1.4, 0.6, 0.1, up=False, prompting=(0.9, 0.9, 0.9)).records == 38


def test_a_family_that_falls_back_has_not_crossed_yet():
    assert crossed(0.6, 0.4, 0.6).records == 128
    assert crossed(0.6, 0.6, 0.4) == Crossing("peft", "prompting", None)


def test_a_family_that_is_ahead_everywhere_or_nowhere():
    assert crossed(0.6, 0.7, 0.8) == Crossing("peft", "prompting", None, always=True)
    assert crossed(0.1, 0.2, 0.3) == Crossing("peft", "prompting", None)


def test_without_prompting_nothing_crosses_and_baselines_never_do():
    assert crossings([curve("peft", 1, 1, 1)], TRAITS, True) == []
    assert crossings([curve("prompting", 0, 0, 0), curve("baseline", 1, 1, 1)], TRAITS, True) == []


def test_only_sizes_that_both_have_are_compared():
    short = curve("peft", 0.4, 0.6, sizes=(16, 256))
    (found,) = crossings([curve("prompting", 0.5, 0.9, 0.5), short], TRAITS, True)
    assert found.records == 64


def test_the_words():
    rows = [
        {"family": "peft", "over": "prompting", "records": n, "always": a} for n, a in ((1200, 0), (None, 1), (None, 0))
    ]
    assert told({"crossings": rows}) == [
        "peft overtakes prompting at about 1,200 training records.",
        "peft is ahead of prompting at every size that was measured.",
        "peft does not stay ahead of prompting at any size that was measured.",
    ]
    assert told({}) == []


def test_sizes_are_numbers_of_records():
    with pytest.raises(ConfigError, match="1 or more"):
        StudySpec.build({"curve": [16, 0]}, "study.toml")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small study with a curve: (plan, ledger, ground, verdict, folder, base)."""
    folder = tmp_path_factory.mktemp("curve")
    put_rows(folder / "data.jsonl", rows())
    net, tokenizer = tiny_model("llama")
    base = Base(net, tokenizer, fingerprint="tiny")
    given = {**table(("zero_shot", "lora"), seeds=1), "folder": str(folder), "curve": [8, 4, 10**6]}
    plan = make_plan(StudySpec.build(given, "study.toml"))
    verdict = conduct(plan, folder / "run", lambda: base)
    ledger = Ledger(folder / "run" / "ledger.sqlite")
    yield plan, ledger, plan.ground("tiny"), verdict, folder, base
    ledger.close()


def test_each_familys_best_arm_learns_from_the_first_records(run):
    plan, ledger, ground, *_ = run
    jobs = curve_jobs(plan, seen_of(ledger, plan), ground)
    assert sorted({job.size for job in jobs}) == [4, 8]
    assert {plan.families[job.arm.name] for job in jobs} == set(plan.families.values())
    assert {row.key for row in ledger.curve_jobs() if row.status == "done"} == {job.key for job in jobs}
    assert plan.records(jobs[0]) == plan.data.train[:4]
    assert len({job.key for job in jobs}) == len(jobs)


def test_points_of_a_curve_stand_outside_the_race_and_the_test(run):
    _, ledger, *_ = run
    assert not any(row.size for row in ledger.jobs())
    keys = {row.key for row in ledger.curve_jobs()}
    assert not any(outcome.job in keys for outcome in ledger.outcomes(split="test", metric="accuracy"))


def test_the_whole_data_is_the_last_point(run):
    plan, ledger, ground, verdict, *_ = run
    curves = family_curves(plan, seen_of(ledger, plan), ledger, metric_named("accuracy"), ground)
    assert all([point.records for point in one.points] == [4, 8, len(plan.data.train)] for one in curves)
    assert all(point.n == len(plan.data.validation) for one in curves for point in one.points)
    assert [one["family"] for one in verdict.facts["sizes"]["curves"]] == [one.family for one in curves]


def test_few_records_are_seen_more_often(run):
    plan, ledger, ground, *_ = run
    job = next(job for job in curve_jobs(plan, seen_of(ledger, plan), ground) if job.arm.stages and job.size == 4)
    whole = plan.job(job.arm, 0, 0, ground)
    longest = plan.spec.train.epochs
    assert plan.schedule_of(job, 0).epochs == plan.schedule_of(whole, 0).epochs == longest, "as the person says"


def test_a_second_call_has_nothing_to_do(run):
    plan, _, _, verdict, folder, _ = run
    assert conduct(plan, folder / "run", lambda: pytest.fail("the model was opened")) == verdict

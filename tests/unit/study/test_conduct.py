"""A whole study on a tiny model: started, gone on with, grown, refused."""

import json
import shutil

import pytest
import torch
from filelock import FileLock

from conducted import ARMS, Study, tiny
from tiny_study import put_rows, rows, standings
from tuneoff.core.errors import ConfigError, ResourceError, StudyError
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger
from tuneoff.study.store import Ledger
from tuneoff.study.work import Worker

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base():
    return tiny()


@pytest.fixture(scope="module")
def finished(base, tmp_path_factory):
    """A finished study; tests copy it."""
    study = Study(tmp_path_factory.mktemp("finished"), base)
    study.verdict = study.conduct()
    return study


@pytest.fixture
def study(finished, tmp_path):
    """The finished study in a folder of its own."""
    copy = Study(tmp_path, finished.base)
    shutil.copytree(finished.run, copy.run)
    return copy


def started_and_tested(arm):
    """What a watch is told of one trained arm with two seeds."""
    fitted = [f"{arm}, seed 1 (stage 1 of 3)", f"{arm}, seed 1 (stage 2 of 3)", f"{arm}, seed 1", f"{arm}, seed 2"]
    return [*fitted, f"test: {arm}, seed 1", f"test: {arm}, seed 2"]


def refused(study, *words, **more):
    with pytest.raises(StudyError) as caught:
        study.conduct(*words, **more)
    return str(caught.value)


def test_the_verdict_is_written_with_everything_beside_it(finished):
    told = json.loads((finished.run / "verdict.json").read_text())
    arms = {row["arm"]: row for row in told["standings"]}
    assert set(arms) == {
        "majority",
        "tfidf",
        "linear_probe",
        "zero_shot",
        "zero_shot (calibrated)",
        "few_shot",
        "few_shot (calibrated)",
        "lora",
    }
    assert all(row["n_test"] == 20 and row["mean"] is not None for row in arms.values())
    assert {arm: row["seeds"] for arm, row in arms.items() if row["seeds"] == 2} == {
        "few_shot": 2,
        "few_shot (calibrated)": 2,
        "lora": 2,
    }
    assert arms["lora"]["cost"]["trainable"] > 0
    assert arms["lora"]["cost"]["train_tokens"] > 0
    assert arms["zero_shot"]["cost"]["trainable"] == 0
    assert told["test_opened"] == 1
    assert told["facts"]["measured_on"]["test_records"] == 20
    assert told["facts"]["machine"]["device"] == "cpu"
    assert told["winners"] == list(finished.verdict.winners)
    assert not (finished.run / "aside").exists()


def test_every_job_was_started_once_and_has_its_bundle(finished):
    assert set(finished.attempts().values()) == {1}
    for (arm, _, _), row in finished.jobs().items():
        assert (row["status"], row["tested"]) == ("done", 1)
        assert (finished.run / row["folder"] / "bundle.json").is_file() == (arm not in ("majority", "tfidf"))


def test_best_is_the_recommended_arms_bundle(finished):
    recommended = next(s for s in finished.verdict.standings if s.arm == finished.verdict.recommended)
    held = finished.run / recommended.artifact / "bundle.json"
    assert (finished.run / "best").is_dir() == held.is_file()
    if held.is_file():
        assert (finished.run / "best" / "bundle.json").read_bytes() == held.read_bytes()


def test_a_second_call_does_nothing(study, finished):
    before = (study.run / "verdict.json").read_bytes()
    assert study.conduct() == finished.verdict
    assert (study.opened, study.told.jobs, study.attempts()) == (0, [], finished.attempts())
    assert (study.run / "verdict.json").read_bytes() == before


def test_an_added_arm_runs_its_own_jobs_only(study, finished):
    verdict = study.conduct((*ARMS, "ia3"))
    new = {place: n for place, n in study.attempts().items() if place not in finished.attempts()}
    assert new == {("ia3", 0, 0): 1, ("ia3", 0, 1): 1}
    assert {place: n for place, n in study.attempts().items() if place not in new} == finished.attempts()
    assert study.told.jobs == started_and_tested("ia3")
    old, now = ({s.arm: s.mean for s in v.standings} for v in (finished.verdict, verdict))
    assert {arm: now[arm] for arm in old} == old
    assert verdict.test_opened == 2


def test_an_added_seed_runs_only_that_seed(study, finished):
    verdict = study.conduct(seeds=3)
    new = set(study.attempts()) - set(finished.attempts())
    assert new == {("few_shot", 0, 2), ("few_shot (calibrated)", 0, 2), ("lora", 0, 2)}
    assert set(study.attempts().values()) == {1}
    assert next(s for s in verdict.standings if s.arm == "lora").seeds == 3


def test_an_added_trial_runs_and_the_best_one_gets_the_seeds(study):
    study.conduct(("lora",), trials=2)
    assert {("lora", 0, 0), ("lora", 1, 0)} <= set(study.attempts())
    assert set(study.attempts().values()) == {1}


def test_an_arm_that_is_left_out_leaves_the_verdict_and_comes_back_unpaid(study, finished):
    without = study.conduct(("zero_shot", "few_shot"))
    assert "lora" not in {s.arm for s in without.standings}
    assert study.opened == 0
    again = study.conduct()
    assert [(s.arm, s.mean) for s in again.standings] == [(s.arm, s.mean) for s in finished.verdict.standings]
    assert study.attempts() == finished.attempts()


def test_another_name_for_an_arm_is_no_new_work(study, finished):
    verdict = study.conduct(("zero_shot", "few_shot", {"name": "mine", "use": "lora"}))
    assert study.told.jobs == []
    assert next(s for s in verdict.standings if s.arm == "mine").mean is not None
    assert sum(study.attempts().values()) == sum(finished.attempts().values())


def test_other_knobs_are_a_new_arm(study):
    study.conduct(methods={"lora": {"rank": 2}})
    assert study.told.jobs == started_and_tested("lora")


def test_another_margin_is_judged_anew_without_the_model(study, finished):
    verdict = study.conduct(margin=0.3)
    assert (verdict.facts["margin"], study.opened) == (0.3, 0)
    assert finished.verdict.facts["margin"] == 0.01


def test_a_verdict_that_was_never_written_is_written(study, finished):
    (study.run / "verdict.json").unlink()
    assert study.conduct() == finished.verdict
    assert study.opened == 0


def test_changed_data_is_refused(study):
    put_rows(study.folder / "data.jsonl", rows(140))
    assert refused(study).splitlines() == [
        "the data changed since this run began",
        f"  where:   {study.run}",
        "  fix:     bring the data back as it was, or give --out another folder for a new run",
    ]


@pytest.mark.parametrize(
    ("more", "change"),
    [
        ({"prompt": {"instruction": "Good?"}}, "[prompt] instruction: '' -> 'Good?'"),
        ({"train": {"batch_size": 3}}, "[train] batch_size: 8 -> 3"),
        ({"seed": 5}, "seed: 0 -> 5"),
    ],
)
def test_a_changed_study_is_refused(study, more, change):
    assert refused(study, **more).splitlines() == [
        "the study file changed since this run began",
        f"  where:   {study.run}",
        f"  found:   {change}",
        "  fix:     undo the change (arms, seeds, trials may grow), or give --out another folder for a new run",
    ]
    assert study.conduct() is not None, "and nothing was spoiled"


def test_a_changed_model_is_refused(study, finished):
    study.base = tiny(seed=1, fingerprint="other")
    assert refused(study, (*ARMS, "ia3")).splitlines() == [
        "the model's files changed since this run began",
        f"  where:   {study.run}",
        "  found:   other",
        "  allowed: tiny",
        "  fix:     bring the model back, or give --out another folder for a new run",
    ]
    assert study.attempts() == finished.attempts()


def test_another_process_is_running_it(study):
    with FileLock(study.run / ".lock"):
        assert "another process is running this study" in refused(study)
    study.conduct()


def test_the_lock_is_given_back_after_an_error(study):
    refused(study, seed=5)
    study.conduct()


def test_the_same_study_elsewhere_gives_the_same_figures(finished, base, tmp_path):
    other = Study(tmp_path, base)
    other.conduct()
    assert standings(other.run) == standings(finished.run)


def test_a_failing_arm_is_a_row_and_the_others_go_on(base, tmp_path):
    study = Study(tmp_path, base)
    verdict = study.conduct(("zero_shot", {"name": "none", "use": "lora", "lora": {"targets": ["nowhere"]}}))
    row = next(s for s in verdict.standings if s.arm == "none")
    assert (row.status, row.mean) == ("failed", None)
    assert row.why
    assert study.told.failures == {"none, seed 1": row.why}
    assert next(s for s in verdict.standings if s.arm == "zero_shot").mean is not None
    assert f"none (failed: {row.why})" in verdict.reason
    assert ("none", 0, 1) not in study.attempts(), "no further seed of what fails"
    study.conduct(("zero_shot", {"name": "none", "use": "lora", "lora": {"targets": ["nowhere"]}}))
    assert study.told.jobs == [], "what failed is not tried again"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("out of memory\nwith details"), "RuntimeError: out of memory"),
        (ValueError(), "ValueError"),
        (ZeroDivisionError("by 0"), "ZeroDivisionError: by 0"),
    ],
)
def test_reasons_of_failures(base, tmp_path, monkeypatch, error, expected):
    fit = Worker.fit

    def failing(self, job, rung, tick):
        if job.arm.name == "lora":
            raise error
        return fit(self, job, rung, tick)

    monkeypatch.setattr(Worker, "fit", failing)
    study = Study(tmp_path, base)
    verdict = study.conduct(("zero_shot", "lora"))
    assert next(s for s in verdict.standings if s.arm == "lora").why == expected
    ledger = Ledger(study.run / "ledger.sqlite")
    (trace,) = [event["detail"] for event in ledger.events() if event["what"] == "traceback"]
    ledger.close()
    assert "in failing" in trace
    monkeypatch.setattr(Worker, "fit", fit)
    again = study.conduct(("zero_shot", "lora"), retry=True)
    assert next(s for s in again.standings if s.arm == "lora").status == "tested"
    assert study.attempts()["lora", 0, 0] == 2
    assert study.attempts()["zero_shot", 0, 0] == 1
    assert again.test_opened == 2, "what is tested later opens the test again, and that is counted"


def test_a_full_disk_is_nobodys_failure(base, tmp_path, monkeypatch):
    fit = Worker.fit

    def full(self, job, rung, tick):
        if job.arm.name == "lora":
            raise OSError(28, "No space left on device")
        return fit(self, job, rung, tick)

    study = Study(tmp_path, base)
    monkeypatch.setattr(Worker, "fit", full)
    with pytest.raises(ResourceError, match="the disk is full"):
        study.conduct(("zero_shot", "lora"))
    assert study.jobs()["lora", 0, 0]["status"] == "running"
    monkeypatch.setattr(Worker, "fit", fit)
    verdict = study.conduct(("zero_shot", "lora"))
    assert all(s.mean is not None for s in verdict.standings)
    assert {place: n for place, n in study.attempts().items() if n > 1} == {("lora", 0, 0): 2}


def test_a_study_broken_off_anywhere_ends_the_same(finished, base, tmp_path, monkeypatch):
    """Every few writes to the ledger the process dies; each start goes on."""
    study = Study(tmp_path, base)
    note, calls = Ledger.note, 0

    def dying(self, job, what, detail=""):
        nonlocal calls
        calls += 1
        note(self, job, what, detail)
        if calls % 7 == 0:
            raise SystemExit

    monkeypatch.setattr(Ledger, "note", dying)
    starts = 0
    while True:
        starts += 1
        try:
            study.conduct()
            break
        except SystemExit:
            assert starts < 30
    assert starts > 3
    assert standings(study.run) == standings(finished.run)


def test_what_the_watch_is_told(base, tmp_path):
    study = Study(tmp_path, base)
    study.conduct(("zero_shot", "lora"), seeds=1)
    assert (study.told.phases[0], study.told.phases[-1]) == ("loading model", "judging")
    assert study.told.jobs[:4] == ["majority", "tfidf", "linear_probe", "zero_shot"]
    assert "test: lora, seed 1" in study.told.jobs
    assert (3, 3, None) in study.told.steps
    assert any(value is not None for _, _, value in study.told.steps)


def test_over_long_records_are_found_before_anything_runs(base, tmp_path):
    study = Study(tmp_path, base)
    long = {"text": "long " * 400, "label": "good"}
    put_rows(tmp_path / "data.jsonl", [*rows(), long])
    everything = {"train_records": 0, "validation_records": 0, "test_records": 0}
    with pytest.raises(Exception, match="1 of 121 records is longer than the model can read") as caught:
        study.conduct(data=everything)
    assert "data.jsonl:121" in str(caught.value)
    assert study.jobs() == {}
    verdict = study.conduct(("zero_shot",), data=everything | {"too_long": "truncate_right"})
    assert all(s.mean is not None for s in verdict.standings)
    assert any("1 of 121 records will be cut (truncate_right) to 512 tokens" in notice for notice in study.told.notices)


def test_a_study_in_8_bits_tells_what_they_change(base, tmp_path, monkeypatch):
    study = Study(tmp_path, base)
    monkeypatch.setattr("tuneoff.models.int8.int8_speed", lambda: 0.5)
    with pytest.raises(ConfigError, match="no faster in 8 bits"):
        study.conduct(("zero_shot", "lora"), model={"int8": True})
    monkeypatch.setattr("tuneoff.models.int8.int8_speed", lambda: 2.0)
    verdict = study.conduct(("zero_shot", "lora"), model={"int8": True})
    told = verdict.facts["machine"]["int8"]
    assert 1 <= told["records"] <= 16
    assert 0 < told["nats"] < 1
    assert 0 < told["gradient"] < 1
    paths, remark = facts(verdict, open_ledger(study.run), folder=study.run).spent.remarks
    assert paths.startswith("fast paths: packed rows, ")
    assert remark.startswith(f"trained in 8 bits (on {told['records']} records a right answer's log-probability moved")
    monkeypatch.setattr("tuneoff.models.int8.int8_speed", lambda: 0.5)
    again = study.conduct(("zero_shot", "lora", "ia3"), model={"int8": True})
    assert again.facts["machine"]["int8"] == told, "what was begun goes on, on a slower processor too"


def test_8_bits_are_not_asked_of_a_processor_that_trains_nothing_in_them(base, tmp_path, monkeypatch):
    monkeypatch.setattr("tuneoff.models.int8.int8_speed", lambda: 0.5)
    verdict = Study(tmp_path, base).conduct(("zero_shot", "full"), model={"int8": True})
    assert "int8" not in verdict.facts["machine"]


def test_a_failure_at_the_test_is_a_row_too(base, tmp_path, monkeypatch):
    test = Worker.test

    def failing(self, job, cost):
        if job.arm.name == "lora" and job.seed == 1:
            raise RuntimeError("out of memory")
        return test(self, job, cost)

    monkeypatch.setattr(Worker, "test", failing)
    study = Study(tmp_path, base)
    row = next(s for s in study.conduct(("zero_shot", "lora")).standings if s.arm == "lora")
    assert (row.seeds, row.why) == (1, "1 of 2 seeds failed (seed 2): RuntimeError: out of memory")
    study.conduct(("zero_shot", "lora"))
    assert study.told.jobs == []


def test_what_needs_the_weights_is_run_once_the_limit_is_lifted(base, tmp_path):
    study = Study(tmp_path, base)
    barred = study.conduct(("zero_shot", "lora"), decision={"no_weights_access": True}, budget="10m")
    assert {row.arm: row.status for row in barred.standings}["lora"] == "ruled out"
    assert not any(arm == "lora" for arm, _, _ in study.jobs())
    assert not any("lora" in label for label in study.told.jobs)
    lifted = study.conduct(("zero_shot", "lora"))
    assert {row.arm: row.status for row in lifted.standings}["lora"] == "tested"

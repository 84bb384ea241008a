"""A whole study on a tiny model: figures beside quality are in its ledger, its report and its verdict; once."""

import json
from contextlib import closing

import pytest

from tiny_study import put_model, put_study, tuneoff
from tuneoff.study.axes.artifact import GROUPS
from tuneoff.study.store import Ledger

ARMS = ("zero_shot", "soft_prompt_after")
ALL = {name for names in GROUPS.values() for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("beside")
    put_model(place)
    run(place)
    return place


def run(place, **measure):
    done = tuneoff(place, "run", put_study(place, ARMS, seeds=1, measure=measure))
    assert done.returncode == 0, done.stderr
    return done


def axes(place):
    with closing(Ledger(place / "runs" / "tiny" / "ledger.sqlite")) as ledger:
        arms = {job.key: job.arm for job in ledger.jobs()}
        return {(arms[row.job], row.name): row for row in ledger.axes()}


def test_every_arm_has_every_figure_or_its_reason(folder):
    found = axes(folder)
    assert {arm for arm, _ in found} == {
        "zero_shot",
        "zero_shot (calibrated)",
        "soft_prompt_after",
        "majority",
        "tfidf",
        "linear_probe",
    }
    assert all({name for arm, name in found if arm == one} == ALL for one, _ in found)
    assert all(row.value is not None or row.why for row in found.values())
    assert found["soft_prompt_after", "retention_drift"].value > 0
    assert found["zero_shot", "retention_drift"].value == 0


def test_the_report_and_the_verdict_show_them(folder):
    run_folder = folder / "runs" / "tiny"
    assert 'id="beside"' in (run_folder / "report.html").read_text(encoding="utf-8")
    assert "robustness and memorisation of each saved artifact" in tuneoff(folder, "show", run_folder, "--all").stdout
    rows = {row["arm"]: row for row in json.loads((run_folder / "verdict.json").read_text())["standings"]}
    told, found = rows["soft_prompt_after"]["axes"], axes(folder)
    assert told["memorised"] == found["soft_prompt_after", "memorised"].value


def test_they_are_taken_once_and_anew_where_measure_changed(folder):
    before = axes(folder)
    run(folder)
    assert axes(folder) == before, "times differ whenever they are taken"
    run(folder, records=5, retention=False)
    after = axes(folder)
    assert after["soft_prompt_after", "memorised"].n == 5
    assert after["soft_prompt_after", "retention_drift"] == before["soft_prompt_after", "retention_drift"]

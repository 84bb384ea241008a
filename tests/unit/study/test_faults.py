"""A fast path broken on purpose, and other things that fail unexpectedly: seen everywhere, and never in silence."""

import json
import warnings

import pytest
import torch
from typer.testing import CliRunner

from conducted import Study, tiny
from tiny_study import table
from tuneoff import compare
from tuneoff.cli.main import app
from tuneoff.core.errors import BrokenPathWarning, DataError, StudyError
from tuneoff.engine import packed
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger
from tuneoff.report.html import write_report
from tuneoff.report.text import paint
from tuneoff.study import conduct as module
from tuneoff.study.faults import Faults, Stopped, fault_sentences
from tuneoff.study.store import Ledger
from tuneoff.study.work import Worker

ARMS = ("zero_shot", "lora")
BROKEN = "fast path broken: packed rows failed with TypeError: "
PLAIN = "the slower plain path is taken"


@pytest.fixture
def broken(monkeypatch):
    """As transformers 5.24 broke it: the cache is handed more than it takes."""
    monkeypatch.setattr(packed.Pass, "update", lambda self, keys: keys)


def as_a_person_runs_it(study, **more):
    """Where nothing makes an error of the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BrokenPathWarning)
        return study.conduct(ARMS, **more)


def events(run, what):
    ledger = Ledger(run / "ledger.sqlite")
    found = [event["detail"] for event in ledger.events() if event["what"] == what]
    ledger.close()
    return found


def test_a_broken_path_is_on_the_screen_in_the_ledger_the_verdict_and_the_report(broken, tmp_path, capsys):
    from rich.console import Console

    study = Study(tmp_path, tiny(seed=3, fingerprint="broken"))
    verdict = as_a_person_runs_it(study)
    (flag,) = verdict.flags
    assert flag.startswith(BROKEN)
    assert flag.endswith(PLAIN)
    assert flag in study.told.notices
    assert study.told.notices[0].startswith("fast paths: none; not: packed rows (TypeError: ")
    assert next(s for s in verdict.standings if s.arm == "lora").mean is not None, "the plain path did the work"
    written = json.loads((study.run / "verdict.json").read_text())
    assert written["flags"] == [flag]
    assert written["facts"]["paths"]["packed rows"].startswith("TypeError: ")
    assert events(study.run, "fault") == [flag]
    (trace,) = events(study.run, "traceback")
    assert "in run_packed" in trace
    ledger = open_ledger(study.run)
    paint(facts(verdict, ledger, folder=study.run), Console(width=200))
    ledger.close()
    shown = capsys.readouterr().out
    assert f"! {BROKEN}" in shown
    assert "fast paths: none; not: packed rows (TypeError: " in shown
    page = write_report(study.run, {}).read_text()
    assert "fast path broken: packed rows failed with TypeError" in page
    assert "fast paths: none; not: packed rows" in page


def test_a_broken_path_fails_a_test(broken, tmp_path):
    with pytest.raises(BrokenPathWarning, match=BROKEN):
        Study(tmp_path, tiny(seed=4, fingerprint="failing")).conduct(ARMS)


def test_strict_stops_at_a_broken_path(broken, tmp_path):
    study = Study(tmp_path, tiny(seed=5, fingerprint="strict"))
    with pytest.raises(StudyError, match=BROKEN) as caught:
        as_a_person_runs_it(study, strict=True)
    assert "leave out --strict to go on without it" in str(caught.value)
    assert study.told.jobs == [], "nothing was trained"
    assert len(events(study.run, "traceback")) == 1


def test_strict_from_the_command_line_and_from_python(broken, tmp_path, monkeypatch):
    study = Study(tmp_path, tiny(seed=6, fingerprint="shell"))
    (tmp_path / "study.toml").write_text(_toml(table(ARMS)))
    monkeypatch.setattr(module, "open_checked", lambda plan: study.base)
    monkeypatch.setattr("tuneoff.api.open_checked", lambda plan: study.base)
    warnings.simplefilter("ignore", BrokenPathWarning)  # each test has filters of its own
    done = CliRunner().invoke(app, ["run", str(tmp_path / "study.toml"), "--out", str(study.run), "--strict"])
    assert done.exit_code == 2
    assert BROKEN in done.stderr
    with pytest.raises(StudyError, match=BROKEN):
        compare(tmp_path / "study.toml", out=tmp_path / "other", strict=True)


def _toml(given):
    import tomli_w

    return tomli_w.dumps(given)


def test_a_run_says_which_paths_it_took(tmp_path):
    study = Study(tmp_path, tiny(seed=8, fingerprint="whole"))
    verdict = study.conduct(ARMS)
    line = "fast paths: packed rows, last layer where read, upper layers alone; not: fused attention (it needs an "
    assert study.told.notices == [f"{line}NVIDIA GPU)"]
    assert verdict.flags == ()
    assert verdict.facts["paths"] == {
        "packed rows": "",
        "last layer where read": "",
        "upper layers alone": "",
        "fused attention": "it needs an NVIDIA GPU",
    }
    assert events(study.run, "fault") == events(study.run, "traceback") == []


def test_what_fails_in_company_is_told_and_done_alone(tmp_path, monkeypatch):
    def broken(self, group, rung, tick):
        raise KeyError("spans")

    monkeypatch.setattr(Worker, "fit_together", broken)
    study = Study(tmp_path, tiny(seed=9, fingerprint="company"))
    verdict = study.conduct(("lora", "ia3"), seeds=1)
    assert {s.arm for s in verdict.standings if s.status == "tested"} >= {"lora", "ia3"}
    (flag,) = verdict.flags
    assert flag == "lora, seed 1 and 1 more failed in one pass, and are trained one by one, slower (KeyError: 'spans')"
    assert flag in study.told.notices
    assert "in broken" in events(study.run, "traceback")[0]
    (tmp_path / "strict").mkdir()
    with pytest.raises(Stopped, match="KeyError: 'spans'"):
        Study(tmp_path / "strict", study.base).conduct(("lora", "ia3"), seeds=1, strict=True)


def test_a_recommendation_that_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "effort_in", lambda *_: 1)
    monkeypatch.setattr(module, "keep_advice", lambda *_, **__: [][0])
    verdict = (study := Study(tmp_path, tiny(seed=10, fingerprint="opinion"))).conduct(ARMS)
    (flag,) = verdict.flags
    assert flag.startswith("the recommendation before training failed, and the study goes on without it (IndexError: ")
    assert flag in study.told.notices


@pytest.mark.parametrize("error", [DataError("a person can fix this"), torch.OutOfMemoryError("full"), MemoryError()])
def test_what_is_expected_is_told_but_is_no_fault(tmp_path, error):
    ledger, told = Ledger(tmp_path / "ledger.sqlite", create=True), []
    Faults(ledger, told.append, strict=True).met("lora left out", error)
    assert len(told) == 1
    assert told[0].startswith("lora left out (")
    assert fault_sentences(ledger.events()) == ()
    assert [event["what"] for event in ledger.events()] == ["traceback"]
    ledger.close()


def test_a_failed_job_stops_a_strict_run(tmp_path, monkeypatch):
    monkeypatch.setattr(Worker, "fit", lambda self, job, rung, tick: 1 / 0)
    study = Study(tmp_path, tiny(seed=11, fingerprint="job"))
    with pytest.raises(Stopped, match=r"failed \(ZeroDivisionError: division by zero\)"):
        study.conduct(ARMS, strict=True)

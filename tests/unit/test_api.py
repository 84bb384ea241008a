"""compare, tune and load on a tiny model."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

import tuneoff
from tiny_study import QUICK, SMALL, put_model, put_rows, put_study, rows
from tuneoff.core.errors import ConfigError, DataError, StudyError
from tuneoff.study.steps import Watch

torch.set_num_threads(1)
TABLES = {"data": dict(SMALL), "train": dict(QUICK)}


@pytest.fixture
def place(tmp_path, monkeypatch):
    put_model(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Counting(Watch):
    def __init__(self):
        self.jobs = []

    def job(self, label, work_done, work_left):
        self.jobs.append(label)


def test_compare_rows_then_go_on_and_load(place):
    words = {"arms": ["zero_shot", "lora"], "model": "model", "seeds": 1, "out": "runs/one", "tables": TABLES}
    verdict = tuneoff.compare(rows(), instruction="Good or bad?", **words)
    assert {s.arm for s in verdict.standings} >= {"majority", "zero_shot", "lora"}
    assert verdict.study == "one"
    assert (place / "runs/one/data.jsonl").is_file()
    watch = Counting()
    assert tuneoff.compare(rows(), instruction="Good or bad?", watch=watch, **words) == verdict
    assert watch.jobs == []
    again = tuneoff.compare(place / "runs/one/study.toml", out="runs/again")
    assert [(s.arm, s.mean) for s in again.standings] == [(s.arm, s.mean) for s in verdict.standings]
    ready = tuneoff.load("runs/one", "lora")
    assert ready.answer(["x y !! 1"])[0] in ("good", "bad")
    assert ready.tuned.task.instruction.startswith("Good or bad?")
    with pytest.raises(StudyError, match="this folder holds a run on other rows"):
        tuneoff.compare(rows(130), **words)


def test_compare_reads_a_study_file(place):
    study = put_study(place, ["zero_shot"], seeds=1)
    verdict = tuneoff.compare(study, out="runs/two")
    assert [s.arm for s in verdict.standings if s.family == "prompting"]
    assert (place / "runs/two/verdict.json").is_file()


def test_tune_one_arm(place):
    put_rows(place / "data.jsonl", rows())
    ready = tuneoff.tune("data.jsonl", "soft_prompt_after", model="model", out="runs/three", tables=TABLES)
    assert ready.tuned.arm == "soft_prompt_after"
    answers = ready.answer(["x y !! 1", {"text": "z ?? 2"}])
    assert set(answers) <= {"good", "bad"}
    (bundle,) = (place / "runs/three/jobs").iterdir()
    assert tuneoff.load(bundle).answer(["x y !! 1", {"text": "z ?? 2"}]) == answers


def test_tune_without_a_knob_that_is_known(place):
    put_rows(place / "data.jsonl", rows())
    with pytest.raises(ConfigError, match="unknown key 'rnak'"):
        tuneoff.tune("data.jsonl", "lora", model="model", tables={**TABLES, "methods": {"lora": {"rnak": 3}}})


def test_a_table_for_the_prompt_and_an_instruction_go_together(place):
    put_rows(place / "data.jsonl", rows())
    tables = {**TABLES, "prompt": {"list_labels": False}}
    ready = tuneoff.tune("data.jsonl", "zero_shot", model="model", instruction="Well?", out="r", tables=tables)
    assert ready.tuned.task.instruction == "Well?"


def test_the_package_names_three_calls():
    assert set(tuneoff.__all__) == {"__version__", "compare", "load", "tune"}
    assert not hasattr(tuneoff, "nothing")


def test_frames_are_rows(place):
    frame = pd.DataFrame(rows())
    frame["when"], frame["score"] = pd.Timestamp("2024-01-02"), np.float32(4.4)
    ready = tuneoff.tune(frame, "zero_shot", model="model", out="r", tables=TABLES)
    first = json.loads((place / "r/data.jsonl").read_text().splitlines()[0])
    assert first == {**rows()[0], "when": "2024-01-02 00:00:00", "score": 4.4}
    asked = [row["text"] for row in rows()[:3]]
    assert ready.answer(frame[:3]) == ready.answer(asked)


def test_rows_that_are_none_are_reported_before_anything_is_written(place):
    with pytest.raises(DataError) as error:
        tuneoff.tune([*rows(), {"text": "x \ud83d", "label": "good"}], "zero_shot", model="model", out="r")
    assert "half a character" in str(error.value)
    assert f"given rows:{len(rows()) + 1}" in str(error.value)
    assert not (place / "r/data.jsonl").exists()

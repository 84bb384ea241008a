"""Answers from a finished run: any arm of it, labelled or unlabelled records, from a file or from standard input."""

import io
import json
import sys

import pytest
import torch

from tiny_study import put_model, put_rows, put_study, rows
from tuneoff.core.errors import DataError, StudyError
from tuneoff.data.record import Record
from tuneoff.study.conduct import conduct, open_base
from tuneoff.study.plan import make_plan
from tuneoff.study.predict import answer_records, open_ready, read_questions, spec_of
from tuneoff.study.spec import read_spec

torch.set_num_threads(1)
QUESTIONS = [{"text": row["text"]} for row in rows(6, seed=5)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run on the tiny model."""
    folder = tmp_path_factory.mktemp("predict")
    put_model(folder)
    spec = read_spec(put_study(folder, ("zero_shot", "lora"), seeds=1, prompt={"instruction": "Good or bad?"}))
    conduct(make_plan(spec), folder / "run", lambda: open_base(spec))
    return folder / "run"


@pytest.fixture
def questions(tmp_path):
    return str(put_rows(tmp_path / "new.jsonl", QUESTIONS))


def message(*words):
    with pytest.raises(StudyError) as caught:
        answer_records(*words)
    return str(caught.value)


def test_records_without_answers_are_read(run, questions):
    records = read_questions(run, questions).records
    assert [record.fields for record in records] == QUESTIONS
    assert {record.target for record in records} == {""}


@pytest.mark.parametrize(
    "arm", ["", "zero_shot", "zero_shot (calibrated)", "lora", "linear_probe", "majority", "tfidf"]
)
def test_every_arm_answers_records_without_answers(run, questions, arm):
    answers = answer_records(run, arm, read_questions(run, questions).records)
    assert len(answers) == 6
    assert set(answers) <= {"good", "bad"}


def test_answers_do_not_depend_on_the_answers_given(run, tmp_path):
    plain = read_questions(run, str(put_rows(tmp_path / "a.jsonl", QUESTIONS))).records
    for label in ("good", "bad", "neither"):
        told = put_rows(tmp_path / f"{label}.jsonl", [{**row, "label": label} for row in QUESTIONS])
        assert answer_records(run, "lora", read_questions(run, str(told)).records) == answer_records(run, "lora", plain)


def test_the_run_answers_its_test_records_as_it_was_judged(run):
    plan = make_plan(spec_of(run))
    answers = answer_records(run, "lora", plan.data.test)
    right = sum(answer == record.target for answer, record in zip(answers, plan.data.test))
    told = json.loads((run / "verdict.json").read_text())
    row = next(s for s in told["standings"] if s["arm"] == "lora")
    assert right / len(answers) == pytest.approx(row["artifact_mean"])


def test_from_standard_input(run, monkeypatch):
    text = "".join(json.dumps(row) + "\n" for row in QUESTIONS)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert [record.fields for record in read_questions(run, "-").records] == QUESTIONS


def test_a_bundle_stands_alone(run, questions):
    told = json.loads((run / "verdict.json").read_text())
    artifact = run / next(s for s in told["standings"] if s["arm"] == "lora")["artifact"]
    assert spec_of(artifact) is None
    records = read_questions(artifact, questions).records
    assert answer_records(artifact, "", records) == answer_records(run, "lora", records)


def test_ready_takes_texts_mappings_and_records(run):
    ready = open_ready(run, "lora")
    text = QUESTIONS[0]["text"]
    answers = {ready.answer([each])[0] for each in (text, {"text": text}, Record(fields={"text": text}, target="good"))}
    assert len(answers) == 1
    assert ready.answer([]) == []


def test_a_record_longer_than_the_context_is_refused_as_in_the_study_unless_it_may_be_cut(run):
    with pytest.raises(DataError) as caught:
        open_ready(run, "lora").answer(["word " * 500, "x", "word " * 600])
    said = str(caught.value)
    assert said.startswith("2 of 3 records are longer than the model can read")
    assert "record 1  2,5" in said
    assert "record 3  3,0" in said
    assert "allowed: 512 tokens" in said
    assert "--too-long truncate_right, or too_long= in tuneoff.load" in said
    with pytest.warns(UserWarning, match="^of 2 records 1 were cut to fit$"):
        assert open_ready(run, "lora", too_long="truncate_right").answer(["word " * 500, "x"])[0] in ("good", "bad")


def test_an_unknown_arm(run):
    assert message(run, "lroa", []).splitlines() == [
        "no finished arm 'lroa'",
        f"  where:   {run}",
        "  allowed: " + ", ".join(s["arm"] for s in json.loads((run / "verdict.json").read_text())["standings"]),
        "  fix:     did you mean 'lora'?",
    ]


def test_a_baseline_answers_rows_too(run):
    ready = open_ready(run, "tfidf")
    assert ready.answer(["x !! 1", {"text": "x ?? 2", "other": 3}]) == ["good", "bad"]
    assert ready.answer([]) == []
    with pytest.raises(DataError, match="that the answers were learned on: 'text'"):
        ready.answer([{"txet": "x"}])


def test_columns_that_are_not_there(run, tmp_path):
    file = put_rows(tmp_path / "odd.jsonl", [{"txet": "a"}])
    with pytest.raises(DataError) as caught:
        read_questions(run, str(file))
    assert "'txet'" in str(caught.value)


def test_a_folder_without_a_run(tmp_path):
    assert message(tmp_path, "", []).startswith("this folder holds no run")


def test_a_changed_model_is_not_answered_with(run, questions, tmp_path):
    told = json.loads((run / "verdict.json").read_text())
    artifact = run / next(s for s in told["standings"] if s["arm"] == "lora")["artifact"]
    facts = json.loads((artifact / "bundle.json").read_text())
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in artifact.iterdir():
        if file.is_file():
            (copy / file.name).write_bytes(file.read_bytes())
    facts["base"]["fingerprint"] = "another"
    (copy / "bundle.json").write_text(json.dumps(facts))
    said = message(copy, "", read_questions(copy, questions).records)
    assert said.startswith("this bundle was made for another model")
    assert "allowed: another" in said

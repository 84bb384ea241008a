"""tuneoff predict: records in, JSON lines out."""

import csv
import json

import pytest
import torch
from typer.testing import CliRunner

import tuneoff
from tiny_study import put_model, put_rows, put_study, rows
from tuneoff.cli.main import app
from tuneoff.models.tiny import save_tiny
from tuneoff.study.conduct import conduct, open_base
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import read_spec

torch.set_num_threads(1)
RUN = CliRunner()
QUESTIONS = [{"text": row["text"], "id": f"é{at}"} for at, row in enumerate(rows(4, seed=9))]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict_verb")
    put_model(folder)
    spec = read_spec(put_study(folder, ["zero_shot"], seeds=1))
    conduct(make_plan(spec), folder / "run", lambda: open_base(spec))
    return folder / "run"


@pytest.fixture
def questions(tmp_path):
    return put_rows(tmp_path / "new.jsonl", QUESTIONS)


def test_one_json_line_per_record(run, questions):
    result = RUN.invoke(app, ["predict", str(run), str(questions), "--arm", "zero_shot"])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["text"] for line in lines] == [row["text"] for row in QUESTIONS]
    assert [line["id"] for line in lines] == [row["id"] for row in QUESTIONS], "columns that are not asked about stay"
    assert all(line["prediction"] in ("good", "bad") for line in lines)


def test_into_a_file(run, questions, tmp_path):
    out = tmp_path / "out.jsonl"
    result = RUN.invoke(app, ["predict", str(run), str(questions), "-a", "tfidf", "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert f"wrote 4 answers to {out}" in result.stderr
    assert len(out.read_text(encoding="utf-8").splitlines()) == 4
    again = RUN.invoke(app, ["predict", str(run), str(questions), "-o", str(out)])
    assert again.exit_code == 2
    assert "the output file exists" in again.stderr
    assert "remove it, or give --out another name" in again.stderr


def test_the_ending_says_the_format(run, questions, tmp_path):
    out = tmp_path / "out.csv"
    assert RUN.invoke(app, ["predict", str(run), str(questions), "-a", "tfidf", "-o", str(out)]).exit_code == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["text"], row["id"]) for row in rows] == [(row["text"], row["id"]) for row in QUESTIONS]
    odd = RUN.invoke(app, ["predict", str(run), str(questions), "-a", "tfidf", "-o", str(tmp_path / "out.pdf")])
    assert odd.exit_code == 2
    assert "cannot tell the format to write" in odd.stderr
    assert ".jsonl" in odd.stderr


def test_a_prediction_takes_no_column_away(run, tmp_path):
    told = put_rows(tmp_path / "told.jsonl", [{**row, "answer": "mine"} for row in QUESTIONS])
    result = RUN.invoke(app, ["predict", str(run), str(told), "--arm", "majority"])
    assert {json.loads(line)["answer"] for line in result.stdout.splitlines()} == {"mine"}


def test_standard_input(run):
    text = "".join(json.dumps(row) + "\n" for row in QUESTIONS)
    result = RUN.invoke(app, ["predict", str(run), "--arm", "majority"], input=text)
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 4


def test_empty_standard_input(run):
    result = RUN.invoke(app, ["predict", str(run)], input="")
    assert result.exit_code == 2
    assert "no records in it" in result.stderr


def test_a_base_model_that_was_moved_can_be_named(run, questions, tmp_path):
    bundle = next(path.parent for path in run.glob("jobs/*/bundle.json"))
    model = run.parent / "model"
    before = RUN.invoke(app, ["predict", str(bundle), str(questions)]).stdout
    moved = model.rename(tmp_path / "moved")
    try:
        for folder in ([str(run), str(questions), "--arm", "zero_shot"], [str(bundle), str(questions)]):
            lost = RUN.invoke(app, ["predict", *folder])
            assert lost.exit_code == 2
            assert "the base model is not where it was when this arm was made" in lost.stderr
            assert f"no folder {model}" in lost.stderr
            assert "tuneoff predict ... --model FOLDER" in lost.stderr
            found = RUN.invoke(app, ["predict", *folder, "--model", str(moved)])
            assert found.exit_code == 0, found.output
        assert found.stdout == before
        assert tuneoff.load(bundle, model=moved).answer(["x !! 1"])[0] in ("good", "bad")
        other = RUN.invoke(app, ["predict", *folder, "--model", str(save_tiny(tmp_path / "other", seed=1))])
        assert other.exit_code == 2
        assert "this bundle was made for another model" in other.stderr
        assert str(tmp_path / "other") in other.stderr
    finally:
        moved.rename(model)


def test_labels_with_names_come_with_the_codes_of_the_data(tmp_path):
    put_model(tmp_path)
    spec = read_spec(put_study(tmp_path, ["zero_shot"], seeds=1, data={"labels": {"good": "it is good", "bad": "bad"}}))
    conduct(make_plan(spec), tmp_path / "run", lambda: open_base(spec))
    new = put_rows(tmp_path / "new.jsonl", QUESTIONS)
    told = json.loads((tmp_path / "run" / "verdict.json").read_text())
    bundle = tmp_path / "run" / next(s for s in told["standings"] if s["arm"] == "zero_shot")["artifact"]
    for asked in ([str(tmp_path / "run"), str(new), "-a", "tfidf"], [str(bundle), str(new)]):
        result = RUN.invoke(app, ["predict", *asked])
        assert result.exit_code == 0, result.output
        said = [json.loads(line) for line in result.stdout.splitlines()]
        assert {(row["prediction"], row["prediction_code"]) for row in said} <= {("it is good", "good"), ("bad", "bad")}
    assert tuneoff.load(bundle).codes == {"it is good": "good", "bad": "bad"}

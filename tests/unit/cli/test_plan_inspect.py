"""tuneoff plan and tuneoff inspect: what would run, and what the model would see."""

import pytest
import torch
from typer.testing import CliRunner

from tiny_study import put_model, put_rows, put_study, rows
from tuneoff.cli.main import app
from tuneoff.study.budget import forecast

torch.set_num_threads(1)
RUN = CliRunner()


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    put_model(tmp_path)
    return put_study(tmp_path, ["zero_shot", "few_shot", "lora"], trials=2, prompt={"instruction": "Good [or] bad?"})


def said(*words):
    result = RUN.invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_plan(study):
    text = said("plan", study, "--quick")
    assert "24 train, 12 validation, 20 test records" in text
    assert "task: choice, scored by accuracy (also macro_f1, nll)" in text
    assert "labels: bad, good" in text
    assert "instruction: Good [or] bad? Answer with one of: bad, good." in text
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "lora 2 2 3 parameter-efficient fine-tuning" in rows
    assert "few_shot 2 2 - prompting" in rows
    assert "majority 1 1 - baseline" in rows
    assert "linear_probe 1 1 - probing" in rows
    assert "14 jobs: every trial with one seed" in text
    assert f"next  tuneoff inspect {study}  (see what is trained)\n      tuneoff run {study}" in text


def test_a_quick_plan_does_not_need_the_model(tmp_path):
    text = said("plan", "--quick", put_study(tmp_path, ["lora"], model={"name": "nowhere"}))
    assert "task: choice" in text
    assert "Recommendation before" not in text


def test_the_plan_names_the_columns_that_are_not_used(tmp_path):
    put_rows(tmp_path / "data.jsonl", [{**row, "id": at, "tools": "[]"} for at, row in enumerate(rows())])
    assert "columns not used: id, tools" in said("plan", "--quick", put_study(tmp_path, ["zero_shot"]))


def test_system_and_history_are_in_what_the_model_sees(tmp_path):
    put_model(tmp_path)
    before = {"system": "You are a pirate.", "history": [["Ho", "Ahoy"]]}
    tables = [{**before, "instruction": f"And {n}?", "input": "", "output": f"arr {n}"} for n in range(120)]
    put_rows(tmp_path / "data.jsonl", tables)
    text = said("inspect", put_study(tmp_path, ["zero_shot"]), "--records", "1")
    assert text.index("You are a pirate.") < text.index("Ho") < text.index("Ahoy") < text.index("And ")


def test_options_are_in_what_the_model_sees(tmp_path):
    put_model(tmp_path)
    put_rows(tmp_path / "data.jsonl", [{"question": f"{n}?", "option_a": "left", "option_b": "right", "answer": n % 2}
                                       for n in range(120)])  # fmt: skip
    text = said("inspect", put_study(tmp_path, ["zero_shot"]), "--records", "1")
    assert "A: left\nB: right" in text
    assert "Answer with one of: A, B." in text


def test_the_plan_advises(study):
    text = said("plan", study)
    for factor in ("data alignment", "task uniqueness", "data quantity", "compute", "limits"):
        assert f"\n{factor} " in text
    assert "bits per byte" in text
    assert "fast paths: packed rows, last layer where read, upper layers alone; not: fused attention (it needs" in text
    assert "zero_shot (calibrated): accuracy" in text
    assert "24 training records; 2 classes, 12 records per class" in text
    assert "one job of each arm: majority" in text
    assert "none set under [decision]" in text
    order = [line for line in text.splitlines() if line.startswith("  1. ")]
    assert len(order) == 1
    assert text.index("Recommendation before training") < text.index("why:") < text.index("next  ")


def test_the_plan_takes_ones_own_general_text(study, tmp_path):
    result = RUN.invoke(app, ["plan", str(study), "--general-text", str(tmp_path / "none.txt")])
    assert result.exit_code == 2
    assert "the general text cannot be read" in result.output


def test_the_plan_says_what_is_ruled_out(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    put_model(tmp_path)
    text = said("plan", put_study(tmp_path, ["zero_shot", "lora"], decision={"no_weights_access": True}))
    assert "-  full fine-tuning: it needs the model's weights, which the study rules out" in text
    assert "left out, no_weights_access is set" in text


def test_inspect_shows_prompt_and_trained_tokens(study):
    text = said("inspect", study, "--arm", "lora", "--records", 2)
    assert text.count("data.jsonl:") == 2
    assert text.count("⟦") == text.count("⟧") == 2
    assert "Good [or] bad? Answer with one of: bad, good." in text
    assert "<bos><|im_start|>user" in text
    assert "⟦good<|im_end|>⟧" in text or "⟦bad<|im_end|>⟧" in text


def test_inspect_shows_demonstrations(study):
    assert said("inspect", study, "--arm", "few_shot", "-n", 1).count("<|im_start|>assistant") == 9


def test_inspect_takes_the_first_arm_with_a_model(study):
    assert said("inspect", study, "-n", 1) == said("inspect", study, "-n", 1, "--arm", "zero_shot")


@pytest.mark.parametrize(("arm", "hint"), [("lroa", "did you mean 'lora'?"), ("majority", "allowed: zero_shot")])
def test_inspect_of_an_arm_without_a_model(study, arm, hint):
    result = RUN.invoke(app, ["inspect", str(study), "--arm", arm])
    assert result.exit_code == 2
    assert f"no arm {arm!r} with a model" in result.output
    assert hint in result.output


def test_inspect_shows_further_right_answers_beside_the_trained_one(tmp_path):
    put_model(tmp_path)
    put_rows(tmp_path / "data.jsonl", [{"question": f"q {n}", "answer": [f"a {n}", f"b {n}"]} for n in range(60)])
    text = said("inspect", put_study(tmp_path, ["zero_shot"]), "-n", 1)
    number = text.split("also right: b ")[1].split()[0]
    assert f"⟦a {number}<|im_end|>⟧" in text


@pytest.mark.parametrize("budget", ["", "2h"])
def test_only_a_run_with_a_budget_measures_and_counts_it(study, monkeypatch, budget):
    took, fit = [], forecast.fit_budget
    monkeypatch.setattr(forecast, "fit_budget", lambda made, rates: took.append(rates.took_s) or fit(made, rates))
    said("plan", put_study(study.parent, ["zero_shot"], budget=budget))
    assert [seconds > 0 for seconds in took] == [bool(budget)]

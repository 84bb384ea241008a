"""Measured once a run, kept beside its ledger, and measured again on other ground."""

import json
from dataclasses import replace

import pytest
import torch

from made_advice import factors
from tiny_study import put_rows, rows, table
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.advice import adviser
from tuneoff.study.advice.advice import ADVICE, advise, read_advice
from tuneoff.study.advice.adviser import compute_of, control, keep_advice, measure_advice
from tuneoff.study.advice.factors import Compute
from tuneoff.study.budget.forecast import ArmForecast, Forecast, Total
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import DecisionSpec, StudySpec
from tuneoff.study.work import Worker

torch.set_num_threads(1)


@pytest.fixture
def worker(tmp_path):
    put_rows(tmp_path / "data.jsonl", rows())
    net, tokenizer = tiny_model("llama")
    base = Base(net, tokenizer, fingerprint="tiny")

    def of(arms=("zero_shot", "lora"), **more):
        spec = StudySpec.build({**table(arms, **more), "folder": str(tmp_path)}, "study.toml")
        return Worker(make_plan(spec), base, tmp_path)

    return of


def test_all_factors_are_measured(worker, tmp_path):
    (tmp_path / "own.txt").write_text("Some plain words of ordinary text, and a few more of them. " * 3)
    forecast = Compute(best_s=50.0, worst_s=60.0)
    made = measure_advice(worker(), forecast, tmp_path / "own.txt")
    assert made.ground == worker().plan.ground("tiny")
    assert made.seconds > 0
    assert made.factors.compute == forecast
    assert made.factors.parameters == sum(weight.numel() for weight in worker().base.net.parameters())
    assert made.factors.families["lora"] == "parameter-efficient fine-tuning"
    assert made.factors.alignment.inputs.general.n < 20  # a short file
    assert made.factors.uniqueness.prompts
    assert made.factors.quantity.records == 24
    assert made == advise(made.factors, made.ground, made.seconds)


def test_it_is_measured_once(worker, tmp_path, monkeypatch):
    first = keep_advice(worker(), tmp_path)
    assert read_advice(tmp_path / ADVICE) == first
    monkeypatch.setattr(adviser, "measure_advice", None)
    assert keep_advice(worker(), tmp_path) == first
    assert keep_advice(worker(seeds=5, arms=["zero_shot"]), tmp_path) == first  # arms may be added, the ground stays


def test_other_ground_is_measured_anew(worker, tmp_path, monkeypatch):
    made = iter([advise(factors(), worker().plan.ground("tiny")), advise(replace(factors(), parameters=5), "other")])
    monkeypatch.setattr(adviser, "measure_advice", lambda worker, compute, effort: next(made))
    first = keep_advice(worker(), tmp_path)
    second = keep_advice(worker(prompt={"instruction": "Well?"}), tmp_path)
    assert first != second
    assert read_advice(tmp_path / ADVICE) == second


def test_the_file_is_plain_json(worker, tmp_path):
    keep_advice(worker(), tmp_path)
    told = json.loads((tmp_path / ADVICE).read_text())
    assert told["version"] == 1
    assert set(told["factors"]["quantity"]["rise"]) == {"value", "low", "high", "n"}
    assert all(lean["source"] for lean in told["opinion"]["leanings"])


def test_the_same_figures_on_a_fresh_worker(worker):
    assert measure_advice(worker()).factors == measure_advice(worker()).factors


def test_the_forecast_as_a_factor():
    total = Total({"first seed": 10.0, "test": 5.0}, 100)
    arms = tuple(
        ArmForecast(arm=arm, rung_s=1.0, run_s=run_s, test_s=1.0, tokens=9, peak_bytes=peak)
        for arm, run_s, peak in (("zero_shot", 2.0, None), ("lora", 6.0, 700))
    )
    made = compute_of(Forecast(arms=arms, best=total, worst=Total({"test": 40.0}, 0)))
    assert made == Compute(best_s=15.0, worst_s=40.0, peak_bytes=700, arms={"zero_shot": 2.0, "lora": 6.0})


def test_control():
    assert control(DecisionSpec()).ruled_out == {}
    barred = control(DecisionSpec(no_weights_access=True, max_latency_ms=100))
    assert {"prompt tuning", "parameter-efficient fine-tuning", "full fine-tuning"} <= set(barred.ruled_out)
    assert not {"baseline", "prompting"} & set(barred.ruled_out)
    assert barred.later == ("max_latency_ms = 100",)

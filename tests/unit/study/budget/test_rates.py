"""Rates are measured on every kind of arm, keep nothing, and leave the base as it was."""

from dataclasses import replace

import pytest
import torch

from tiny_study import put_rows, rows, table
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.budget.rates import FEWEST, ArmRate, Probe, Rates, measure_rates, rate_key, spread
from tuneoff.study.bundle import TunedPart, tensors_of
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec

torch.set_num_threads(1)

KINDS = ("zero_shot", "few_shot", "lora", "soft_prompt_after", "full", "lora -> soft_prompt", "full -> lora")
QUESTIONS = [{"question": f"What is {n} plus {n + 1}?", "answer": f"It is {2 * n + 1}."} for n in range(60)]


@pytest.fixture(scope="module")
def base():
    net, tokenizer = tiny_model("llama")
    return Base(net, tokenizer, fingerprint="tiny")


def plan_of(folder, *arms, tables=None, **more):
    put_rows(folder / "data.jsonl", rows() if tables is None else tables)
    return make_plan(StudySpec.build({**table(arms, **more), "folder": str(folder)}, "study.toml"))


def weights(base):
    return {name: p.detach().clone() for name, p in base.net.state_dict().items()}


def test_every_arm_is_measured_and_nothing_stays(base, tmp_path):
    plan = plan_of(tmp_path, *KINDS)
    before, run = weights(base), tmp_path / "run"
    rates = measure_rates(plan, base, run, before_s=1.5)
    assert all(torch.equal(before[name], p) for name, p in base.net.state_dict().items())
    assert not any(p.requires_grad for p in base.net.parameters())
    assert [path for path in run.rglob("*") if path.is_file()] == []
    assert rates.covers(plan.arms)
    assert rates.before_s == 1.5
    assert rates.took_s > 0
    for arm in plan.arms:
        rate = rates.of(arm)
        assert len(rate.tokens) == len(rate.token_s) == len(arm.stages)
        assert all(each > 0 for each in (*rate.tokens, *rate.token_s))
        assert (rate.peak_bytes is not None) == bool(arm.stages)
        assert rate.start_s > 0
        if not arm.baseline:
            assert rate.record_s + rate.first_s > 0
            assert rate.keep_s > 0 < rate.open_s


def test_contexts_that_are_kept_cost_the_first_time_only(base, tmp_path, monkeypatch):
    """By a clock that says 8 s, then 2 s."""
    plan = plan_of(tmp_path, "soft_prompt_after", "lora")
    probe = Probe(plan, base, tmp_path / "run")
    for name, kept in (("soft_prompt_after", True), ("lora", False)):
        clock = iter((8.0, 2.0))
        monkeypatch.setattr("tuneoff.study.budget.rates._seconds", lambda run, clock=clock: (run(), next(clock))[1])
        job = plan.job(plan.arm(name), 0, 0, "made")
        (part,) = job.arm.stages[0].parts
        (tensors,) = tensors_of(probe._fresh(job, 0, job.arm.stages[0]))
        tuned = replace(probe._untuned(job), parts=(TunedPart(part.name, part.method, tensors),))
        rate = ArmRate(**probe._answering(tuned))
        assert list(clock) == ([] if kept else [2.0])
        assert 0 < rate.shared_s < 8
        assert rate.record_s == pytest.approx((2 if kept else 8 - rate.shared_s) / probe.few)
        assert rate.first_s == pytest.approx((8 - 2 - rate.shared_s) / probe.few if kept else 0)


@pytest.mark.parametrize("allowance_s", [0.01, 20.0])
def test_free_text_is_measured_by_writing(base, tmp_path, allowance_s):
    small = {"train_records": 16, "validation_records": 6, "test_records": 6}
    plan = plan_of(tmp_path, "zero_shot", "lora", tables=QUESTIONS, data=small)
    before = weights(base)
    rates = measure_rates(plan, base, tmp_path / "run", allowance_s=allowance_s)
    assert all(torch.equal(before[name], p) for name, p in base.net.state_dict().items())
    lora, untrained = (rates.of(plan.arm(name)) for name in ("lora", "zero_shot"))
    answers = [len(base.chat.answer_ids(record.target)) for record in plan.data.train]
    assert lora.record_s > 0
    assert lora.writing.tokens == pytest.approx(sum(answers) / len(answers)), "it learns to answer as it is shown"
    assert lora.writing.longest == max(answers)
    assert lora.writing.rows == untrained.writing.rows == 6
    assert untrained.writing.step_s + untrained.writing.token_s > 0
    assert Rates.read(rates.as_json()) == rates


def test_labels_are_not_written(base, tmp_path):
    plan = plan_of(tmp_path, "zero_shot")
    assert measure_rates(plan, base, tmp_path / "run").of(plan.arm("zero_shot")).writing is None


def test_what_is_known_is_not_measured_again(base, tmp_path, monkeypatch):
    few = plan_of(tmp_path, "zero_shot", "lora")
    known = Rates.read(measure_rates(few, base, tmp_path / "run").as_json())
    asked = []
    monkeypatch.setattr(Probe, "measure", lambda self, arms: [(arm, ArmRate()) for arm in asked.extend(arms) or arms])
    assert measure_rates(few, base, tmp_path / "run", known=known) is known
    more = plan_of(tmp_path, "zero_shot", "lora", "ia3")
    rates = measure_rates(more, base, tmp_path / "run", known=known)
    assert [arm.name for arm in asked] == ["ia3"]
    assert rates.of(more.arm("lora")) == known.of(few.arm("lora"))


def test_rates_are_read_back_as_they_were_written(base, tmp_path):
    rates = measure_rates(plan_of(tmp_path, "zero_shot", "lora -> soft_prompt"), base, tmp_path / "run")
    assert Rates.read(rates.as_json()) == rates


def test_arms_that_take_equally_long_share_a_rate(tmp_path):
    quick = {"name": "quick", "use": "lora", "lora": {"lr": 5e-3}}
    wide = {"name": "wide", "use": "lora", "lora": {"rank": 64}}
    plan = plan_of(tmp_path, "zero_shot", "lora", quick, wide)
    keys = {arm.name: rate_key(arm) for arm in plan.arms}
    assert keys["zero_shot"] == keys["zero_shot (calibrated)"]
    assert keys["lora"] == keys["quick"]
    assert len(set(keys.values())) == 6  # two baselines, the probe, one prompt, two widths


def test_a_probe_is_given_time_to_read_all_records_and_to_learn(base, tmp_path):
    plan = plan_of(tmp_path, "zero_shot")
    rates = measure_rates(plan, base, tmp_path / "run")
    prompt, probe = rates.of(plan.arm("zero_shot")), rates.of(plan.arm("linear_probe"))
    assert probe.start_s > prompt.start_s + len(plan.data.train) * probe.record_s
    assert probe.record_s > 0
    assert probe.first_s == 0  # nothing is kept of what it reads
    assert probe.token_s == ()


def test_an_arm_that_breaks_is_given_no_time(base, tmp_path, monkeypatch):
    plan = plan_of(tmp_path, "lora", "ia3", "soft_prompt")
    broken = plan.arm("ia3").stages[0].parts[0].method
    monkeypatch.setattr(type(broken), "leave", lambda *_: 1 / 0, raising=False)
    monkeypatch.setattr(type(broken), "enter", lambda *_: 1 / 0, raising=False)
    met = []
    rates = measure_rates(plan, base, tmp_path / "run", met=lambda what, error: met.append((what, type(error))))
    assert rates.of(plan.arm("ia3")) == ArmRate()
    assert rates.of(plan.arm("lora")).token_s[0] > 0
    together = "lora, seed 1 and 2 more could not be measured in one pass, and are measured one by one"
    alone = "how long ia3 takes could not be measured, and is left out of it"
    assert met == [(together, ZeroDivisionError), (alone, ZeroDivisionError)]
    with pytest.raises(ZeroDivisionError):
        measure_rates(plan, base, tmp_path / "run")


def test_a_small_allowance_looks_at_few_records(base, tmp_path):
    plan = plan_of(tmp_path, "zero_shot", "lora")
    for allowance_s, few in ((0.0, FEWEST), (1e6, 16)):
        probe = Probe(plan, base, tmp_path / "run")
        probe.settle(plan.arms, allowance_s)
        assert probe.few == few


def test_the_looks_are_spread_over_the_lengths():
    assert spread([5, 1, 4, 2, 3, 6], 3, lambda n: n) == [2, 4, 6]
    assert spread([3, 1], 9, lambda n: n) == [1, 3]

"""Who trains in one pass: settled by the plan, whatever is done already. What goes wrong in company is done alone."""

import pytest
import torch

from tiny_study import job_rows, put_rows, rows, table
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.company import group_label, groups
from tuneoff.study.conduct import conduct
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec
from tuneoff.study.store import Ledger
from tuneoff.study.work import Worker

torch.set_num_threads(1)
ARMS = ("zero_shot", "lora", "soft_prompt", "soft_prompt -> lora", "full", "ia3")


@pytest.fixture
def plan(tmp_path):
    put_rows(tmp_path / "data.jsonl", rows())

    def of(arms=ARMS, **more):
        return make_plan(StudySpec.build({**table(arms, **more), "folder": str(tmp_path)}, "study.toml"))

    return of


@pytest.fixture(scope="module")
def base():
    net, tokenizer = tiny_model("llama")
    return Base(net, tokenizer, fingerprint="tiny")


def jobs(made, arms, seeds=(0,)):
    return [made.job(made.arm(name), 0, seed, "ground") for seed in seeds for name in arms]


def names(grouped):
    return [[(job.arm.name, job.seed) for job in group] for group in grouped]


def test_arms_of_one_stage_of_adapters_train_together(plan):
    made = plan()
    told = names(groups(made, jobs(made, ARMS)))
    assert told == [
        [("zero_shot", 0)],
        [("lora", 0), ("soft_prompt", 0), ("ia3", 0)],
        [("soft_prompt -> lora", 0)],
        [("full", 0)],
    ]


def test_a_pass_holds_so_many_rows_and_a_restart_finds_the_same_company(plan):
    made = plan(("lora", "soft_prompt", "ia3"), seeds=3, train={"batch_size": 32})
    every = jobs(made, ("lora", "soft_prompt", "ia3"), seeds=(1, 2))
    whole = groups(made, every)
    assert [len(group) for group in whole] == [2, 2, 2]
    company = {job.key: {other.key for other in group} for group in whole for job in group}
    for left in groups(made, every[1:]):
        assert all({other.key for other in left} <= company[job.key] for job in left)


def test_labels(plan):
    made = plan()
    assert group_label(jobs(made, ("lora",))) == "lora, seed 1"
    assert group_label(jobs(made, ("lora", "ia3"))) == "lora, seed 1 and 1 more"


def conducted(plan, base, folder, arms):
    return conduct(plan(arms, seeds=2), folder, lambda: base)


def test_a_study_in_company_gives_what_arms_alone_give(plan, base, tmp_path, monkeypatch):
    arms = ("lora", "soft_prompt")
    together = conducted(plan, base, tmp_path / "together", arms)
    ledger = Ledger(tmp_path / "together" / "ledger.sqlite")
    assert [len(row["detail"].split()) for row in ledger.events() if row["what"] == "together"] == [2, 2, 2, 2], (
        "three rungs of the first seed, then the second seed"
    )
    ledger.close()
    monkeypatch.setattr("tuneoff.study.company.MOST_ROWS", 1)
    alone = conducted(plan, base, tmp_path / "alone", arms)
    for one, other in zip(together.standings, alone.standings):
        assert (one.arm, one.n_test, one.seeds) == (other.arm, other.n_test, other.seeds)
        assert one.others["nll"] == pytest.approx(other.others["nll"], abs=1e-3)
        assert one.cost.get("train_tokens") == other.cost.get("train_tokens")


def test_what_fails_in_company_is_done_alone(plan, base, tmp_path, monkeypatch):
    def broken(self, jobs, rung, tick):
        raise RuntimeError("not in company")
        yield

    monkeypatch.setattr(Worker, "fit_together", broken)
    verdict = conducted(plan, base, tmp_path / "run", ("lora", "soft_prompt"))
    assert {s.arm: s.status for s in verdict.standings}["lora"] == "tested"
    assert {row["attempts"] for row in job_rows(tmp_path / "run")} == {1}


def test_one_bad_arm_does_not_take_the_others_with_it(plan, base, tmp_path):
    arms = ("lora", {"name": "none", "use": "lora", "lora": {"targets": ["nowhere"]}}, "ia3")
    verdict = conducted(plan, base, tmp_path / "run", arms)
    status = {s.arm: s.status for s in verdict.standings}
    assert (status["lora"], status["none"], status["ia3"]) == ("tested", "failed", "tested")

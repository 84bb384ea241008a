"""Adapters and weights from elsewhere as arms: they answer as what they were made from does."""

import shutil

import pytest
import torch
from peft import IA3Config, get_peft_model

from tiny_study import put_rows, rows, table
from tuneoff.core.errors import ConfigError, ModelError
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.bundle import freed
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec
from tuneoff.study.work import Worker

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base():
    net, tokenizer = tiny_model("llama")
    return Base(net, tokenizer, fingerprint="tiny")


@pytest.fixture
def worker(base, tmp_path):
    def of(*arms, **more):
        put_rows(tmp_path / "data.jsonl", rows())
        spec = StudySpec.build({**table(arms, **more), "folder": str(tmp_path)}, "study.toml")
        return Worker(make_plan(spec), base, tmp_path / "run")

    return of


def job(worker, name):
    return worker.plan.job(worker.plan.arm(name), 0, 0, worker.plan.ground("tiny"))


def losses(fitted):
    return [o.stats[0] for o in fitted.outcomes if o.metric == "nll"]


LOUD = {"lora": {"lora": {"lr": 0.05}}, "soft_prompt": {"soft_prompt": {"lr": 1.0}}, "full": {"full": {"lr": 1e-3}}}


@pytest.mark.parametrize("method", ["lora", "soft_prompt"])
@pytest.mark.parametrize("part", ["", "peft"], ids=["bundle", "peft"])
def test_an_adapter_answers_as_the_arm_it_comes_from(worker, tmp_path, method, part):
    trained = worker("zero_shot", method, methods=LOUD[method])
    wanted, bare = trained.fit(job(trained, method)), trained.fit(job(trained, "zero_shot"))
    folder = trained.place(job(trained, method)) / (f"peft/{method}" if part else "")
    shutil.copytree(folder, tmp_path / "mine")
    work = worker("zero_shot", {"name": "mine", "adapter": "mine"})
    one = work.plan.arm("mine")
    assert (one.family, one.random, one.stages) == ("trained elsewhere", False, ())
    assert "mine (calibrated)" not in [arm.name for arm in work.plan.arms]
    given = work.fit(job(work, "mine"))
    assert losses(given) == pytest.approx(losses(wanted), abs=1e-4)
    assert losses(bare) != pytest.approx(losses(wanted), abs=1e-3), "the control: training changed something"
    assert given.cost.train_tokens == 0
    assert losses(work.test(job(work, "mine"), given.cost)), "its bundle opens again"


def test_weights_answer_as_the_arm_they_come_from(worker, base, tmp_path):
    trained = worker("zero_shot", "full", methods=LOUD["full"])
    wanted = trained.fit(job(trained, "full"))
    weights = trained.tuned(job(trained, "full")).parts[0].tensors[""]
    with freed(base, list(weights)) as own, torch.no_grad():
        for name, p in own.items():
            p.copy_(weights[name])
        base.net.save_pretrained(tmp_path / "merged")
    work = worker("zero_shot", {"model": "merged"})
    given = work.fit(job(work, "merged"))
    assert losses(given) == pytest.approx(losses(wanted), abs=1e-5)
    assert losses(given) != pytest.approx(losses(work.fit(job(work, "zero_shot"))), abs=1e-3)


def test_what_the_peft_library_can_merge_is_scored(worker, base, tmp_path):
    net, _ = tiny_model("llama")
    worn = get_peft_model(net, IA3Config(target_modules=["k_proj"], feedforward_modules=[], init_ia3_weights=False))
    worn.save_pretrained(tmp_path / "ia3")
    work = worker("zero_shot", {"name": "theirs", "adapter": "ia3"})
    work.fit(job(work, "theirs"))
    names = set(work.tuned(job(work, "theirs")).parts[0].tensors[""])
    assert names == {f"model.layers.{at}.self_attn.k_proj.weight" for at in range(2)}


def test_another_folder_is_another_job_and_a_moved_one_is_not(worker, tmp_path):
    trained = worker("lora")
    trained.fit(job(trained, "lora"))
    for name in ("a", "b"):
        shutil.copytree(trained.place(job(trained, "lora")), tmp_path / name)
    keys = [job(worker({"name": "mine", "adapter": name}), "mine").key for name in ("a", "b")]
    assert keys[0] == keys[1]
    (tmp_path / "b" / "prompt.json").write_text("{}")
    assert job(worker({"name": "mine", "adapter": "b"}), "mine").key != keys[0]


def test_a_folder_without_either(worker, tmp_path):
    for kind, mark in (("adapter", "bundle.json or adapter_config.json"), ("model", "config.json")):
        with pytest.raises(ConfigError) as caught:
            worker({"name": "mine", kind: "nowhere"})
        assert str(caught.value).startswith(f"this folder holds no {kind}")
        assert str(tmp_path / "nowhere") in str(caught.value)
        assert mark in str(caught.value)


def test_an_adapter_is_not_trained_further(worker):
    with pytest.raises(ConfigError, match="an adapter that was trained elsewhere is only scored"):
        worker({"name": "mine", "adapter": "nowhere", "use": "lora"})


def test_a_bundle_of_another_model(worker, base, tmp_path):
    trained = worker("lora")
    trained.fit(job(trained, "lora"))
    shutil.copytree(trained.place(job(trained, "lora")), tmp_path / "mine")
    text = (tmp_path / "mine" / "bundle.json").read_text().replace('"fingerprint": "tiny"', '"fingerprint": "other"')
    (tmp_path / "mine" / "bundle.json").write_text(text)
    work = worker({"name": "mine", "adapter": "mine"})
    with pytest.raises(ModelError, match="this bundle was made for"):
        work.fit(job(work, "mine"))


def test_weights_of_another_architecture(worker, tmp_path):
    net, _ = tiny_model("gpt2")
    net.save_pretrained(tmp_path / "other")
    work = worker({"name": "mine", "model": "other"})
    with pytest.raises(ModelError, match="of another architecture"):
        work.fit(job(work, "mine"))

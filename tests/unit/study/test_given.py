"""Adapters and weights from elsewhere as arms: they answer as what they were made from does."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest
import torch
from peft import IA3Config, LoraConfig, get_peft_model
from safetensors.torch import load_file

from tiny_study import job_rows, put_rows, rows, table
from tuneoff.core.errors import ConfigError, ModelError, StudyError
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.bundle import freed
from tuneoff.study.conduct import conduct
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
    return [o.stats[0] for o in fitted.outcomes if o.metric == "nll" and o.step == 0]


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


def put_adapter(folder, **config):
    """A small adapter as the `peft` library writes it. config: entries of adapter_config.json to change."""
    net, _ = tiny_model("llama")
    get_peft_model(net, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")).save_pretrained(folder)
    file = folder / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return folder


def told_when_planned(worker, kind="adapter"):
    with pytest.raises(ModelError) as caught:
        worker("zero_shot", {"name": "theirs", kind: "theirs"})
    return str(caught.value)


def test_a_pickled_adapter_is_told_when_planned_with_the_line_that_converts_it(worker, tmp_path):
    folder = put_adapter(tmp_path / "theirs")
    weights = folder / "adapter_model.safetensors"
    before = load_file(weights)
    torch.save(before, folder / "adapter_model.bin")
    weights.unlink()
    said = told_when_planned(worker)
    assert said.startswith("the adapter's weights are not in safetensors, and tuneoff opens no pickle")
    assert "found:   adapter_model.bin" in said
    line = next(line.strip() for line in said.splitlines() if line.strip().startswith("python -c"))
    subprocess.run([sys.executable, *shlex.split(line)[1:]], cwd=folder, check=True)
    after = load_file(weights)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    worker("zero_shot", {"name": "theirs", "adapter": "theirs"})


def test_weights_that_are_missing_or_broken_are_told_when_planned(worker, tmp_path):
    weights = put_adapter(tmp_path / "theirs") / "adapter_model.safetensors"
    weights.write_bytes(b"\x08\0\0\0\0\0\0\0{broken")
    said = told_when_planned(worker)
    assert said.startswith("a file of weights cannot be read")
    assert f"where:   {weights}" in said
    weights.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert "a pointer of Git LFS, whose content was not fetched" in told_when_planned(worker)
    weights.unlink()
    assert told_when_planned(worker).startswith("this folder holds no adapter_model.safetensors")


def test_an_adapter_with_a_classifiers_head_is_told_when_planned(worker, tmp_path):
    put_adapter(tmp_path / "theirs", task_type="SEQ_CLS")
    assert told_when_planned(worker).startswith("an adapter for the task SEQ_CLS, which has an output of its own")


def test_a_configuration_that_cannot_be_read_is_told_when_planned(worker, tmp_path):
    (put_adapter(tmp_path / "theirs") / "adapter_config.json").write_text("{")
    assert told_when_planned(worker).startswith("the adapter's configuration cannot be read")


def test_a_bundle_that_lacks_a_part_or_is_of_another_version_is_told_when_planned(worker, tmp_path):
    trained = worker("lora")
    trained.fit(job(trained, "lora"))
    shutil.copytree(trained.place(job(trained, "lora")), tmp_path / "mine")
    (tmp_path / "mine" / "part-0-lora.safetensors").unlink()
    with pytest.raises(StudyError, match="a part of the bundle is missing"):
        worker({"name": "mine", "adapter": "mine"})
    (tmp_path / "mine" / "bundle.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(StudyError, match="a bundle of another version"):
        worker({"name": "mine", "adapter": "mine"})


def test_a_model_whose_files_are_not_all_there_is_told_when_planned(worker, tmp_path):
    net, _ = tiny_model("llama")
    net.save_pretrained(tmp_path / "theirs", max_shard_size="20KB")
    first = min((tmp_path / "theirs").glob("*.safetensors"))
    first.unlink()
    said = told_when_planned(worker, "model")
    assert said.startswith("files of this model are missing")
    assert first.name in said
    for file in (tmp_path / "theirs").glob("*.safetensors*"):
        file.unlink()
    (tmp_path / "theirs" / "pytorch_model.bin").write_bytes(b"")
    assert "tuneoff opens no pickle" in told_when_planned(worker, "model")


def test_what_does_not_go_into_the_model_is_found_before_the_work(worker, tmp_path):
    net, _ = tiny_model("llama")
    net.resize_token_embeddings(264)
    config = LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens"])
    get_peft_model(net, config).save_pretrained(tmp_path / "theirs")
    work = worker("zero_shot", {"name": "theirs", "adapter": "theirs"})
    with pytest.raises(ModelError, match="264 x 32 in the folder, 261 x 32 in the model"):
        work.check_given()
    with pytest.raises(ModelError, match="264 x 32 in the folder, 261 x 32 in the model"):
        conduct(work.plan, tmp_path / "run", lambda: work.base)
    assert not job_rows(tmp_path / "run"), "no job was begun"


@pytest.mark.parametrize(
    ("named", "noted"), [("org/other-1b", True), ("org/Model", False), ("../model/", False), ("", False), (None, False)]
)
def test_an_adapter_that_names_another_base_model_gets_a_note(worker, tmp_path, named, noted):
    put_adapter(tmp_path / "theirs", base_model_name_or_path=named)
    notes = worker("zero_shot", {"name": "theirs", "adapter": "theirs"}).plan.notes
    wanted = f"note: theirs names the base model {named!r}, and the study's model is 'model': it is scored on that"
    assert notes == ([wanted] if noted else [])


def test_a_bundle_is_asked_through_the_template_that_it_was_made_with(worker, tmp_path):
    trained = worker("lora")
    trained.fit(job(trained, "lora"))
    shutil.copytree(trained.place(job(trained, "lora")), tmp_path / "mine")
    file = tmp_path / "mine" / "bundle.json"
    file.write_text(file.read_text().replace('"template": "chat"', '"template": "plain"'))
    work = worker({"name": "mine", "adapter": "mine"})
    with pytest.raises(ModelError, match="asks the model through another template") as caught:
        work.check_given()
    assert 'write template = "plain" under [model]' in str(caught.value)


def test_the_prior_of_a_calibrated_bundle_follows_its_labels(worker, base, tmp_path):
    trained = worker("zero_shot")
    name = "zero_shot (calibrated)"
    wanted = trained.fit(job(trained, name))
    shutil.copytree(trained.place(job(trained, name)), tmp_path / "mine")
    turned = {"name": "mine", "adapter": "mine"}, {"data": {"labels": ["good", "bad"]}}
    work = worker(turned[0], **turned[1])
    assert work.plan.task.labels == tuple(reversed(trained.plan.task.labels))
    prior = work._untuned(job(work, "mine")).prior
    assert prior == tuple(reversed(trained.tuned(job(trained, name)).prior))
    assert len(losses(wanted)) == len(work.plan.data.validation)
    facts = json.loads((tmp_path / "mine" / "bundle.json").read_text())
    facts["task"]["labels"] = ["good", "poor"]
    (tmp_path / "mine" / "bundle.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match="this bundle was calibrated on other labels"):
        worker({"name": "mine", "adapter": "mine"}).check_given()


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

"""The bundle folder: what goes in comes out, and what is broken says so."""

import json
from dataclasses import fields

import pytest
import torch
from safetensors.torch import load_file

from tuneoff.core.errors import ModelError, StudyError
from tuneoff.data.options import Options
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Message, Record
from tuneoff.data.shapes import Shape
from tuneoff.data.task import Task
from tuneoff.engine.attach import new_adapter
from tuneoff.engine.examples import Lengths
from tuneoff.methods.full import Full
from tuneoff.methods.lora import Lora
from tuneoff.methods.soft_prompt import SoftPrompt
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.bundle import Tuned, TunedPart, freed, load_tuned, save_tuned, tensors_of

ASKED = Shape(
    name="question and answer",
    input=("context", "question"),
    optional=("context",),
    system="system",
    options=Options(columns=("A", "B"), coding="number", first=1),
)
TASK = Task(name="t", kind="choice", labels=("no", "yes"), instruction="Yes?", metrics=("accuracy",))


@pytest.fixture(scope="module")
def base():
    net, tokenizer = tiny_model("llama")
    return Base(net, tokenizer, fingerprint="tiny")


@pytest.fixture
def tuned(base):
    parts = []
    for name, method in (("lora", Lora(rank=2)), ("soft_prompt", SoftPrompt(length=3))):
        adapter = new_adapter(base, method, TASK, 1)
        for own in adapter.tensors.values():
            for tensor in own.values():
                torch.nn.init.normal_(tensor, std=0.3)
        parts.append(TunedPart(name, method, tensors_of([adapter])[0]))
    shown = Record(fields={"text": "é"}, target="yes", turns=(Message("user", "hi"),), source="d.jsonl:3")
    prompt = Prompt(instruction="Yes or no?", demonstrations=(shown,), template="T: {text}")
    facts = {"fingerprint": "tiny", "name": "model"}
    kept = {"columns": ASKED, "lengths": Lengths(90, "truncate_left", 7), "prior": (-0.7, -0.7), "base": facts}
    return Tuned(arm="lora + soft_prompt", task=TASK, prompt=prompt, parts=tuple(parts), **kept)


@pytest.fixture
def saved(tuned, base, tmp_path):
    save_tuned(tuned, tmp_path / "b", base)
    return tmp_path / "b"


def message(folder):
    with pytest.raises(StudyError) as caught:
        load_tuned(folder)
    return str(caught.value)


def logits(tuned, base):
    from tuneoff.engine.examples import encode
    from tuneoff.evaluation.run import label_scores

    with tuned.worn(base) as worn:
        examples = encode(base, tuned.prompt, [Record(fields={"text": "abc"}, target="no")])
        return label_scores(worn, tuned.task, examples, cache=None)


def test_what_goes_in_comes_out(tuned, saved):
    again = load_tuned(saved)
    for field in fields(Tuned):
        if field.name != "parts":
            assert getattr(again, field.name) == getattr(tuned, field.name), field.name
    for mine, theirs in zip(tuned.parts, again.parts):
        assert (mine.name, mine.method) == (theirs.name, theirs.method)
        assert mine.tensors.keys() == theirs.tensors.keys()
        for site, own in mine.tensors.items():
            assert all(torch.equal(own[name], theirs.tensors[site][name]) for name in own)


def test_it_answers_the_same(tuned, saved, base):
    assert torch.equal(logits(tuned, base), logits(load_tuned(saved), base))
    bare = Tuned(arm="bare", task=TASK, prompt=tuned.prompt)
    assert not torch.allclose(logits(tuned, base), logits(bare, base), atol=1e-3), "and not as the bare base does"


def test_the_files(saved, tuned):
    files = sorted(path.relative_to(saved).as_posix() for path in saved.rglob("*") if path.is_file())
    assert files == [
        "bundle.json",
        "part-0-lora.safetensors",
        "part-1-soft_prompt.safetensors",
        "peft/lora/adapter_config.json",
        "peft/lora/adapter_model.safetensors",
        "peft/soft_prompt/adapter_config.json",
        "peft/soft_prompt/adapter_model.safetensors",
        "prompt.json",
    ]
    facts = json.loads((saved / "bundle.json").read_text())
    assert [part["method"] for part in facts["parts"]] == ["lora", "soft_prompt"]
    assert facts["parts"][0]["knobs"]["rank"] == 2
    numbers = sum(t.numel() for t in load_file(saved / "part-0-lora.safetensors").values())
    assert numbers == tuned.parts[0].numbers


def test_weights_come_back_after_a_full_part(base, tuned):
    before = {name: p.detach().clone() for name, p in base.net.named_parameters()}
    changed = {name: p + 0.1 for name, p in before.items()}
    full = Tuned(arm="full", task=TASK, prompt=tuned.prompt, parts=(TunedPart("full", Full(), {"": changed}),))
    with full.worn(base):
        assert all(torch.equal(p, changed[name]) for name, p in base.net.named_parameters())
        assert not any(p.requires_grad for p in base.net.parameters())
    assert all(torch.equal(p, before[name]) for name, p in base.net.named_parameters())


def test_freed_weights_come_back_after_an_error_too(base):
    before = {name: p.detach().clone() for name, p in base.net.named_parameters()}
    name = next(iter(before))

    def broken():
        with freed(base, [name]) as parameters:
            assert [p.requires_grad for p in parameters.values()] == [True]
            with torch.no_grad():
                parameters[name].zero_()
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert torch.equal(base.net.get_parameter(name), before[name])
    assert not base.net.get_parameter(name).requires_grad


def test_a_folder_without_a_bundle(tmp_path):
    assert message(tmp_path).splitlines() == [
        "this folder holds no bundle",
        f"  where:   {tmp_path}",
        "  fix:     name a folder with a bundle.json in it",
    ]


def test_a_bundle_of_another_version(saved):
    facts = json.loads((saved / "bundle.json").read_text())
    (saved / "bundle.json").write_text(json.dumps({**facts, "version": 7}))
    said = message(saved)
    assert "a bundle of another version" in said
    assert "found:   7" in said
    assert "open it with the version of tuneoff that made it" in said
    (saved / "bundle.json").write_text(json.dumps({**facts, "version": 1}))
    said = message(saved)
    assert "found:   1, which does not say how rows are read and cut" in said
    assert "run its study again: tuneoff run STUDY --out A_NEW_FOLDER" in said


def test_a_missing_part(saved):
    (saved / "part-0-lora.safetensors").unlink()
    assert "a part of the bundle is missing" in message(saved)


@pytest.mark.parametrize("file", ["../part-0-lora.safetensors", "/etc/passwd"])
def test_a_part_outside_the_folder_is_not_opened(saved, file):
    facts = json.loads((saved / "bundle.json").read_text())
    facts["parts"][0]["file"] = file
    (saved / "bundle.json").write_text(json.dumps(facts))
    (saved / "part-0-lora.safetensors").rename(saved.parent / "part-0-lora.safetensors")
    assert "a part of the bundle is missing" in message(saved)


def test_an_adapter_for_another_model(tuned):
    net, tokenizer = tiny_model("llama", layers=3)
    other = Base(net, tokenizer, fingerprint="other")
    with pytest.raises(ModelError, match="the adapter was made for another model"):
        tuned.parts[0].adapter(other)

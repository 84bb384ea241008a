"""Full fine-tuning names its weights; instruction tuning names its method and its records."""

import json

import pytest

from tiny_arms import made_method, tiny_base
from tuneoff.core.errors import ConfigError
from tuneoff.methods.full import Full
from tuneoff.methods.instruction_tuning import InstructionTuning
from tuneoff.models.tiny import ARCHITECTURES, tiny_model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_everything(architecture):
    net = tiny_base(architecture).net
    every = [name for name, _ in net.named_parameters()]
    assert Full().trainable(net) == every
    assert Full(top_layers=2).trainable(net) == every
    assert Full(top_layers=99).trainable(net) == every


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "opt"])
def test_the_top_layers_and_what_follows_them(architecture):
    net, _ = tiny_model(architecture, layers=3)
    names = Full(top_layers=1).trainable(net)
    layers = {part for name in names for part in name.split(".") if part.isdigit()}
    assert layers == {"2"}
    embedding = net.get_input_embeddings().weight
    assert not any(p is embedding for name, p in net.named_parameters() if name in names)
    assert any("norm" in name or "ln_f" in name for name in names if ".2." not in name)


def test_layers_are_told_apart_by_whole_numbers():
    net, _ = tiny_model("llama", layers=12)
    names = Full(top_layers=2).trainable(net)
    layers = {int(part) for name in names for part in name.split(".") if part.isdigit()}
    assert layers == {10, 11}


def test_a_course_trains_the_method_that_it_names():
    course = InstructionTuning(method="lora", knobs={"rank": 3})
    assert course.update == made_method("lora", rank=3)
    assert isinstance(InstructionTuning(method="full").update, Full)


def test_a_course_cannot_train_what_has_no_weights():
    with pytest.raises(ConfigError, match="instruction tuning trains a method with weights, not 'few_shot'") as caught:
        _ = InstructionTuning(method="few_shot").update
    assert 'write method = "lora"' in str(caught.value)
    with pytest.raises(ConfigError, match="unknown key 'rnak'"):
        _ = InstructionTuning(method="lora", knobs={"rnak": 3}).update


def test_the_records_of_a_course(tmp_path):
    rows = [{"instruction": "Write the plural.", "input": "mouse", "output": "mice"}]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (record,) = InstructionTuning(mixture="tasks.jsonl").read(str(tmp_path)).records()
    assert (record.instruction, record.target) == ("Write the plural.", "mice")
    assert "mouse" in record.text


def test_a_course_without_a_mixture(tmp_path):
    with pytest.raises(ConfigError, match="instruction tuning needs a mixture of tasks") as caught:
        InstructionTuning().read(str(tmp_path))
    assert 'write mixture = "tasks.jsonl"' in str(caught.value)

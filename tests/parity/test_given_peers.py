"""Folders that `peft` and `transformers` wrote, as arms: the same logits as those libraries compute from them.

All on models whose head and embedding are one tensor (llama, gpt2, gemma3) or two (qwen3).
"""

import pytest
import torch
from peft import (
    IA3Config,
    LNTuningConfig,
    LoHaConfig,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    TrainableTokensConfig,
    get_peft_model,
)
from transformers import AutoModelForCausalLM

from tuneoff.core.errors import ModelError
from tuneoff.data.prompt import Prompt
from tuneoff.data.task import Task
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.bundle import Tuned, load_tuned, save_tuned
from tuneoff.study.given import Given, given_tuned

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
CLOSE, FAR = 2e-4, 0.2  # logits are of size 5; what a merge rounds, and what any of these adapters changes
IDS = torch.arange(5, 60)[None]
Q = ["q_proj"]
LLAMA = {
    "lora": LoraConfig(r=2, target_modules=Q),
    "head saved": LoraConfig(r=2, target_modules=Q, modules_to_save=["lm_head"]),
    "embedding saved": LoraConfig(r=2, target_modules=Q, modules_to_save=["embed_tokens"]),
    "both saved": LoraConfig(r=2, target_modules=Q, modules_to_save=["embed_tokens", "lm_head"]),
    "on the head": LoraConfig(r=2, target_modules=["lm_head"]),
    "on the embedding": LoraConfig(r=2, target_modules=["embed_tokens", *Q]),
    "on both": LoraConfig(r=2, target_modules=["embed_tokens", "lm_head"]),
    "tied on purpose": LoraConfig(r=2, target_modules=["embed_tokens"], ensure_weight_tying=True),
    "saved and tied": LoraConfig(r=2, target_modules=Q, modules_to_save=["embed_tokens"], ensure_weight_tying=True),
    "some tokens": LoraConfig(r=2, target_modules=Q, trainable_token_indices=[10, 11]),
    "tokens alone": TrainableTokensConfig(token_indices=[10, 11]),
    "dora": LoraConfig(r=2, target_modules=Q, use_dora=True),
    "norm saved": LoraConfig(r=2, target_modules=Q, modules_to_save=["norm"]),
    "ia3": IA3Config(target_modules=["k_proj"], feedforward_modules=[]),
    "loha": LoHaConfig(r=2, target_modules=Q),
    "norms": LNTuningConfig(target_modules=["input_layernorm"]),
}
OTHERS = {
    ("qwen3", "head saved"): LLAMA["head saved"],
    ("gemma3", "head saved"): LLAMA["head saved"],
    ("gemma3", "on the embedding"): LLAMA["on the embedding"],
    ("gpt2", "head saved"): LoraConfig(
        r=2, target_modules=["c_attn"], fan_in_fan_out=True, modules_to_save=["lm_head"]
    ),
    ("gpt2", "on the embedding"): LoraConfig(r=2, target_modules=["wte"]),
}
CASES = [*(("llama", name, config) for name, config in LLAMA.items()), *((*key, own) for key, own in OTHERS.items())]


def base_of(architecture="llama"):
    net, tokenizer = tiny_model(architecture)
    return Base(net, tokenizer, fingerprint=architecture)


def asked(base):
    task = Task(name="t", kind="choice", labels=("a", "b"))
    return Tuned(arm="x", task=task, prompt=Prompt(), base={"fingerprint": base.fingerprint, "template": "chat"})


def written(architecture, config, folder):
    """An adapter with random numbers, saved by the library. Returns the logits that the library reads back."""
    torch.manual_seed(1)
    worn = get_peft_model(tiny_model(architecture)[0], config)
    for p in worn.parameters():
        if p.requires_grad:
            p.data += 0.1 * torch.randn_like(p)
    worn.save_pretrained(folder)
    again = PeftModel.from_pretrained(tiny_model(architecture)[0], folder).eval()
    with torch.no_grad():
        return again(IDS).logits


def ours(base, given):
    """The logits of what was given, worn; and again from the bundle that a job keeps of it."""
    tuned = given_tuned(given, asked(base), base)
    with tuned.worn(base), torch.no_grad():
        logits = base.head(base.trunk(IDS).last_hidden_state)
    return tuned, logits


@pytest.mark.parametrize(("architecture", "name", "config"), CASES, ids=[f"{case[0]}-{case[1]}" for case in CASES])
def test_an_adapter_answers_as_peft_does(architecture, name, config, tmp_path):
    wanted = written(architecture, config, tmp_path / "theirs")
    base = base_of(architecture)
    bare = base.net(IDS).logits
    tuned, logits = ours(base, Given("adapter", str(tmp_path / "theirs")))
    assert (logits - wanted).abs().max() < CLOSE
    assert (bare - wanted).abs().max() > FAR, "the control: the adapter matters"
    assert torch.equal(base.net(IDS).logits, bare), "the model is as it was"
    save_tuned(tuned, tmp_path / "bundle", base)
    with load_tuned(tmp_path / "bundle").worn(base), torch.no_grad():
        assert torch.equal(base.head(base.trunk(IDS).last_hidden_state), logits)


def test_the_control_a_head_that_follows_the_embedding(tmp_path):
    """Merged without parting the two, the adapter would move the head as well: far off."""
    wanted = written("llama", LLAMA["on the embedding"], tmp_path)
    tied = PeftModel.from_pretrained(tiny_model("llama")[0], tmp_path).merge_and_unload()
    assert (tied(IDS).logits - wanted).abs().max() > 10 * FAR


def test_an_adapter_that_changes_nothing_is_kept_and_answers(tmp_path):
    get_peft_model(tiny_model("llama")[0], LLAMA["lora"]).save_pretrained(tmp_path / "theirs")
    base = base_of()
    tuned, logits = ours(base, Given("adapter", str(tmp_path / "theirs")))
    save_tuned(tuned, tmp_path / "bundle", base)
    with load_tuned(tmp_path / "bundle").worn(base), torch.no_grad():
        assert torch.equal(base.net(IDS).logits, logits)


def merged(architecture, folder, *, apart):
    """A model's folder with other numbers; apart: its head is another tensor than its embedding."""
    torch.manual_seed(2)
    net, _ = tiny_model(architecture)
    if apart:
        net.lm_head.weight = torch.nn.Parameter(net.lm_head.weight.detach().clone())
        net.config.tie_word_embeddings = False
    for p in net.parameters():
        p.data += 0.1 * torch.randn_like(p)
    net.save_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder)(IDS).logits


@pytest.mark.parametrize(
    ("architecture", "apart"), [("llama", False), ("llama", True), ("qwen3", True), ("gpt2", True)]
)
def test_weights_answer_as_transformers_does(architecture, apart, tmp_path):
    wanted = merged(architecture, tmp_path / "theirs", apart=apart)
    base = base_of(architecture)
    _, logits = ours(base, Given("model", str(tmp_path / "theirs")))
    assert (logits - wanted).abs().max() < CLOSE
    assert (base.net(IDS).logits - wanted).abs().max() > FAR


def refused(kind, folder):
    base = base_of()
    with pytest.raises(ModelError) as caught:
        given_tuned(Given(kind, str(folder)), asked(base), base)
    return str(caught.value)


def test_an_adapter_for_an_enlarged_vocabulary_names_tensors_and_sizes(tmp_path):
    net, _ = tiny_model("llama")
    net.resize_token_embeddings(264)
    get_peft_model(net, LLAMA["both saved"]).save_pretrained(tmp_path)
    said = refused("adapter", tmp_path)
    assert said.startswith("this adapter does not go into the study's model")
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert said.count(f"{name}: 264 x 32 in the folder, 261 x 32 in the model") == 1


def test_an_adapter_of_another_architecture_names_what_has_no_place(tmp_path):
    net, _ = tiny_model("llama", layers=3)
    get_peft_model(net, LLAMA["lora"]).save_pretrained(tmp_path)
    said = refused("adapter", tmp_path)
    assert said.startswith("tensors of this adapter have no place in the study's model")
    assert "layers.2.self_attn.q_proj.lora_A" in said
    assert "name the model that it was trained on under [model]" in said


def test_an_adapter_that_lacks_tensors_names_them(tmp_path):
    from safetensors.torch import load_file, save_file

    written("llama", LLAMA["lora"], tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    save_file({name: t for name, t in load_file(file).items() if "layers.1" not in name}, file)
    said = refused("adapter", tmp_path)
    assert said.startswith("tensors of this adapter are missing from its file")
    assert "layers.1.self_attn.q_proj.lora_A" in said


def test_a_type_that_cannot_be_merged(tmp_path):
    config = PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM")
    get_peft_model(tiny_model("llama")[0], config).save_pretrained(tmp_path)
    said = refused("adapter", tmp_path)
    assert said.startswith("an adapter of the type PREFIX_TUNING, which no weights can stand for")


def test_weights_of_other_sizes_name_them(tmp_path):
    net, _ = tiny_model("llama")
    net.resize_token_embeddings(264)
    net.save_pretrained(tmp_path)
    said = refused("model", tmp_path)
    assert said.startswith("these weights are of another architecture than the study's model")
    assert "model.embed_tokens.weight: 264 x 32 in the folder, 261 x 32 in the model" in said


def test_weights_with_a_tensor_that_has_no_place_name_it(tmp_path):
    from safetensors.torch import load_file, save_file

    merged("llama", tmp_path, apart=False)
    file = tmp_path / "model.safetensors"
    save_file(
        {**load_file(file), "model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 32)}, file, {"format": "pt"}
    )
    said = refused("model", tmp_path)
    assert said.startswith("tensors in this folder have no place in its model")
    assert "model.layers.0.self_attn.q_proj.lora_A.weight" in said


def test_weights_whose_configuration_computes_something_else(tmp_path):
    import json

    merged("llama", tmp_path, apart=False)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}))
    said = refused("model", tmp_path)
    assert said.startswith("this folder's configuration computes something else than the study's model")
    assert "rms_norm_eps: 0.5 (study's model: 1e-06)" in said

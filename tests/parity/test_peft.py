"""Our artifacts reopened with the `peft` library on a fresh copy of the model give our logits, to 1e-5 (float32).

Through the real export: a bundle is saved, its `peft/NAME/` folder is opened by PeftModel.from_pretrained. Control:
the bare model, which is what remains when no weight was read, differs by a thousand times that.
"""

import json

import peft
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from tiny_arms import TASK, made_adapter, plain_logits, tiny_base
from tuneoff.data.prompt import Prompt
from tuneoff.engine.attach import Worn
from tuneoff.models.tiny import tiny_model
from tuneoff.study.bundle import Tuned, TunedPart, save_tuned

# peft 0.21 hands a prefix to transformers 5.24 by its old name
pytestmark = pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")

CLOSE, FAR = 1e-5, 1e-2
IDS = [1, 20, 31, 42, 53, 64, 75]
NAMES = ["lora", "dora", "ia3", "norm_tuning", "soft_prompt", "prefix"]


def saved(base, adapter, name, folder):
    """The bundle's folder, written as a job writes it."""
    tensors = {at: {key: t.detach() for key, t in own.items()} for at, own in adapter.tensors.items()}
    part = TunedPart(name, adapter.method, tensors)
    save_tuned(Tuned(arm=name, task=TASK, prompt=Prompt(), parts=(part,), base={"name": "tiny"}), folder, base)
    return folder / "peft" / name


def ours(base, adapters) -> torch.Tensor:
    """[T, vocabulary] at every token of IDS."""
    with torch.no_grad(), Worn(base, adapters) as worn:
        return plain_logits(worn, IDS[:1], IDS[1:])


def theirs(architecture, folder) -> torch.Tensor:
    net, _ = tiny_model(architecture)
    model = PeftModel.from_pretrained(net, folder).eval()
    ids = torch.tensor([IDS])
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -len(IDS) :]


# the library warns of every norm that it does not know by name, and wraps it all the same
@pytest.mark.filterwarnings("ignore:Unsupported layer type:UserWarning")
@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma3", "opt"])
@pytest.mark.parametrize("name", NAMES)
def test_the_library_says_what_we_say(name, architecture, tmp_path):
    base = tiny_base(architecture, dtype=torch.float32)
    adapter = made_adapter(base, name)
    folder = saved(base, adapter, name, tmp_path)
    own = ours(base, [adapter])
    assert (own - theirs(architecture, folder)).abs().max() < CLOSE
    assert (own - ours(base, [])).abs().max() > FAR


@pytest.mark.parametrize("name", ["lora", "soft_prompt"])
def test_control_an_artifact_that_was_not_read(name, tmp_path):
    """Numbers other than ours in the same folder are seen in the logits."""
    base = tiny_base(dtype=torch.float32)
    adapter = made_adapter(base, name)
    other = saved(base, made_adapter(base, name, seed=1), name, tmp_path)
    assert (ours(base, [adapter]) - theirs("llama", other)).abs().max() > FAR


@pytest.mark.filterwarnings("ignore:Unsupported layer type:UserWarning")
@pytest.mark.parametrize("name", ["norm_tuning", "soft_prompt", "prefix"])
def test_gpt2_where_nothing_fused_is_touched(name, tmp_path):
    base = tiny_base("gpt2", dtype=torch.float32)
    adapter = made_adapter(base, name)
    folder = saved(base, adapter, name, tmp_path)
    assert (ours(base, [adapter]) - theirs("gpt2", folder)).abs().max() < CLOSE


def test_gpt2_projections_that_are_not_fused(tmp_path):
    base = tiny_base("gpt2", dtype=torch.float32)
    adapter = made_adapter(base, "lora", targets=["attn.o", "mlp.up", "mlp.down"])
    folder = saved(base, adapter, "lora", tmp_path)
    assert (ours(base, [adapter]) - theirs("gpt2", folder)).abs().max() < CLOSE


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("gpt2", "lora"),
        ("gpt2", "dora"),
        ("gpt2", "ia3"),
        ("gpt_neox", "lora"),
        ("llama", "soft_prompt_after"),
        ("llama", "bitfit"),
    ],
)
def test_no_folder_where_the_library_has_no_such_thing(architecture, name, tmp_path):
    """Parts of a fused projection, learned vectors before the answer, new biases."""
    base = tiny_base(architecture, dtype=torch.float32)
    assert not saved(base, made_adapter(base, name), name, tmp_path).exists()
    assert (tmp_path / f"part-0-{name}.safetensors").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_safetensors_and_the_base_is_named(name, tmp_path):
    base = tiny_base(dtype=torch.float32)
    folder = saved(base, made_adapter(base, name), name, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["task_type"], config["base_model_name_or_path"]) == ("CAUSAL_LM", "tiny")
    assert all(t.dtype == torch.float32 for t in load_file(folder / "adapter_model.safetensors").values())


@pytest.mark.filterwarnings("ignore:Detected that the base layer has no bias:UserWarning")
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3", "opt"])
def test_bitfit_is_the_librarys_beft(architecture):
    """A bias beside each linear layer; the library knows it from 0.20 on, so it is no export of ours (yet)."""
    if not hasattr(peft, "BeftConfig"):
        pytest.skip("this version of peft has no BEFT")
    base = tiny_base(architecture, dtype=torch.float32)
    adapter = made_adapter(base, "bitfit")
    net, _ = tiny_model(architecture)
    config = peft.BeftConfig(target_modules=sorted({site.name for site in adapter.sites}), task_type="CAUSAL_LM")
    model = peft.get_peft_model(net, config).eval()
    with torch.no_grad():
        for site in adapter.sites:
            model.base_model.model.get_submodule(site.name).beft_bias["default"][0] = adapter.at(site)["b"]
        beft = model(torch.tensor([IDS])).logits[0]
    assert (ours(base, [adapter]) - beft).abs().max() < CLOSE


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3", "gpt2", "gpt_neox", "opt"])
def test_bitfit_is_a_model_whose_projections_have_these_biases(architecture):
    """By hand: each projection's own bias (or zero, where it has none) plus ours, put into the module itself."""
    base = tiny_base(architecture, dtype=torch.float32)
    adapter = made_adapter(base, "bitfit")
    net, _ = tiny_model(architecture)
    for site in adapter.sites:
        module = net.get_submodule(site.name)
        if module.bias is None:
            module.bias = torch.nn.Parameter(torch.zeros(module.weight.shape[0]), requires_grad=False)
        columns = slice(None) if site.columns is None else site.columns
        module.bias.data[columns] += adapter.at(site)["b"].detach()
    with torch.no_grad():
        by_hand = net(torch.tensor([IDS])).logits[0]
    assert (ours(base, [adapter]) - by_hand).abs().max() < CLOSE
    assert (ours(base, []) - by_hand).abs().max() > FAR

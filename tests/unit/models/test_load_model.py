"""Folders, hub ids and GGUF files open as frozen causal models; whatever else is named gets an answer that helps."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken

from tuneoff.core.errors import ConfigError, ModelError
from tuneoff.models import fingerprint
from tuneoff.models.device import pick_device, pick_dtype
from tuneoff.models.load import load_chat, load_model
from tuneoff.models.tiny import save_tiny, tiny_model


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNEOFF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    return save_tiny(tmp_path / "study" / "tiny", "qwen3", seed=5)


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_folder_opens_frozen_in_eval_mode_with_the_same_logits(folder):
    loaded = load_model("tiny", folder=folder.parent, device="cpu")
    net, tokenizer = tiny_model("qwen3", seed=5)
    ids_1T = tokenizer("the same text", return_tensors="pt").input_ids
    assert torch.allclose(loaded.net(ids_1T).logits, net(ids_1T).logits, atol=1e-6)
    assert not loaded.net.training
    assert not any(weight.requires_grad for weight in loaded.net.parameters())
    assert loaded.net.config._attn_implementation == "sdpa"
    assert loaded.tokenizer("x").input_ids == tokenizer("x").input_ids
    assert (loaded.device.type, loaded.dtype) == ("cpu", torch.float32)
    assert loaded.origin.as_dict() == {
        "name": "tiny",
        "hub_id": "",
        "path": os.fspath(folder),
        "quantisation": "",
        "fingerprint": loaded.origin.fingerprint,
        "file_sha256": "",
        "licence": "",
        "kind": "unknown",
    }


def test_base_is_ready_for_arms(folder):
    base = load_model(str(folder), template="plain").base()
    assert base.fingerprint == load_model(str(folder)).origin.fingerprint
    assert base.origin.name == str(folder)
    assert not base.chat.templated


def test_a_number_format_can_be_asked_for(folder):
    loaded = load_model(str(folder), device="cpu", dtype="bfloat16")
    assert {weight.dtype for weight in loaded.net.parameters()} == {torch.bfloat16}
    with pytest.raises(ConfigError, match="did you mean 'bfloat16'"):
        load_model(str(folder), dtype="bfloat")


def test_loading_says_nothing(folder, capfd):
    load_model(str(folder))
    assert capfd.readouterr() == ("", "")


def test_the_fingerprint_follows_the_content_and_nothing_else(folder, tmp_path):
    first = load_model(str(folder)).origin.fingerprint
    assert len(first) == 64
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    (copy / "README.md").write_text("no part of the model")
    assert load_model(str(copy)).origin.fingerprint == first
    tensors = load_file(copy / "model.safetensors")
    name = next(iter(tensors))
    tensors[name].view(-1)[0] += 1e-3
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    changed = load_model(str(copy)).origin.fingerprint
    assert changed != first
    (copy / "chat_template.jinja").write_text("{{ messages }}")
    assert load_model(str(copy)).origin.fingerprint not in (first, changed)


def test_a_file_is_hashed_once_until_it_changes(tmp_path, monkeypatch):
    read = []
    real = fingerprint.file_hash
    monkeypatch.setattr(fingerprint, "file_hash", lambda path: read.append(path) or real(path))
    file = tmp_path / "weights"
    file.write_text("one")
    first = fingerprint.remembered_hash(file)
    assert fingerprint.remembered_hash(file) == first
    assert len(read) == 1
    file.write_text("another one")
    assert fingerprint.remembered_hash(file) != first
    assert len(read) == 2
    (tmp_path / "cache" / "hashes.json").write_text("not json")
    assert fingerprint.remembered_hash(file) == real(file)


@pytest.mark.parametrize(
    ("name", "chat", "kind"),
    [("m-instruct", True, "instruct"), ("M-Base", True, "base"), ("plain", False, "base"), ("m", True, "unknown")],
)
def test_instruct_and_base_are_told_apart(tmp_path, name, chat, kind):
    folder = save_tiny(tmp_path / name, "gpt2", chat=chat)
    assert load_model(str(folder)).origin.kind == kind


def test_pickled_weights_are_refused_with_the_line_that_converts_them(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    with pytest.raises(ModelError) as error:
        load_model(str(folder))
    text = str(error.value)
    assert "tuneoff opens no pickle: opening one can run code" in text
    assert "found:   pytorch_model.bin" in text
    assert f"a, b = '{folder}', 'tiny-safe'" in text


def test_the_line_that_converts_pickled_weights_works(folder, tmp_path):
    net, _ = tiny_model("qwen3", seed=5)
    torch.save(net.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError) as error:
        load_model(str(folder))
    code = str(error.value).partition('python -c "')[2].partition('"\n')[0]
    code = code.replace("'tiny-safe'", repr(str(tmp_path / "tiny-safe")))
    exec(code, {})
    loaded = load_model(str(tmp_path / "tiny-safe"))
    ids_1T = torch.tensor([[1, 20, 30]])
    assert torch.allclose(loaded.net(ids_1T).logits, net(ids_1T).logits, atol=1e-6)


def test_an_adapter_is_not_a_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"(?s)this folder holds an adapter, not a model.*name its base model"):
        load_model(str(tmp_path))


def test_a_folder_without_a_model_says_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ModelError, match=r"(?s)it has no config.json.*found:   notes.txt"):
        load_model(".", folder=tmp_path)


def test_encoder_decoders_and_encoders_are_refused_in_plain_words(folder):
    edit_config(folder, model_type="t5", is_encoder_decoder=True, architectures=["T5ForConditionalGeneration"])
    with pytest.raises(ModelError, match="is an encoder-decoder model; only causal language models"):
        load_model(str(folder))
    edit_config(folder, model_type="bert", is_encoder_decoder=False, architectures=["BertForMaskedLM"])
    with pytest.raises(ModelError, match="is built as BertForMaskedLM; only causal language models"):
        load_model(str(folder))
    edit_config(folder, model_type="vit", architectures=[])
    with pytest.raises(ModelError, match="is of the type 'vit'; only causal language models"):
        load_model(str(folder))


def test_weights_that_are_not_in_the_files_are_never_random(folder):
    tensors = load_file(folder / "model.safetensors")
    gone = "model.layers.1.mlp.up_proj.weight"
    tensors.pop(gone)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"(?s)1 weights are missing.*would be random.*found:   {gone}"):
        load_model(str(folder))


def test_tokens_without_an_embedding_are_named_before_the_weights_are_read(folder):
    _, tokenizer = tiny_model("qwen3", seed=5)
    tokenizer.add_tokens([AddedToken("<|image|>", special=True)])
    tokenizer.save_pretrained(folder)
    assert load_model(str(folder)).tokenizer.convert_tokens_to_ids("<|image|>") == 261, "no text becomes it"
    assert 261 not in load_model(str(folder)).base().chat.text_ids("<|image|>")
    tokenizer.add_tokens([AddedToken("<call>"), AddedToken("<|turn|>", special=True)])
    tokenizer.chat_template += "<|turn|>"
    tokenizer.add_special_tokens({"pad_token": "<|newpad|>"})
    tokenizer.save_pretrained(folder)
    for load in (load_model, load_chat):
        with pytest.raises(ModelError, match="the tokenizer has tokens that the model has no embedding for") as caught:
            load(str(folder))
        said = str(caught.value)
        assert "found:   '<call>' (262), '<|turn|>' (263), '<|newpad|>' (264)\n" in said
        assert "allowed: 261 embeddings, for the tokens 0 to 260" in said
        assert "net.resize_token_embeddings(len(tokenizer))" in said


def test_a_broken_file_is_named(folder):
    (folder / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ModelError, match=r"(?s)transformers cannot open this model\n  where:   .*tiny"):
        load_model(str(folder))


def test_code_of_a_repository_runs_only_where_asked(folder):
    edit_config(
        folder,
        model_type="homemade",
        architectures=["HomemadeForCausalLM"],
        auto_map={"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"},
    )
    (folder / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match="write trust_remote_code = true under"):
        load_model(str(folder))
    with pytest.raises(SystemExit, match="ran"):
        load_model(str(folder), trust_remote_code=True)


def test_names_that_lead_nowhere(tmp_path):
    with pytest.raises(ModelError, match=r"no such model folder\n  where: .*my_model"):
        load_model("./my_model", folder=tmp_path)
    with pytest.raises(ModelError, match="no such GGUF file"):
        load_model("my.gguf", folder=tmp_path)
    (tmp_path / "weights.bin").touch()
    with pytest.raises(ModelError, match=r"a model is a folder or a .gguf file"):
        load_model("weights.bin", folder=tmp_path)


def test_a_file_that_is_no_gguf(tmp_path):
    (tmp_path / "my.gguf").write_bytes(b"GGML but older, and longer than a header")
    with pytest.raises(ModelError, match="not a GGUF file"):
        load_model("my.gguf", folder=tmp_path)
    left = [path.name for path in (tmp_path / "cache" / "models").iterdir() if not path.name.startswith(".")]
    assert left == []


@pytest.fixture
def hub(tmp_path, monkeypatch, folder):
    """The hub's own cache with one model in it, and no way out to the hub."""
    from huggingface_hub import constants

    snapshot = tmp_path / "hub" / "models--acme--tiny-chat" / "snapshots" / "0123abcd"
    shutil.copytree(folder, snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0123abcd")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.mark.usefixtures("hub")
def test_a_hub_id_opens_out_of_the_hubs_cache(folder):
    origin = load_model("acme/tiny-chat").origin
    assert (origin.hub_id, origin.kind) == ("acme/tiny-chat", "instruct")
    assert origin.fingerprint == load_model(str(folder)).origin.fingerprint


@pytest.mark.usefixtures("hub")
def test_a_hub_that_cannot_be_reached(tmp_path):
    with pytest.raises(ModelError) as error:
        load_model("acme/other", folder=tmp_path)
    assert "'acme/other' is not on this machine, and the Hugging Face hub cannot be reached" in str(error.value)
    assert "smollm2-135m-instruct, gemma3-270m; a Hugging Face id; a folder; a .gguf file" in str(error.value)
    with pytest.raises(ModelError, match="did you mean 'smollm2-135m-instruct'"):
        load_model("smollm2-135m", folder=tmp_path)


def test_devices_and_number_formats(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(ModelError, match=r"(?s)this machine has no device 'cuda'.*allowed: auto, cpu"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda:0")
    assert pick_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(ModelError, match="cuda:0, cuda:1"):
        pick_device("cuda:2")
    for native, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, native=native: native)
        assert pick_dtype("auto", torch.device("cuda:0")) == dtype
    assert pick_dtype("auto", torch.device("cpu")) == torch.float32
    assert pick_dtype("float16", torch.device("cpu")) == torch.float16

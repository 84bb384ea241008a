"""A GGUF file, written here from a tiny model with real 8-bit blocks, becomes the folder of the same model."""

import json

import gguf
import numpy as np
import pytest
import torch
from transformers.utils import logging

from tuneoff.core.errors import ModelError
from tuneoff.models.gguf import convert_once
from tuneoff.models.kept import converted_folder
from tuneoff.models.load import load_model
from tuneoff.models.quiet import quiet
from tuneoff.models.tiny import BOS, EOS, PAD, SPECIALS, tiny_model

LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
TOP = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNEOFF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def source(tmp_path):
    """(path of a GGUF file, the network whose weights are exactly what the file holds)."""
    net, tokenizer = tiny_model("llama", seed=1)
    net.resize_token_embeddings(len(tokenizer) + 2)  # two merged tokens: a GGUF with fewer is not read
    path = tmp_path / "tiny.gguf"
    write_gguf(path, net, [*tokenizer.convert_ids_to_tokens(range(len(tokenizer))), "Ġt", "Ġa"])
    return path, net


def write_gguf(path, net, tokens, file_type=gguf.LlamaFileType.MOSTLY_Q8_0):
    config = net.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(file_type)
    writer.add_license("mit")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in SPECIALS else 1 for token in tokens])
    writer.add_token_merges(["Ġ t", "Ġ a"])
    writer.add_bos_token_id(BOS)
    writer.add_eos_token_id(EOS)
    writer.add_pad_token_id(PAD)
    writer.add_chat_template("{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}")
    for name, weight in net.named_parameters():
        add_tensor(writer, name, weight, config)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tensor(writer, name, weight, config):
    """Matrices as 8-bit blocks, rounded in the network too; q and k in the row order that GGUF keeps them in."""
    values = weight.detach().numpy()
    if values.ndim == 1:
        writer.add_tensor(gguf_name(name), values)
        return
    blocks = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
    weight.copy_(torch.from_numpy(gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType.Q8_0)))
    if "q_proj" in name or "k_proj" in name:
        heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
        blocks = blocks.reshape(heads, 2, -1, blocks.shape[-1]).swapaxes(1, 2).reshape(blocks.shape)
    writer.add_tensor(gguf_name(name), np.ascontiguousarray(blocks), raw_dtype=gguf.GGMLQuantizationType.Q8_0)


def gguf_name(name):
    if name in TOP:
        return TOP[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{LAYER[rest.removesuffix('.weight')]}.weight"


def test_the_folder_gives_the_logits_of_what_the_file_holds(source):
    path, net = source
    loaded = load_model(str(path), device="cpu")
    ids_1T = torch.randint(0, 262, (1, 40), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(loaded.net(ids_1T).logits, net(ids_1T).logits, atol=1e-5)
    assert not hasattr(loaded.net.config, "quantization_config")
    assert loaded.net.config.tie_word_embeddings
    assert (loaded.origin.quantisation, loaded.origin.licence) == ("Q8_0, dequantised", "mit")


def test_the_tokenizer_is_whole(source):
    tokenizer = load_model(str(source[0])).tokenizer
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (BOS, EOS, PAD)
    assert tokenizer.model_max_length == 512
    assert tokenizer.apply_chat_template([{"content": "a"}], tokenize=False) == "<|im_start|>a<|im_end|>"
    text = "Grüße, 世界! 🙂\n\ttwo  spaces  2023"
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
    assert "Ġt" in tokenizer.tokenize("a text")
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in  99")
    assert [piece for piece, _ in pieces] == ["in", "ĠĠ", "9", "9"]


def test_it_is_converted_once_and_a_broken_try_leaves_nothing_that_passes_for_a_model(source):
    path, _ = source
    first = load_model(str(path)).origin
    made = converted_folder("tiny", first.file_sha256)
    stamp = (made / "model.safetensors").stat().st_mtime_ns
    assert load_model(str(path)).origin == first
    assert (made / "model.safetensors").stat().st_mtime_ns == stamp
    assert json.loads((made / "origin.json").read_text())["sha256"] == first.file_sha256

    def breaks(work):
        (work / "half").write_text("half a file")
        raise KeyboardInterrupt

    other = converted_folder("other", "f" * 64)
    with pytest.raises(KeyboardInterrupt):
        convert_once("other", "f" * 64, breaks)
    assert not other.exists()
    assert convert_once("other", "f" * 64, lambda work: path) == other
    assert not any("making" in folder.name for folder in other.parent.iterdir())


def test_a_file_type_of_a_newer_list_is_told_by_its_number(source):
    path, net = source
    _, tokenizer = tiny_model("llama", seed=1)
    write_gguf(path, net, [*tokenizer.convert_ids_to_tokens(range(len(tokenizer))), "Ġt", "Ġa"], file_type=138)
    assert load_model(str(path), device="cpu").origin.quantisation == "file type 138, dequantised"


def test_a_quantisation_that_the_reader_does_not_know(source):
    path, _ = source
    data = bytearray(path.read_bytes())
    at = data.index(b"token_embd.weight") + len(b"token_embd.weight") + 4 + 2 * 8  # behind its two dimensions
    assert int.from_bytes(data[at : at + 4], "little") == gguf.GGMLQuantizationType.Q8_0
    data[at : at + 4] = (153).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"this quantisation \(type 153\) cannot be read") as caught:
        load_model(str(path))
    assert "pip install --upgrade gguf, or use the model's Hugging Face id" in str(caught.value)


def test_an_architecture_that_transformers_cannot_read(source, tmp_path):
    path = tmp_path / "strange.gguf"
    writer = gguf.GGUFWriter(path, "strange")
    writer.add_block_count(1)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match=r"(?s)transformers cannot read this GGUF file\n  where:   .*strange.gguf"):
        load_model(str(path))


def test_quiet_puts_back_what_was_set():
    logging.set_verbosity_info()
    logging.enable_progress_bar()
    with quiet():
        assert logging.get_verbosity() == logging.ERROR
        assert not logging.is_progress_bar_enabled()
    assert logging.get_verbosity() == logging.INFO
    assert logging.is_progress_bar_enabled()
    logging.set_verbosity_warning()

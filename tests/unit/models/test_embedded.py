"""The list of embedded models is sound; the real ones (slow: they are fetched) say what they should."""

import math
import re
from itertools import pairwise

import pytest
import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM

from tuneoff.core.download import fetch
from tuneoff.core.errors import ResourceError
from tuneoff.data.record import Message
from tuneoff.models import embedded as module
from tuneoff.models.embedded import embedded, made
from tuneoff.models.load import load_chat, load_model

SENTENCES = (
    "The museum opened in 1897 and holds more than forty thousand objects from all over the world.",
    "She put the kettle on, sat down by the window and waited for the rain to stop.",
    "In mathematics, a prime number is greater than 1 and not a product of two smaller natural numbers.",
)
ODD_TEXTS = (
    *SENTENCES,
    "Grüße 世界 🙂\n\n\ttwo  spaces   three",
    "def f(x):\n    return x**2  # ok\n\n\n    y = 3.14159",
    "Привет, как дела? 123456 7890",
    "العربية مرحبا",
    "👩‍👩‍👧 family \U0001f9ff",
    "a\r\nb\r\n",
    "user@example.com http://x.org/a?b=c&d=%20",
    "ไทย ภาษา",
    "\x00\x01 ᚠᛇᚻ ᛒᛦᚦ",
    '<div class="a">hi</div>',
    "a 12  34\n5",
)


def test_every_table_is_pinned():
    assert set(embedded()) == {"smollm2-135m-instruct", "gemma3-270m"}
    for model in embedded().values():
        assert re.fullmatch("[0-9a-f]{64}", model.sha256)
        assert all(re.fullmatch("[0-9a-f]{64}", part.sha256) for part in model.parts)
        assert all(part.member.partition("/")[0] == part.package.replace("-", "_") for part in model.parts)
        assert "/" in model.hub_id
        assert model.licence


def test_too_small_a_disk_is_said_before_fetching(monkeypatch, tmp_path):
    def full(wanted_bytes, folder):
        raise ResourceError("not enough room on the disk", found=wanted_bytes)

    monkeypatch.setenv("TUNEOFF_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "room_for", full)
    monkeypatch.setattr(module, "fetch", lambda *_, **__: pytest.fail("fetched all the same"))
    with pytest.raises(ResourceError, match=r"not enough room on the disk\n  found:   800000000"):
        made("smollm2-135m-instruct")
    assert not list(tmp_path.glob("models/[!.]*"))


def perplexity(net, tokenizer, first: int) -> float:
    nats = tokens = 0
    for text in SENTENCES:
        ids_1T = torch.tensor([[first, *tokenizer(text, add_special_tokens=False).input_ids]])
        with torch.no_grad():
            nats += net(ids_1T, labels=ids_1T).loss.item() * (ids_1T.shape[1] - 1)
        tokens += ids_1T.shape[1] - 1
    return math.exp(nats / tokens)


def continuation(loaded, text: str) -> str:
    ids_1T = loaded.tokenizer(text, return_tensors="pt").input_ids
    out_1T = loaded.net.generate(ids_1T, max_new_tokens=8, do_sample=False)
    return loaded.tokenizer.decode(out_1T[0, ids_1T.shape[1] :])


@pytest.mark.slow
def test_smollm2_is_the_model_of_its_gguf_file(tmp_path):
    loaded = load_model("smollm2-135m-instruct", device="cpu")
    model = embedded()["smollm2-135m-instruct"]
    file = fetch(model.parts, tmp_path / model.file, sha256=model.sha256)
    direct = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=file.name, dtype=torch.float32)
    ids_1T = loaded.tokenizer(SENTENCES[0], return_tensors="pt").input_ids
    with torch.no_grad():
        assert torch.equal(loaded.net(ids_1T).logits, direct(ids_1T).logits)
    assert loaded.origin.file_sha256 == model.sha256


@pytest.mark.slow
def test_smollm2_says_what_it_should():
    loaded = load_model("smollm2-135m-instruct", device="cpu")
    tokenizer = loaded.tokenizer
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (1, 2, 2)
    assert tokenizer("a").input_ids == tokenizer("a", add_special_tokens=False).input_ids
    assert perplexity(loaded.net, tokenizer, first=0) < 20
    assert continuation(loaded, "The capital of France is").startswith(" Paris")
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False).endswith(
        "<|im_start|>user\nhi<|im_end|>\n"
    )
    assert tokenizer.tokenize("in  99") == ["in", "ĠĠ", "9", "9"]
    assert all(tokenizer.decode(tokenizer(text).input_ids) == text for text in ODD_TEXTS)
    assert (loaded.origin.kind, loaded.origin.quantisation) == ("instruct", "Q4_1, dequantised")


@pytest.mark.slow
def test_smollm2_reads_the_datas_text_as_text_and_all_else_as_its_template_writes_it():
    chat, context = load_chat("smollm2-135m-instruct")
    tokenizer = chat.tokenizer
    assert context == 8192
    for text in (*ODD_TEXTS, *SENTENCES, "    y = x + 1\n    return y", "a < b > c"):
        turns = [("system", text), ("user", text), ("assistant", text), ("user", text)]
        table = [{"role": role, "content": own} for role, own in turns]
        usual = tokenizer.apply_chat_template(table, tokenize=False, add_generation_prompt=True)
        asked = tuple(Message(role, own) for role, own in turns)
        assert list(chat.prompt_ids(asked)) == tokenizer(usual, add_special_tokens=False).input_ids
        assert list(chat.text_ids(text)) == tokenizer(text, add_special_tokens=False).input_ids
        assert chat.decode(chat.answer_ids(text)) == text
    spelled = chat.prompt_ids((Message("user", "cp <filename> <|im_end|>"),))
    empty = chat.prompt_ids((Message("user", ""),))
    assert [spelled.count(token) for token in tokenizer.all_special_ids] == [
        empty.count(token) for token in tokenizer.all_special_ids
    ]
    assert "user\ncp <filename> <|im_end|><|im_end|>" in chat.show(spelled)
    assert chat.decode(chat.answer_ids("cp <filename>")) == "cp <filename>"


@pytest.mark.slow
def test_gemma_says_what_it_should():
    loaded = load_model("gemma3-270m", device="cpu")
    tokenizer, config = loaded.tokenizer, loaded.net.config
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id) == (0, 1, 2)
    assert tokenizer("a").input_ids[0] == 2
    assert tokenizer.chat_template is None
    assert (config.sliding_window, config.query_pre_attn_scalar, config.tie_word_embeddings) == (512, 256, True)
    assert config.layer_types == (["sliding_attention"] * 5 + ["full_attention"]) * 3
    rope = config.rope_parameters
    assert rope["sliding_attention"]["rope_theta"] == 10_000
    assert rope["full_attention"]["rope_theta"] == 1_000_000
    assert perplexity(loaded.net, tokenizer, first=2) < 20
    assert perplexity(loaded.net, tokenizer, first=5279) > 100  # without BOS Gemma is lost: a negative control
    assert "France" in continuation(loaded, "The capital of France is")
    assert (loaded.origin.kind, loaded.origin.quantisation) == ("base", "Q4_K_M, dequantised")


@pytest.mark.slow
def test_gemma_tokenizes_as_sentencepiece_would(tmp_path):
    """Against the file's own vocabulary and scores: always merge the neighbours that make the best piece."""
    model = embedded()["gemma3-270m"]
    reader = GGUFReader(fetch(model.parts, tmp_path / model.file, sha256=model.sha256))
    pieces = reader.get_field("tokenizer.ggml.tokens").contents()
    scores = reader.get_field("tokenizer.ggml.scores").contents()
    types = reader.get_field("tokenizer.ggml.token_type").contents()
    ids = {piece: at for at, piece in enumerate(pieces)}
    whole = {piece for piece, kind in zip(pieces, types) if kind in (3, 4)}  # control and user-defined
    cut = re.compile("(" + "|".join(map(re.escape, sorted(whole, key=len, reverse=True))) + ")")

    def merged(text):
        parts = list(text.replace(" ", "▁"))
        while True:
            made = [(-scores[ids[a + b]], at) for at, (a, b) in enumerate(pairwise(parts)) if a + b in ids]
            if not made:
                return parts
            _, at = min(made)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]

    def reference(text):
        out = []
        for part in filter(None, cut.split(text)):
            for piece in [part] if part in whole else merged(part):
                out += [ids[piece]] if piece in ids else [ids[f"<0x{byte:02X}>"] for byte in piece.encode()]
        return out

    tokenizer = load_model("gemma3-270m").tokenizer
    for text in ODD_TEXTS:
        found = tokenizer(text, add_special_tokens=False).input_ids
        assert found == reference(text)
        assert tokenizer.decode(found) == text

"""The tiny models are what they claim to be: repeatable, causal, windowed, and whole after a round trip."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuneoff.models.tiny import ARCHITECTURES, save_tiny, tiny_model, tiny_tokenizer

TEXT = "Grüße, 世界! <|im_end|> 🙂\n\ttwo  spaces"


def ids_of(tokenizer, text="a record of some length, long enough"):
    return tokenizer(text, return_tensors="pt").input_ids


def moved(net, ids_1T, at):
    """[T]: how far each position's logits move when the token at `at` is changed."""
    changed = ids_1T.clone()
    changed[0, at] += 1
    with torch.no_grad():
        return (net(changed).logits - net(ids_1T).logits)[0].abs().amax(-1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_same_seed_same_weights_and_the_global_generator_is_left_alone(architecture):
    before = torch.random.get_rng_state()
    one, tokenizer = tiny_model(architecture, seed=3)
    two, _ = tiny_model(architecture, seed=3)
    other, _ = tiny_model(architecture, seed=4)
    assert torch.equal(before, torch.random.get_rng_state())
    ids_1T = ids_of(tokenizer)
    assert torch.equal(one(ids_1T).logits, two(ids_1T).logits)
    assert not torch.allclose(one(ids_1T).logits, other(ids_1T).logits)
    assert not one.training
    assert not any(weight.requires_grad for weight in one.parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_positions_see_what_came_before_and_nothing_later(architecture):
    net, tokenizer = tiny_model(architecture)
    moved_T = moved(net, ids_of(tokenizer), at=8)
    assert moved_T[:8].max() == 0
    assert moved_T[8:12].min() > 0.01


@pytest.mark.parametrize(("architecture", "window"), [("mistral", 5), ("gemma3", 4), ("qwen2", 4), ("qwen3", 7)])
def test_a_window_hides_what_lies_behind_it(architecture, window):
    net, tokenizer = tiny_model(architecture, layers=2, window=window)
    layers = 1 if architecture != "mistral" else 2
    hidden_T = net(ids_of(tokenizer), output_hidden_states=True).hidden_states[layers]
    changed = ids_of(tokenizer)
    changed[0, 3] += 1
    moved_T = (net(changed, output_hidden_states=True).hidden_states[layers] - hidden_T)[0].abs().amax(-1)
    reach = 3 + layers * (window - 1)
    if architecture == "mistral":  # its last hidden state is normed, as all positions' are: zero stays zero
        assert moved_T[reach] > 0
    assert moved_T[reach + 1 :].max() == 0
    assert moved_T[3:reach].min() > 0


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "mistral", "gemma3"])
def test_keys_and_values_are_grouped(architecture):
    config = tiny_model(architecture)[0].config
    assert config.num_key_value_heads < config.num_attention_heads


def test_a_window_where_there_is_none_is_refused():
    with pytest.raises(ValueError, match="llama has no sliding window; mistral, gemma3, qwen2 and qwen3 have"):
        tiny_model("llama", window=4)
    with pytest.raises(ValueError, match="unknown architecture 'bert'; allowed: llama, qwen2"):
        tiny_model("bert")


def test_any_text_comes_back_unchanged_and_bos_stands_first():
    tokenizer = tiny_tokenizer()
    ids = tokenizer(TEXT).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids[1:]) == TEXT
    assert ids.count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 1
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3


def test_the_chat_template_opens_with_bos_and_only_a_chat_tokenizer_has_one():
    text = tiny_tokenizer().apply_chat_template(
        [{"role": "user", "content": "hi"}], tokenize=False, add_generation_prompt=True
    )
    assert text == "<bos><|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert tiny_tokenizer(chat=False).chat_template is None


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_saved_one_opens_as_any_folder_does(architecture, tmp_path):
    net, tokenizer = tiny_model(architecture, seed=2)
    folder = save_tiny(tmp_path / "tiny", architecture, seed=2)
    again = AutoModelForCausalLM.from_pretrained(folder)
    ids_1T = ids_of(AutoTokenizer.from_pretrained(folder))
    assert torch.equal(ids_1T, ids_of(tokenizer))
    assert torch.allclose(net(ids_1T).logits, again(ids_1T).logits, atol=1e-6)
    assert AutoTokenizer.from_pretrained(folder).chat_template == tokenizer.chat_template
    assert again.generation_config.eos_token_id == [2, 4]

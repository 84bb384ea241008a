"""Small random causal models with a byte-level tokenizer, made in code in a few milliseconds, for tests.

    net, tokenizer = tiny_model("gemma3")          2 layers, width 32, windows of 6 positions
    save_tiny(folder, "qwen3", seed=1)             the same as a folder that load_model opens

They keep what makes real architectures differ and go wrong: grouped keys and values, fused projections (gpt2,
gpt_neox), learned positions (gpt2, opt), partial rotation (phi, gpt_neox), norms on
queries and keys (qwen3, gemma3), sliding windows shorter than a row (mistral, gemma3), tied embeddings (llama,
gpt2, gemma3, opt), scaled embeddings (gemma3). The tokenizer puts <bos> first, as Llama's and Gemma's do, and so
does its chat template: whoever tokenizes rendered text must not double it. <eos> ends a text, <|im_end|> a turn.
"""

from pathlib import Path
from typing import Literal, get_args

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["ARCHITECTURES", "Architecture", "save_tiny", "tiny_model", "tiny_tokenizer"]

Architecture = Literal["llama", "qwen2", "qwen3", "gemma3", "gpt2", "gpt_neox", "opt", "phi", "mistral"]
ARCHITECTURES: tuple[str, ...] = get_args(Architecture)

SPECIALS = ("<pad>", "<bos>", "<eos>", "<|im_start|>", "<|im_end|>")
PAD, BOS, EOS, TURN_START, TURN_END = range(5)
CONTEXT_TOKENS = 512
# Large enough that attention and every adapter site move the logits by tenths: with the usual 0.02 a wrong mask
# hides below a test's tolerance.
SPREAD = 0.2

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_model(
    architecture: Architecture = "llama",
    *,
    seed: int = 0,
    layers: int = 2,
    width: int = 32,
    window: int | None = None,
    chat: bool = True,
    dtype: torch.dtype = torch.float32,
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A random causal model in eval mode, weights frozen, and its tokenizer; equal arguments give equal weights.

    window: positions that a sliding layer sees; 6 by default for mistral (all layers) and gemma3 (all but the
    last layer), none for qwen2 and qwen3 (with a window: all but the last layer). chat: whether the tokenizer has
    a chat template. Raises ValueError for an unknown architecture, or a window where it has none.
    """
    config = _config(architecture, layers, width, window)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa")
        _roughen(net)
    net.generation_config.eos_token_id = [EOS, TURN_END]
    net.generation_config.pad_token_id = PAD
    return net.eval().requires_grad_(False), tiny_tokenizer(chat=chat)


def save_tiny(
    path: Path,
    architecture: Architecture = "llama",
    *,
    seed: int = 0,
    layers: int = 2,
    width: int = 32,
    window: int | None = None,
    chat: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write the folder (safetensors) of a tiny model; returns the path."""
    net, tokenizer = tiny_model(
        architecture, seed=seed, layers=layers, width=width, window=window, chat=chat, dtype=dtype
    )
    net.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return Path(path)


def tiny_tokenizer(*, chat: bool = True) -> PreTrainedTokenizerFast:
    """One token a byte, 256 of them behind the five special ones; any text comes back unchanged."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate([*SPECIALS, *letters])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", BOS)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE if chat else None
    return tokenizer


def _roughen(net: PreTrainedModel) -> None:
    """Move biases off 0 and norms off 1, where a forgotten one would not be seen."""
    with torch.no_grad():
        for weight in net.parameters():
            if weight.dim() == 1:
                weight += 0.1 * torch.randn_like(weight)


def _config(architecture: str, layers: int, width: int, window: int | None) -> PretrainedConfig:
    if architecture not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {architecture!r}; allowed: {', '.join(ARCHITECTURES)}")
    common = {
        "vocab_size": len(SPECIALS) + 256,
        "pad_token_id": PAD,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "max_position_embeddings": CONTEXT_TOKENS,
        "initializer_range": SPREAD,
    }
    heads = 4
    sizes = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }
    grouped = {**sizes, "num_key_value_heads": heads // 2}
    sliding = ["sliding_attention"] * (layers - 1) + ["full_attention"]
    name = {"gemma3": "gemma3_text"}.get(architecture, architecture)
    match architecture:
        case "mistral":
            own = {**grouped, "sliding_window": window or 6}
        case "gemma3":
            # head_dim differs from width / heads, as in the real one
            own = {
                **grouped,
                "head_dim": width // 2,
                "query_pre_attn_scalar": width // 2,
                "sliding_window": window or 6,
                "layer_types": sliding,
            }
        case "qwen2" | "qwen3" if window:
            own = {**grouped, "use_sliding_window": True, "sliding_window": window, "layer_types": sliding}
        case _ if window:
            raise ValueError(f"{architecture} has no sliding window; mistral, gemma3, qwen2 and qwen3 have")
        case "llama":
            own = {**grouped, "tie_word_embeddings": True}
        case "qwen2" | "qwen3" | "phi":
            own = grouped
        case "gpt_neox":
            own = {**sizes, "rotary_pct": 0.5}
        case "gpt2":
            own = {"n_embd": width, "n_layer": layers, "n_head": heads, "n_positions": CONTEXT_TOKENS}
            own |= {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}
            common.pop("max_position_embeddings")
        case "opt":
            own = {**sizes, "ffn_dim": 2 * width, "word_embed_proj_dim": width, "init_std": SPREAD, "dropout": 0.0}
            own.pop("intermediate_size")
            common.pop("initializer_range")
    if architecture == "qwen3":
        own["head_dim"] = width // 2
    return AutoConfig.for_model(name, **common, **own)

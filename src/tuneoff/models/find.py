"""A model's name becomes a folder on this machine: embedded, on the Hugging Face hub, a folder, or a GGUF file.

Only safetensors are taken: a pickle can run code when it is opened. From the hub come the model's own files, and
its Python files only where running them was asked for.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuneoff.core.errors import ModelError, nearest
from tuneoff.core.identity import content_hash
from tuneoff.models.embedded import embedded, made
from tuneoff.models.fingerprint import folder_fingerprint, remembered_hash
from tuneoff.models.kept import CONVERSION

__all__ = ["Found", "Kind", "find_model", "first_line"]

Kind = Literal["instruct", "base", "unknown"]

HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A folder that holds a model, and what is known of it from outside. See Origin for the words."""

    folder: Path
    fingerprint: str
    hub_id: str = ""
    quantisation: str = ""
    file_sha256: str = ""
    licence: str = ""
    kind: Kind | None = None


def find_model(name: str, start: Path, trust_remote_code: bool = False) -> Found:
    """The model behind a name; relative paths begin at `start`. Raises ModelError where there is none."""
    if name in embedded():
        model = embedded()[name]
        return _converted(made(name), hub_id=model.hub_id, licence=model.licence, kind=model.kind)
    path = start / Path(name).expanduser()
    if name.endswith(".gguf"):
        return _from_gguf(path)
    if (path / "origin.json").is_file():  # a conversion of ours, as bundles name it
        return _converted(path)
    if path.is_dir():
        return _in_folder(path, saved_from=str(path))
    if path.is_file():
        raise ModelError("a model is a folder or a .gguf file, not a file like this", where=path)
    if not HUB_ID.fullmatch(name):
        raise ModelError("no such model folder", where=path, allowed=_allowed(), fix=nearest(name, embedded()))
    return _in_folder(_fetched(name, path, trust_remote_code), saved_from=name, hub_id=name)


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _from_gguf(path: Path) -> Found:
    if not path.is_file():
        raise ModelError("no such GGUF file", where=path)
    from tuneoff.models.gguf import convert_once

    return _converted(convert_once(path.stem, remembered_hash(path), lambda work: path))


def _converted(folder: Path, *, hub_id: str = "", licence: str = "", kind: Kind | None = None) -> Found:
    """The fingerprint stands on the GGUF file: the config written beside the weights names library versions."""
    made_from = json.loads((folder / "origin.json").read_text(encoding="utf-8"))
    quantisation = made_from["quantisation"]
    return Found(
        folder=folder,
        fingerprint=content_hash([made_from["sha256"], CONVERSION], length=64),
        hub_id=hub_id,
        quantisation=f"{quantisation}, dequantised" if quantisation else "",
        file_sha256=made_from["sha256"],
        licence=licence or made_from["licence"],
        kind=kind,
    )


def _in_folder(folder: Path, *, saved_from: str, hub_id: str = "") -> Found:
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise ModelError(
            "this folder holds an adapter, not a model",
            where=folder,
            fix="name its base model under [model]",
        )
    if not (folder / "config.json").is_file():
        inside = sorted(path.name for path in folder.iterdir())[:8]
        raise ModelError("this folder holds no model: it has no config.json", where=folder, found=inside or "nothing")
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(path.name for ending in ("bin", "pt", "pth") for path in folder.glob(f"*.{ending}"))
        raise ModelError(
            "the weights are not in safetensors, and tuneoff opens no pickle: opening one can run code",
            where=folder,
            found=pickles or "no *.safetensors",
            fix=_conversion(saved_from),
        )
    return Found(folder=folder, fingerprint=folder_fingerprint(folder), hub_id=hub_id)


def _conversion(saved_from: str) -> str:
    target = f"{saved_from.rstrip('/').rpartition('/')[2]}-safe"
    return (
        "if you trust where it came from, convert it once:\n"
        'python -c "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; '
        f"a, b = '{saved_from}', '{target}'; "
        'M.from_pretrained(a).save_pretrained(b); T.from_pretrained(a).save_pretrained(b)"\n'
        f"and name the folder {target}"
    )


def _fetched(name: str, looked_at: Path, trust_remote_code: bool) -> Path:
    """The hub's files. looked_at: the folder of that name that is not there, for errors."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    wanted = [*HUB_FILES, "*.py"] if trust_remote_code else HUB_FILES
    try:
        # weights in subfolders and `consolidated` ones are other copies of the same model
        return Path(snapshot_download(name, allow_patterns=wanted, ignore_patterns=["*/*", "consolidated*"]))
    except RepositoryNotFoundError:
        raise ModelError(
            f"no model {name!r} on the Hugging Face hub that you may read",
            found=f"no folder {looked_at} either",
            allowed=_allowed(),
            fix=nearest(name, embedded()) or "check the name; for a gated model accept its terms, then: hf auth login",
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"{name!r} is not on this machine, and the Hugging Face hub cannot be reached",
            found=f"no folder {looked_at} either; {first_line(error)}",
            allowed=_allowed(),
            fix=nearest(name, embedded()) or "connect to the network, or give a folder that holds the model",
        ) from None


def _allowed() -> str:
    return f"{', '.join(embedded())}; a Hugging Face id; a folder; a .gguf file"

"""What was trained elsewhere, scored as an arm of its own; nothing of it is trained here.

{name = "ours", adapter = "runs/tickets/best"}         a bundle, asked with its own prompt
{name = "theirs", adapter = "out/checkpoint-500"}      a folder that the `peft` library wrote
{name = "merged", model = "out/merged"}                weights for the study's model, in a folder of their own
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from safetensors.torch import load_file
from torch import Tensor

from tuneoff.core import plugins
from tuneoff.core.errors import ConfigError, ModelError
from tuneoff.models.adapt import AdapterMethod, Method, WeightMethod
from tuneoff.models.base import Base
from tuneoff.models.fingerprint import folder_fingerprint
from tuneoff.models.foreign import ADAPTER_WEIGHTS, check_adapter, check_model, read_adapter_config
from tuneoff.models.merged import adapter_weights, folder_weights
from tuneoff.study.bundle import Tuned, TunedPart, check_bundle, load_tuned

__all__ = ["Given", "given_tuned"]

MARKS = {"adapter": ("bundle.json", "adapter_config.json"), "model": ("config.json",)}  # a file that tells the folder
FILES = ("*.safetensors", "*.json")


@dataclass(frozen=True, slots=True)
class Given:
    """A folder with an adapter or with a model's weights. content: hash of its files, once it was read."""

    kind: Literal["adapter", "model"]
    path: str
    content: str = ""

    def read(self, folder: str) -> "Given":
        """With its path resolved, its files looked at and hashed.

        Raises ConfigError where it is no such folder, ModelError or StudyError where a file of it cannot be used.
        """
        place = Path(folder, self.path).expanduser()
        if not any((place / mark).is_file() for mark in MARKS[self.kind]):
            raise ConfigError(
                f"this folder holds no {self.kind}",
                where=place,
                allowed=f"a folder with {' or '.join(MARKS[self.kind])}",
                fix=f'write {self.kind} = "..." with such a folder; a relative path starts at the study file',
            )
        if self.kind == "model":
            check_model(place)
        elif (place / "bundle.json").is_file():
            check_bundle(place)
        else:
            check_adapter(place)
        return replace(self, path=str(place), content=folder_fingerprint(place, FILES))

    def base_named(self) -> str:
        """The base model that an adapter of the `peft` library was trained on, as its folder names it; or empty."""
        if self.kind == "model" or (Path(self.path) / "bundle.json").is_file():
            return ""
        return read_adapter_config(Path(self.path)).get("base_model_name_or_path") or ""


def given_tuned(given: Given, asked: Tuned, base: Base) -> Tuned:
    """The arm ready to answer. asked: what the study would ask of an untuned model.

    Raises ModelError where it was made for another model, or cannot be read.
    """
    folder = Path(given.path)
    if given.kind == "model":
        return replace(asked, parts=(_weights(folder_weights(base, folder)),))
    if (folder / "bundle.json").is_file():
        tuned = load_tuned(folder)
        if tuned.base["fingerprint"] != base.fingerprint:
            raise ModelError(f"this bundle was made for {tuned.base.get('name')}", where=folder, fix="name that model")
        _check_asked_alike(tuned, asked, folder)
        return replace(asked, prompt=tuned.prompt, parts=tuned.parts, prior=_prior(tuned, asked, folder))
    return replace(asked, parts=(_peft_part(folder, base),))


def _check_asked_alike(tuned: Tuned, asked: Tuned, folder: Path) -> None:
    if tuned.base["template"] != asked.base["template"]:
        raise ModelError(
            "this bundle asks the model through another template than the study",
            where=folder,
            found=f"template {tuned.base['template']!r}",
            allowed=f"template {asked.base['template']!r}",
            fix=f'write template = "{tuned.base["template"]}" under [model]',
        )


def _prior(tuned: Tuned, asked: Tuned, folder: Path) -> tuple[float, ...] | None:
    """The bundle's label prior in the order of the study's labels."""
    if tuned.prior is None:
        return None
    prior = dict(zip(tuned.task.labels, tuned.prior))
    if set(prior) != set(asked.task.labels):
        raise ModelError(
            "this bundle was calibrated on other labels",
            where=folder,
            found=tuned.task.labels,
            allowed=asked.task.labels,
            fix="give an arm of that study which is not calibrated",
        )
    return tuple(prior[label] for label in asked.task.labels)


def _peft_part(folder: Path, base: Base) -> TunedPart:
    """What a method of ours can read as that; whatever the library can merge as the weights that it changes."""
    config = read_adapter_config(folder)
    for name, cls in _methods(AdapterMethod):
        if read := cls.from_peft(config, load_file(folder / ADAPTER_WEIGHTS)):
            method, tensors = read
            (site,) = base.sites(method.roles)
            return TunedPart(name, method, {site.name: tensors})
    return _weights(adapter_weights(base, folder))


def _weights(changed: dict[str, Tensor]) -> TunedPart:
    name, cls = next(_methods(WeightMethod))
    return TunedPart(name, cls(), {"": changed})


def _methods(kind: type[Method]) -> Iterator[tuple[str, type]]:
    for name in plugins.names("methods"):
        if issubclass(cls := plugins.load("methods", name), kind):
            yield name, cls

"""What a job leaves behind, and the folder that keeps it: prompt, tensors, and how they are worn.

    bundle.json             version, arm, parts in order, base (fingerprint, origin, template, number format), task,
                            label prior, columns (how a row becomes a record), lengths (what is cut, and where)
    prompt.json             the fitted prompt
    part-0-lora.safetensors tensors of one part, named SITE/TENSOR (or the weight's name)
    peft/lora/              the same part as the `peft` library reads it, where it has such a type

Tensors are safetensors, never pickle.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tuneoff.core import plugins
from tuneoff.core.errors import ModelError, StudyError
from tuneoff.core.files import write_text, written
from tuneoff.data.prompt import Prompt
from tuneoff.data.shapes import Shape
from tuneoff.data.task import Task
from tuneoff.engine.attach import Adapter, Worn, site_key
from tuneoff.engine.examples import Lengths
from tuneoff.engine.hidden import Own
from tuneoff.models.adapt import AdapterMethod, ProbeMethod, WeightMethod
from tuneoff.models.base import Base

__all__ = ["Tuned", "TunedPart", "bundle_columns", "check_bundle", "freed", "load_tuned", "save_tuned", "tensors_of"]

VERSION = 2
A_TEXT = Shape(name="a text", input=("text",))
AS_THE_MODEL = Lengths()


@dataclass(frozen=True, slots=True)
class TunedPart:
    """A method that learned. tensors: {site: {name: tensor}} of an adapter, {"": {name: tensor}} of weights or a probe.

    own: of a probe, which tokens of a prompt are the record's.
    """

    name: str
    method: AdapterMethod | WeightMethod | ProbeMethod
    tensors: dict[str, dict[str, Tensor]]
    own: Own | None = None

    def adapter(self, base: Base) -> Adapter:
        sites = tuple(base.sites(self.method.roles))
        missing = [site.name for site in sites if site_key(site) not in self.tensors]
        if missing:
            raise ModelError(
                "the adapter was made for another model",
                found=type(base.net).__name__,
                fix="load it with the model that its bundle.json names",
            )
        tensors = {at: {name: t.to(base.device) for name, t in own.items()} for at, own in self.tensors.items()}
        return Adapter(self.method, sites, tensors)

    @property
    def numbers(self) -> int:
        return sum(t.numel() for own in self.tensors.values() for t in own.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuned:
    """An arm after its job: everything that answering needs, but the base.

    prior: log-probabilities per label to take off the scores. columns: how a row becomes a record to ask about.
    lengths: how long a record may be, and what is cut of a longer one.
    """

    arm: str
    task: Task
    prompt: Prompt
    parts: tuple[TunedPart, ...] = ()
    prior: tuple[float, ...] | None = None
    columns: Shape = A_TEXT
    lengths: Lengths = AS_THE_MODEL
    base: dict = field(default_factory=dict)

    @property
    def probe(self) -> TunedPart | None:
        """What scores the labels by hidden states, and not by what the model would write; None where nothing does."""
        return next((part for part in self.parts if isinstance(part.method, ProbeMethod)), None)

    @property
    def unchanged(self) -> bool:
        """Whether the model computes what it did before."""
        return all(isinstance(part.method, ProbeMethod) for part in self.parts)

    @contextmanager
    def worn(self, base: Base) -> Iterator[Worn]:
        """The base with this on; its own weights come back at the end of the block."""
        with self.own_weights(base), self.wearing(base) as worn:
            yield worn

    def wearing(self, base: Base, learning: Sequence[Adapter] = (), *, weights: Collection[str] = ()) -> Worn:
        """What is worn over own_weights, with adapters that learn besides; not entered yet.

        weights: names of the base's own weights that are about to learn.
        """
        adapters = [part.adapter(base) for part in self.parts if isinstance(part.method, AdapterMethod)]
        trained = [part.tensors[""] for part in self.parts if isinstance(part.method, WeightMethod)]
        changed = [*weights, *(name for own in trained for name in own)]
        return Worn(base, [*adapters, *learning], text_changed=bool(changed), from_layer=base.lowest_layer(changed))

    @contextmanager
    def own_weights(self, base: Base) -> Iterator[None]:
        """The base with the weights in it that were trained; as it was after the block."""
        with ExitStack() as stack:
            for part in self.parts:
                if isinstance(part.method, WeightMethod):
                    stack.enter_context(weights_in(base, part.tensors[""]))
            yield


@contextmanager
def weights_in(base: Base, weights: dict[str, Tensor]) -> Iterator[None]:
    """Put weights into the network for a while."""
    with _parted(base, weights), freed(base, list(weights)) as parameters:
        _copy(parameters, weights)
        for p in parameters.values():
            p.requires_grad_(False)
        yield


@contextmanager
def _parted(base: Base, names: Collection[str]) -> Iterator[None]:
    """Where a head and an embedding share one tensor, and both are named: one of its own for each inside the block."""
    apart = [name.rpartition(".") for name in names if name not in dict(base.net.named_parameters())]
    held = [(base.net.get_submodule(module), own) for module, _, own in apart]
    shared = [getattr(module, own) for module, own in held]
    try:
        for (module, own), tensor in zip(held, shared):
            setattr(module, own, nn.Parameter(tensor.detach().clone(), requires_grad=False))
        yield
    finally:
        for (module, own), tensor in zip(held, shared):
            setattr(module, own, tensor)


@contextmanager
def freed(base: Base, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """The network's own weights of these names, free to learn inside the block and as they were after it."""
    wanted = set(names)
    parameters = {name: p for name, p in base.net.named_parameters() if name in wanted}
    before = {name: p.detach().clone() for name, p in parameters.items()}
    try:
        for p in parameters.values():
            p.requires_grad_()
        yield parameters
    finally:
        for p in parameters.values():
            p.requires_grad_(False)
            p.grad = None
        _copy(parameters, before)


def _copy(parameters: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, p in parameters.items():
            p.copy_(values[name])


def save_tuned(tuned: Tuned, folder: Path, base: Base) -> int:
    """Write the folder; bundle.json last, so that a folder with one is whole. Returns its bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for number, part in enumerate(tuned.parts):
        file = f"part-{number}-{_file_word(part.name)}.safetensors"
        with written(folder / file) as temporary:
            save_file(_flat(part.tensors), temporary)
        again = [other.name for other in tuned.parts[:number]].count(part.name)
        word = _file_word(part.name) + (f"-{again + 1}" if again else "")
        _save_peft(part, folder / "peft" / word, base, tuned.base)
        own = {"own": part.own._asdict()} if part.own else {}
        parts.append({"method": part.name, "knobs": part.method.model_dump(mode="json"), "file": file, **own})
    write_text(folder / "prompt.json", json.dumps(tuned.prompt.as_dict(), ensure_ascii=False, indent=1))
    facts = {
        "version": VERSION,
        "arm": tuned.arm,
        "base": tuned.base,
        "task": asdict(tuned.task),
        "prior": tuned.prior,
        "columns": asdict(tuned.columns),
        "lengths": tuned.lengths._asdict(),
        "parts": parts,
    }
    write_text(folder / "bundle.json", json.dumps(facts, ensure_ascii=False, indent=1))
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def load_tuned(folder: Path, *, own_code: bool = False) -> Tuned:
    """Read a bundle folder. Raises StudyError where it is none, or is of another version.

    own_code: whether a method may be code in a file (path/to/file.py:Class), as in a run of one's own. A bundle
    that came from elsewhere may not: opening it would run that code.
    """
    facts = _facts(folder)
    return Tuned(
        arm=facts["arm"],
        task=Task(**_tupled(facts["task"])),
        prompt=Prompt.from_dict(json.loads((folder / "prompt.json").read_text(encoding="utf-8"))),
        parts=tuple(_load_part(folder, part, own_code) for part in facts["parts"]),
        columns=_columns(facts),
        lengths=Lengths(**facts["lengths"]),
        prior=tuple(facts["prior"]) if facts["prior"] else None,
        base=facts["base"],
    )


def check_bundle(folder: Path) -> None:
    """Raises StudyError where the folder is of another version, or lacks a part."""
    for part in _facts(folder)["parts"]:
        _part_file(folder, part)


def bundle_columns(folder: Path) -> Shape:
    """How a row becomes a record that this bundle answers. Raises StudyError as load_tuned does."""
    return _columns(_facts(folder))


def _facts(folder: Path) -> dict:
    file = folder / "bundle.json"
    if not file.is_file():
        raise StudyError("this folder holds no bundle", where=folder, fix="name a folder with a bundle.json in it")
    facts = json.loads(file.read_text(encoding="utf-8"))
    _check_version(facts.get("version"), file)
    return facts


def _columns(facts: dict) -> Shape:
    return Shape.from_dict(facts["columns"])


def _check_version(version: object, file: Path) -> None:
    if version == VERSION:
        return
    earlier = version == 1
    raise StudyError(
        "a bundle of another version",
        where=file,
        found=f"{version}, which does not say how rows are read and cut" if earlier else version,
        allowed=VERSION,
        fix="run its study again: tuneoff run STUDY --out A_NEW_FOLDER"
        if earlier
        else "open it with the version of tuneoff that made it",
    )


def _tupled(table: dict) -> dict:
    """JSON has no tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


def _load_part(folder: Path, part: dict, own_code: bool) -> TunedPart:
    file = _part_file(folder, part)
    if ".py:" in part["method"] and not own_code:
        raise StudyError(
            "this bundle names code of its own, which opening it would run",
            where=folder,
            found=part["method"],
            fix="open it through the folder of the run that made it",
        )
    method = plugins.load("methods", part["method"]).build(part["knobs"], str(folder / "bundle.json"))
    tensors: dict[str, dict[str, Tensor]] = {} if isinstance(method, AdapterMethod) else {"": {}}
    for name, tensor in load_file(file).items():
        site, _, own = name.rpartition("/")
        tensors.setdefault(site, {})[own] = tensor
    return TunedPart(part["method"], method, tensors, Own(**part["own"]) if "own" in part else None)


def _part_file(folder: Path, part: dict) -> Path:
    file = folder / part["file"]
    if file.parent != folder or not file.is_file():
        raise StudyError("a part of the bundle is missing", where=file, fix="copy the bundle's folder again, whole")
    return file


def _save_peft(part: TunedPart, folder: Path, base: Base, origin: dict) -> None:
    if not isinstance(part.method, AdapterMethod):
        return
    adapter = part.adapter(base)
    if any(site.columns is not None for site in adapter.sites):
        return  # the library adapts a fused projection whole, not its parts
    given = part.method.peft(adapter.sites, adapter.tensors)
    if given is None:
        return
    config, state = given
    config = {"task_type": "CAUSAL_LM", "inference_mode": True, **config}
    config["base_model_name_or_path"] = origin.get("hub_id") or origin.get("path") or origin.get("name")
    folder.mkdir(parents=True, exist_ok=True)
    prefix = "" if "prompt_embeddings" in state else "base_model.model."
    with written(folder / "adapter_model.safetensors") as temporary:
        save_file(
            {f"{prefix}{name}": t.detach().cpu().contiguous() for name, t in state.items()}, temporary, {"format": "pt"}
        )
    write_text(folder / "adapter_config.json", json.dumps(config, indent=1))


def _flat(tensors: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{at}/{name}": t.detach().cpu().contiguous() for at, own in tensors.items() for name, t in own.items()}


def _file_word(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name.rpartition("/")[2])


def tensors_of(adapters: Sequence[Adapter]) -> list[dict[str, dict[str, Tensor]]]:
    """Copies of adapters' tensors, detached from the graph."""
    return [
        {at: {name: t.detach().clone() for name, t in own.items()} for at, own in adapter.tensors.items()}
        for adapter in adapters
    ]

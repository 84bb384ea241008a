"""The study file: one TOML table for each question a comparison has to answer.

    version = 1
    arms = ["zero_shot", "few_shot", "soft_prompt_after", "lora", "lora -> soft_prompt"]
    seeds = 3
    trials = 1
    [model]
    name = "smollm2-135m-instruct"
    [data]
    path = "tickets.jsonl"
    input = ["text"]
    answer = "label"
    [methods.lora]
    rank = 8

An arm is a name of methods, joined by ` + ` (together) and ` -> ` (one after the other). A table in the list
gives an arm a name and knobs of its own: {name = "wide", use = "lora", lora = {rank = 64}}.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import Field, field_validator, model_validator

from tuneoff.core.budget import parse_budget
from tuneoff.core.config import Knobs, knob
from tuneoff.core.errors import ConfigError, nearest
from tuneoff.core.files import write_text
from tuneoff.core.identity import content_hash
from tuneoff.core.rungs import RaceKind
from tuneoff.core.text import read_text
from tuneoff.data.shapes import label_texts
from tuneoff.evaluation.rewording import BUILT_IN
from tuneoff.study.verdict.price import WEIGHED

__all__ = ["DataSpec", "DecisionSpec", "MeasureSpec", "ModelSpec", "StudySpec", "TrainSpec", "read_spec", "write_spec"]


SHARE = 0.25  # of a study's time that stands beside its race, unless asked otherwise


class ModelSpec(Knobs):
    """[model]"""

    name: str = knob("smollm2-135m-instruct", "an embedded name, a Hugging Face id, a folder, or a .gguf file")
    device: str = knob("auto", "auto, cpu, cuda, cuda:0, mps")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = knob("auto", "number format of the frozen weights")
    int8: bool = knob(False, "train on the layers in 8 bits, where the processor has units for it; tests stay exact")
    template: str = knob(
        "auto", "auto: the model's chat template where it has one, else plain; chat; plain; or one of several by name"
    )
    trust_remote_code: bool = knob(False, "run the code that a hub repository carries")


class DataSpec(Knobs):
    """[data]"""

    path: str = knob("", "one file or folder or hub id, split by tuneoff")
    train: str = knob("", "separate files, instead of path")
    validation: str = knob("", "a file of its own for choosing; else cut from train")
    test: str = knob("", "a file of its own for the sealed test; else cut from path")
    format: str = knob("auto", "auto (by the name's ending), or the name of a format plugin")
    input: list[str] = knob([], "input columns, in the order they are shown; empty: guessed from the shape")
    answer: str = knob("", "the column that holds the wanted answer; empty: guessed from the shape")
    group: str = knob("", "a column whose equal values must not part in a split")
    kind: Literal["auto", "choice", "text"] = knob("auto", "choice: one of a few labels; text: free text")
    labels: dict[str, str] | list[str] = knob([], "allowed labels, or code = word for labels that are codes")
    train_records: int = knob(0, "how many to train on; 0: all", ge=0)
    validation_records: int = knob(0, "how many to choose on; 0: all of that split", ge=0)
    test_records: int = knob(0, "how many to judge on; 0: all of that split", ge=0)
    shares: list[float] = knob([0.6, 0.15, 0.25], "train, validation, test shares where tuneoff splits")
    too_long: Literal["error", "truncate_left", "truncate_right"] = knob(
        "error", "records longer than the model's context: an error, or cut the input on that side"
    )

    _labels_as_answers_are_read = field_validator("labels", mode="before")(label_texts)


class PromptSpec(Knobs):
    """[prompt]"""

    instruction: str = knob("", "what the model is asked to do; for a choice the labels are added")
    list_labels: bool = knob(True, "name the allowed labels in the instruction of a choice task")
    template: str = knob("", "your own wording with {field} places")
    normalise: Literal["none", "tokens", "bytes"] = knob(
        "none", "divide a label's log-likelihood by its tokens or bytes, where labels are of unlike lengths"
    )


class TrainSpec(Knobs):
    """[train]: what all trained arms share."""

    epochs: float = knob(0.0, "passes over the training records at most; 0: as many as the data need", ge=0)
    batch_size: int = knob(8, "records per optimiser step", ge=1)
    checks: int = knob(18, "validation checks over the longest training; the likeliest one is kept", ge=1)
    weight_decay: float = knob(0.0, "AdamW's decay", ge=0)
    clip: float = knob(1.0, "largest norm of the gradient", gt=0)
    max_length: int = knob(0, "longest record in tokens; 0: the model's context", ge=0)


class MeasureSpec(Knobs):
    """[measure]: figures beside quality, taken of each tested arm after the test."""

    serving: bool = knob(True, "time to the first token, tokens per second, cache bytes")
    retention: bool = knob(True, "drift from the base model on its own texts")
    rewordings: list[str] | int = knob(2, "other wordings of the instruction, or how many built-in ones; 0: none")
    memorisation: bool = knob(True, "whether training records can be told from others, and overfitting")
    records: int = knob(32, "the most records that one of these figures stands on", ge=2)
    share: float = knob(
        SHARE,
        "the most of a study's time that these figures and the recommendation before training take; 1: no limit",
        gt=0,
        le=1,
    )

    @field_validator("rewordings")
    @classmethod
    def _check_rewordings(cls, asked: list[str] | int) -> list[str] | int:
        if isinstance(asked, int) and not 0 <= asked <= len(BUILT_IN):
            raise ValueError(f"{len(BUILT_IN)} are built in; write your own as a list of texts")
        return asked

    @property
    def key(self) -> str:
        """Another one means that the figures must be taken anew. A share that is not set says nothing."""
        own = self.model_dump(mode="json")
        return content_hash({key: value for key, value in own.items() if key != "share" or value != SHARE})


class DecisionSpec(Knobs):
    """[decision]: what an arm must keep to, and what settles the choice between winners."""

    max_latency_ms: float = knob(0.0, "most milliseconds to the first token of a request; 0: no limit", ge=0)
    max_artifact_mb: float = knob(0.0, "most MB to keep; 0: no limit", ge=0)
    max_train_minutes: float = knob(0.0, "most minutes of training a job; 0: no limit", ge=0)
    max_forgetting: float = knob(0.0, "most nats per token away from the base model; 0: no limit", ge=0)
    no_weights_access: bool = knob(False, "only arms that need neither gradients nor weights")
    cost: Literal["serving", "artifact", "training"] = knob(
        "serving", "the cost that counts first: prompt tokens of a request, bytes to keep, or seconds of training"
    )
    prefer: Literal["cheapest", "best"] = knob("cheapest", "the best mean, or the cheapest of those that are as good")
    weights: dict[str, float] = knob({}, "points of quality per unit of a cost; of the winners, the best sum is taken")

    @model_validator(mode="after")
    def _weights_say_one_thing(self) -> "DecisionSpec":
        for name, weight in self.weights.items():
            if name not in WEIGHED:
                fix = nearest(name, WEIGHED) or "name one of these"
                raise ConfigError(
                    f"no axis {name!r} to weigh", where="[decision] weights", allowed=list(WEIGHED), fix=fix
                )
            if not (0 <= weight < float("inf")) or (name == "quality" and weight == 0):
                raise ConfigError(
                    f"the weight of {name} must be {'above 0' if name == 'quality' else '0 or more'}",
                    where="[decision] weights",
                    found=weight,
                    fix="a cost is taken off by itself: write how many points one unit of it is worth",
                )
        if self.weights and self.prefer == "best":
            raise ConfigError(
                'weights and prefer = "best" choose in two ways', where="[decision]", fix="remove one of them"
            )
        return self


class StudySpec(Knobs):
    """The whole file. folder: where its relative paths start; not a key of the file."""

    version: Literal[1] = knob(1, "version of this file's form")
    name: str = knob("study", "what the reports call it")
    arms: list[str | dict[str, Any]] = knob(["zero_shot", "few_shot", "soft_prompt_after", "lora"], "who races")
    seeds: int = knob(3, "runs of each arm's best setting, with different random numbers", ge=1)
    trials: int = knob(1, "settings tried per family: its methods' defaults, then draws for the best of them", ge=1)
    race: RaceKind = knob(
        "rungs",
        "rungs: what is behind on validation stops early; extrapolate: what its curve says will end behind; "
        "full: every trial and seed runs to its end",
    )
    budget: str = knob("", "what the whole run may take: 20m, 1h30m, 300k tokens, or both by a comma; empty: no limit")
    curve: list[int] = knob([], "training sizes, such as [16, 64, 256], at which each family's best arm is run again")
    seed: int = knob(0, "where all random numbers start", ge=0)
    metric: str = knob("", "the metric that decides; empty: accuracy for a choice, token_f1 for text")
    metrics: list[str] = knob([], "further metrics to report")
    margin: float = knob(0.01, "differences inside this are called practically equal", ge=0)
    model: ModelSpec = Field(default_factory=ModelSpec)
    data: DataSpec = Field(default_factory=DataSpec)
    prompt: PromptSpec = Field(default_factory=PromptSpec)
    train: TrainSpec = Field(default_factory=TrainSpec)
    measure: MeasureSpec = Field(default_factory=MeasureSpec)
    decision: DecisionSpec = Field(default_factory=DecisionSpec)
    methods: dict[str, dict[str, Any]] = knob({}, "knobs of methods, by method name")
    folder: str = Field(".", exclude=True)

    @field_validator("budget")
    @classmethod
    def _check_budget(cls, text: str) -> str:
        parse_budget(text)
        return text

    @field_validator("curve")
    @classmethod
    def _check_curve(cls, sizes: list[int]) -> list[int]:
        if any(size < 1 for size in sizes):
            raise ValueError("a size is a number of training records: 1 or more")
        return sizes

    def fingerprint(self) -> str:
        """What must not change under a finished run: all but arms, seeds, trials, knobs, epochs, name and margin."""
        return content_hash(self._settled(self.model_dump(mode="json")))

    def changes_since(self, earlier: Mapping[str, Any]) -> list[str]:
        """What of it differs from an earlier form, as `[data] answer: 'label' -> 'team'`."""
        was, now = (_flat(self._settled(table)) for table in (earlier, self.model_dump(mode="json")))
        return [f"{key}: {was.get(key)!r} -> {now.get(key)!r}" for key in was | now if was.get(key) != now.get(key)]

    @staticmethod
    def _settled(table: Mapping[str, Any]) -> dict[str, Any]:
        arms = {"arms", "seeds", "trials", "race", "budget", "curve", "methods"}
        told = {"measure", "decision", "name", "margin", "folder"}
        settled = {key: value for key, value in table.items() if key not in arms | told}
        settled["train"] = {key: value for key, value in table["train"].items() if key != "epochs"}  # a job's own cap
        model = table["model"]  # a key that came later says nothing where it is not set, so that earlier runs go on
        return settled | {"model": {key: value for key, value in model.items() if key != "int8" or value}}


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Keys as the file shows them: `metric`, `[data] answer`."""
    flat = {}
    for key, value in table.items():
        flat |= {f"[{key}] {name}": inner for name, inner in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def read_spec(path: Path) -> StudySpec:
    """Read and check a study file. Raises ConfigError with the file, the line where TOML has one, and the fix."""
    if path.is_dir():
        path = path / "study.toml"
    if not path.is_file():
        raise ConfigError("study file not found", where=path, fix="tuneoff new YOUR_DATA writes one")
    try:
        table = tomllib.loads(read_text(path, "the study file"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=path, fix="fix that line") from None
    if "version" not in table:
        raise ConfigError("the study file has no version", where=path, fix="add the line: version = 1")
    if "folder" in table:
        raise ConfigError("unknown key 'folder'", where=path, fix="remove it")
    return StudySpec.build({**table, "folder": str(path.resolve().parent)}, where=str(path))


def write_spec(spec: StudySpec, path: Path) -> None:
    """Write a study that was made without a file as the file that says the same, from wherever it is read."""
    table = spec.model_dump(mode="json", exclude_defaults=True, exclude={"folder"})
    if "trials" in spec.model_fields_set:  # said, even as the default: a budget does not add to it
        table["trials"] = spec.trials
    for part, keys in (("data", ("path", "train", "validation", "test")), ("model", ("name",))):
        for key in keys:
            place = Path(spec.folder, table.get(part, {}).get(key, ""))
            if table.get(part, {}).get(key) and place.exists():
                table[part][key] = str(place.resolve())
    write_text(path, tomli_w.dumps({"version": spec.version, **table}))

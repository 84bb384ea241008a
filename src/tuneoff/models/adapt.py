"""The contracts that every way to adapt a model is written against.

Shapes: R rows, T positions, I inputs of a site, O outputs of a site, V virtual positions. Of a probe: R records, L
layers, P poolings, E width of a hidden state, C labels.

An adapter method is a few lines of maths at named sites (submodules) of a frozen model:

    enter(site, x_RTI, p, virtual_RT) -> x_RTI          what the site shall see           (default: unchanged)
    leave(site, x_RTI, y_RTO, p, virtual_RT) -> y_RTO   what the site shall have said     (default: unchanged)

`p` holds the tensors that `init` made for this site. `virtual` positions are learned ones without text, placed
before the whole text or after the prompt, directly before the answer. `form` tells what the maths amounts to
(LowRank, Scale, Bias, Rows, KeyValues), so that merging, exporting and fused kernels act on forms, never on names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from tuneoff.core.config import Knobs
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.data.task import Task

__all__ = [
    "POOLINGS",
    "AdapterMethod",
    "Answerer",
    "BaselineMethod",
    "Bias",
    "CourseMethod",
    "Form",
    "KeyValues",
    "LowRank",
    "Method",
    "ProbeMethod",
    "PromptMethod",
    "Rows",
    "Scale",
    "Site",
    "Start",
    "TrainedMethod",
    "WeightMethod",
]

Tensors = dict[str, Tensor]

POOLINGS = ("last", "mean")
"what stands for a record: the state of its prompt's last token, or the mean over the record's own tokens"


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A named place to adapt. role: one word of models/sites.py, such as `attn.q` or `embed`.

    columns: which outputs belong to this role, where one module computes several (GPT-2's c_attn); None: all. heads and
    head_dim: of the keys and values, at role `cache`.
    """

    name: str
    role: str
    module: nn.Module
    in_dim: int
    out_dim: int
    columns: slice | Tensor | None = None
    transposed: bool = False
    heads: int = 0
    head_dim: int = 0

    def weight(self) -> Tensor:
        """The frozen weight as [O, I] (or [O] for a norm)."""
        weight = self.module.weight
        weight = weight.T if self.transposed else weight
        return weight if self.columns is None else weight[self.columns]

    def bias(self) -> Tensor | None:
        """The frozen bias [O], where there is one."""
        bias = getattr(self.module, "bias", None)
        return bias if bias is None or self.columns is None else bias[self.columns]


class LowRank(NamedTuple):
    """y + (x A^T) B^T; A [rank, I], B [O, rank], the scale already in B."""

    A: Tensor
    B: Tensor


class Scale(NamedTuple):
    """Multiply the site's outputs (on = "leave") or inputs (on = "enter")."""

    by: Tensor
    on: Literal["enter", "leave"]


class Bias(NamedTuple):
    """Add to the site's outputs."""

    by: Tensor


class Rows(NamedTuple):
    """Take the place of the embeddings at virtual positions; [V, O]."""

    rows: Tensor


class KeyValues(NamedTuple):
    """Stand before all keys and values of one layer, as attention receives them; each [V, heads, head_dim]."""

    keys: Tensor
    values: Tensor


Form = LowRank | Scale | Bias | Rows | KeyValues


class Start(Protocol):
    """What an initialisation may ask of the model it starts from."""

    def embed(self, text: str) -> Tensor:
        """[tokens, width]: the embeddings of a text's tokens, as the first layer receives them."""

    def vocabulary(self) -> Tensor:
        """[words, width]: the embeddings of all tokens, as the first layer receives them."""

    def key_values(self, site: "Site", text: str, length: int) -> "KeyValues":
        """The keys and values of one layer for the first `length` tokens of a text, repeated where it is shorter."""


class Method(Knobs):
    """What all methods share. family: the heading it stands under in tables. paper: where it comes from.

    Its traits decide what is done with it. needs_model: whether it asks a language model at all. uses_weights: whether
    it looks inside that model (hidden states, gradients, weights), which one behind an API does not allow. trains:
    whether gradients go through the model. random: whether another seed gives another result.
    """

    family: ClassVar[str]
    paper: ClassVar[str]
    needs_model: ClassVar[bool] = True
    uses_weights: ClassVar[bool] = False
    trains: ClassVar[bool] = False

    @property
    def random(self) -> bool:
        return self.trains

    def read(self, folder: str) -> "Method":
        """Itself with the files read that its knobs name; relative paths start at `folder`, the study's.

        Called when a study is planned, so that a missing file is told before anything runs.
        """
        return self

    def content(self) -> object:
        """What it does, for a job's key: the contents of its files, and not their names."""
        return self


class PromptMethod(Method):
    """Changes only the text that is sent."""

    family: ClassVar[str] = "prompting"

    def fit(self, task: Task, train: Sequence[Record], seed: int) -> Prompt:
        """Choose a prompt, looking at training records only."""
        raise NotImplementedError

    @property
    def template(self) -> str:
        """Its own wording with {field} places, where that is known before any record is looked at."""
        return ""


class TrainedMethod(Method):
    """Learns by gradient. Each has a knob `lr` of its own, because good rates differ a thousandfold.

    lr_unit: "absolute", or "embedding" where the rate counts in root mean squares of the embedding table
    (a step of 0.02 then moves a soft prompt by 2 % of a typical embedding's size, whatever the model's scale).
    """

    uses_weights: ClassVar[bool] = True
    trains: ClassVar[bool] = True
    lr_unit: ClassVar[Literal["absolute", "embedding"]] = "absolute"


class AdapterMethod(TrainedMethod):
    """Learns a few tensors at named sites; the model stays frozen."""

    where: ClassVar[Literal["before", "after"]] = "before"

    @property
    def roles(self) -> tuple[str, ...]:
        """The kinds of site that it touches."""
        raise NotImplementedError

    @property
    def virtual(self) -> int:
        """How many virtual positions it places."""
        return 0

    @property
    def taken(self) -> int:
        """How many positions it takes of the model's context."""
        return self.virtual

    def init(self, site: Site, task: Task, start: Start, gen: torch.Generator) -> Tensors:
        """The trainable tensors of one site, drawn from `gen` alone."""
        raise NotImplementedError

    def enter(self, site: Site, x: Tensor, p: Mapping[str, Tensor], virtual: Tensor) -> Tensor:
        return x

    def leave(self, site: Site, x: Tensor, y: Tensor, p: Mapping[str, Tensor], virtual: Tensor) -> Tensor:
        return y

    def form(self, site: Site, p: Mapping[str, Tensor]) -> Form | None:
        """What enter and leave amount to, or None where no form says it."""
        return None

    def merge(self, site: Site, p: Mapping[str, Tensor]) -> Tensor | None:
        """The site's weight [O, I] with the adapter inside, or None where it cannot be merged."""
        match self.form(site, p):
            case LowRank(A, B):
                return site.weight() + B @ A
            case Scale(by, "leave") if site.bias() is None:  # a bias would have to be scaled too
                return site.weight() * (by[:, None] if site.weight().dim() == 2 else by)
            case Scale(by, "enter"):
                return site.weight() * by[None, :]
        return None

    def peft(self, sites: Sequence[Site], tensors: Mapping[str, Mapping[str, Tensor]]) -> tuple[dict, Tensors] | None:
        """(adapter_config entries, state dict) as the `peft` library reads them, or None where it has no such type."""
        return None

    @classmethod
    def from_peft(cls, config: Mapping[str, object], state: Tensors) -> tuple["AdapterMethod", Tensors] | None:
        """The inverse, for methods of one site: the method and the site's tensors; None where this is not its type."""
        return None


class WeightMethod(TrainedMethod):
    """Trains some of the model's own weights."""

    def trainable(self, net: nn.Module) -> list[str]:
        """Names of the parameters to train."""
        raise NotImplementedError


class CourseMethod(Method):
    """Trains another method first, on other records than the person's: instruction tuning."""

    family: ClassVar[str] = "instruction tuning"
    uses_weights: ClassVar[bool] = True
    trains: ClassVar[bool] = True

    @property
    def update(self) -> TrainedMethod:
        """What learns."""
        raise NotImplementedError

    def records(self) -> list[Record]:
        """What it learns from."""
        raise NotImplementedError


class ProbeMethod(Method):
    """Learns to choose a label from hidden states of the frozen model, without a gradient through it."""

    family: ClassVar[str] = "probing"
    uses_weights: ClassVar[bool] = True

    def reads(self, layers: int) -> tuple[int, ...]:
        """Which layers of a model of so many it looks at, counted from 1, in rising order; the same once it is fitted.

        Layer 0 would be the embeddings; the last one's states stand behind the model's final norm.
        """
        raise NotImplementedError

    def fit(
        self, states: Tensor, layers: Sequence[int], answers: Sequence[int], labels: int
    ) -> tuple["ProbeMethod", Tensors]:
        """Itself with what was chosen written into its knobs, and what it learned.

        states: [R, L, P, E] of training records; layers: those of L; P as in POOLINGS. answers: each record's label,
        counted from 0. The same states give the same result.
        """
        raise NotImplementedError

    def scores(self, states: Tensor, layers: Sequence[int], p: Mapping[str, Tensor]) -> Tensor:
        """[R, C] log-probabilities of the labels."""
        raise NotImplementedError


class Answerer(Protocol):
    """A fitted baseline."""

    def __call__(self, records: Sequence[Record]) -> list[dict[str, float]]:
        """Per record, the probability of each label."""


class BaselineMethod(Method):
    """Needs no language model: what any of them must beat."""

    family: ClassVar[str] = "baseline"
    needs_model: ClassVar[bool] = False

    def fit(self, task: Task, train: Sequence[Record], seed: int) -> Answerer:
        raise NotImplementedError

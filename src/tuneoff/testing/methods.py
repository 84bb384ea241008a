"""What every way to adapt a model must do. A method of your own is tested by

import pytest
from tuneoff.testing.methods import CHECKS, Case

@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_my_method(check, tmp_path):
    check(Case("path/to/mine.py:Mine", folder=tmp_path))

A check that does not concern a kind of method passes it by. Models are tiny and random, numbers float64: where two
ways to compute one thing are compared, they agree to 1e-6 of the largest (the models' norms round to float32).
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from tuneoff.core import plugins
from tuneoff.core.errors import ConfigError
from tuneoff.data.prompt import Prompt
from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.engine.attach import Adapter, Worn, new_adapter
from tuneoff.engine.examples import Example
from tuneoff.engine.loss import plain_loss
from tuneoff.models.adapt import (
    AdapterMethod,
    BaselineMethod,
    Bias,
    CourseMethod,
    LowRank,
    Method,
    PromptMethod,
    Rows,
    Scale,
    TrainedMethod,
    WeightMethod,
)
from tuneoff.models.base import Base
from tuneoff.models.chat import Encoded
from tuneoff.models.tiny import tiny_model
from tuneoff.study.bundle import Tuned, TunedPart, load_tuned, save_tuned

__all__ = ["CHECKS", "TASK", "TRAIN", "Case"]

TASK = Task(name="feeling", kind="choice", labels=("anger", "fear", "joy"), instruction="Which feeling is it?")
TRAIN = tuple(
    Record(fields={"text": text}, target=target)
    for text, target in [
        ("so happy today", "joy"),
        ("he lied to me again", "anger"),
        ("what was that noise", "fear"),
        ("a lovely surprise", "joy"),
        ("how dare they", "anger"),
        ("the sun is out", "joy"),
    ]
)
# unequal rows, short enough that a window of 6 in each of two layers lets a first position reach the answers
ROWS = tuple(
    Example(record, Encoded(prompt, answer))
    for record, prompt, answer in zip(TRAIN, [(1, 20, 21), (1, 30, 31, 32), (1, 40)], [(50, 4), (60, 61, 4), (70, 4)])
)
ARCHITECTURES = ("llama", "gemma3", "gpt2")  # plain; scaled embeddings and (1 + w) norms; fused and transposed
CLOSE = 1e-6
SMALL = {"rank": 2, "length": 3}  # where a method has these knobs and the case does not set them


@dataclass(frozen=True, slots=True)
class Case:
    """A method under test. name: as a study would write it. knobs: where it cannot do without. folder: empty."""

    name: str
    knobs: Mapping[str, object] = field(default_factory=dict)
    folder: Path = Path()

    @property
    def cls(self) -> type[Method]:
        return plugins.load("methods", self.name)

    def method(self) -> Method:
        small = {knob: value for knob, value in SMALL.items() if knob in self.cls.model_fields}
        return self.cls.build({**small, **self.knobs}, self.name)


def says_what_it_is(case: Case) -> None:
    """A documented method of a named family; its paper, where it has one, is cited beside its formula."""
    cls = case.cls
    assert issubclass(cls, Method), f"{cls} is no Method"
    assert isinstance(cls.family, str), f"{cls.__name__} has no family"
    assert cls.family, f"{cls.__name__} has an empty family"
    words = _words(cls)
    assert len(words.split()) > 8, f"{cls.__name__} does not say what it is"
    number = re.search(r"\d{4}\.\d{4,5}", cls.paper)
    assert not number or number[0] in words, f"{cls.__name__} has the paper {cls.paper!r} and does not cite it"


def knobs_are_named_and_limited(case: Case) -> None:
    """Each knob has a line of help; a search range holds the default; an unknown knob is an error that names it."""
    for name, knob in case.cls.model_fields.items():
        assert knob.description, f"the knob {name} has no line of help"
    default = case.cls()
    for name, span in case.cls.searched().items():
        value = getattr(default, name)
        numbers = isinstance(value, float) and len(span) == 2
        assert span[0] <= value <= span[1] if numbers else value in span, f"{name} = {value} is outside {span}"
    try:
        case.cls.build({"no_such_knob": 1}, "[methods.x]")
        said = ""
    except ConfigError as error:
        said = str(error)
    assert "'no_such_knob'" in said, "an unknown knob is taken without its name"
    assert "[methods.x]" in said, "an unknown knob is taken without its place"


def its_knobs_survive_writing(case: Case) -> None:
    """What a bundle writes down builds an equal method again."""
    method = case.method()
    assert type(method).build(method.model_dump(mode="json"), "again") == method


def learns_at_a_rate_of_its_own(case: Case) -> None:
    if issubclass(case.cls, TrainedMethod):
        assert "lr" in case.cls.model_fields, "a trained method has a knob `lr`"
        assert case.method().lr > 0
        assert "lr" in case.cls.searched(), "`lr` has a range to search in"
        assert case.cls.lr_unit in ("absolute", "embedding")


def starts_from_the_given_generator_alone(case: Case) -> None:
    """Equal generators give equal tensors whatever the global state, which is left as it was."""
    for base, method in _adapters(case):
        torch.manual_seed(1)
        one = new_adapter(base, method, TASK, 5).parameters()
        torch.manual_seed(2)
        before = torch.get_rng_state()
        two = new_adapter(base, method, TASK, 5).parameters()
        assert torch.equal(torch.get_rng_state(), before), "init draws from the global generator"
        assert one, "init makes no tensors"
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True)), "init does not repeat itself"
        assert all(bool(t.isfinite().all()) for t in one)


def changes_nothing_at_the_start(case: Case) -> None:
    """A method that adds no positions starts where the model is (learned positions and prefixes cannot)."""
    for base, method in _adapters(case):
        if method.virtual == 0 and "cache" not in method.roles:
            with Worn(base) as worn:
                bare = _losses(worn)
            with Worn(base, [_widened(new_adapter(base, method, TASK, 0))]) as worn:
                assert _apart(_losses(worn), bare) < CLOSE, "an untrained adapter changes what the model says"


def every_tensor_learns(case: Case) -> None:
    """Away from the start, a gradient reaches each tensor and each of its numbers' rows."""
    for base, method in _adapters(case, ARCHITECTURES[:2]):
        adapter = _nudged(base, method)
        with Worn(base, [adapter]) as worn:
            plain_loss(worn, ROWS).per_record.sum().backward()
        for at, own in adapter.tensors.items():
            for name, tensor in own.items():
                assert tensor.grad is not None, f"no gradient at {at} {name}"
                reached = tensor.grad.abs().flatten(1).amax(dim=1) if tensor.dim() > 1 else tensor.grad.abs().max()
                assert bool((reached > 0).all()), f"no gradient at part of {at} {name}"


def the_base_stays_as_it_is(case: Case) -> None:
    """Neither init nor wearing writes into the model's weights, or into what a site is given."""
    for base, method in _adapters(case):
        before = {name: p.clone() for name, p in base.net.named_parameters()}
        adapter = _nudged(base, method)
        with Worn(base, [adapter]) as worn:
            plain_loss(worn, ROWS)
        assert all(torch.equal(before[name], p) for name, p in base.net.named_parameters()), "the base has changed"
        for site in adapter.sites:
            if site.role not in ("embed", "cache"):
                x, y, virtual = _site_values(site)
                kept = x.clone(), y.clone()
                method.leave(site, method.enter(site, x, adapter.at(site), virtual), y, adapter.at(site), virtual)
                assert torch.equal(x, kept[0]), f"{site.role}: enter writes into its input"
                assert torch.equal(y, kept[1]), f"{site.role}: leave writes into the output"


def rows_do_not_see_each_other(case: Case) -> None:
    """What a row gets is the same in any batch: requests of several people run side by side."""
    for base, method in _adapters(case):
        adapter = _nudged(base, method)
        for site in adapter.sites:
            if site.role not in ("embed", "cache"):
                x, y, virtual = _site_values(site)
                p = adapter.at(site)
                whole = method.leave(site, x, y, p, virtual)
                for row in range(len(x)):
                    own = slice(row, row + 1)
                    alone = method.leave(site, x[own], y[own], p, virtual[own])
                    assert _apart(whole[own], alone) < CLOSE, f"{site.role}: a row depends on its company"


def its_form_is_what_it_does(case: Case) -> None:
    """Where a form is declared, doing by hand what the form says gives what enter and leave give."""
    for base, method in _adapters(case):
        adapter = _nudged(base, method)
        for site in adapter.sites:
            p = adapter.at(site)
            form = method.form(site, p)
            if form is None or site.role == "cache":
                continue
            if isinstance(form, Rows):
                _check_rows(method, site, p, form)
                continue
            x, _, virtual = _site_values(site)
            inner = method.enter(site, x, p, virtual)
            done = method.leave(site, inner, _module_output(site, inner), p, virtual)
            assert _apart(done, _by_hand(site, form, x)) < CLOSE, f"{site.role}: the form is not what happens"


def merged_is_the_same_as_worn(case: Case) -> None:
    """Where all sites can be merged, the model with merged weights says what the model with the adapter says."""
    for base, method in _adapters(case):
        adapter = _nudged(base, method)
        with torch.no_grad():
            merged = [method.merge(site, adapter.at(site)) if site.role != "cache" else None for site in adapter.sites]
        if any(weight is None for weight in merged):
            continue
        with Worn(base, [adapter]) as worn:
            outside = _losses(worn)
        with Worn(base) as worn:
            bare = _losses(worn)
            with _put_in(adapter, merged):
                inside = _losses(worn)
        assert _apart(inside, outside) < CLOSE, "merged weights say something else"
        assert _apart(bare, outside) > 100 * CLOSE, "the adapter does nothing, so this shows nothing"


def comes_back_from_its_folder(case: Case) -> None:
    """Saved and loaded, it has the same tensors to the bit and says the same."""
    for base, method in _adapters(case):
        adapter = _nudged(base, method)
        tensors = {at: {name: t.detach() for name, t in own.items()} for at, own in adapter.tensors.items()}
        tuned = Tuned(arm="x", task=TASK, prompt=Prompt(), parts=(TunedPart(case.name, method, tensors),))
        save_tuned(tuned, case.folder / base.fingerprint, base)
        again = load_tuned(case.folder / base.fingerprint, own_code=True)
        assert again.parts[0].method == method
        for at, own in again.parts[0].tensors.items():
            assert own.keys() == tensors[at].keys()
            assert all(torch.equal(own[name], tensors[at][name]) for name in own)
        with Worn(base, [adapter]) as worn:
            before = _losses(worn)
        with again.worn(base) as worn:
            assert torch.equal(_losses(worn), before), "loaded, it says something else"


def names_weights_that_there_are(case: Case) -> None:
    if not issubclass(case.cls, WeightMethod):
        return
    for architecture in ARCHITECTURES:
        net = _base(architecture).net
        there = dict(net.named_parameters())
        names = case.method().trainable(net)
        assert names, "no weights to train"
        assert len(set(names)) == len(names)
        assert set(names) <= set(there), f"no such weights: {set(names) - set(there)}"
        assert not any(p.requires_grad for p in there.values()), "naming weights must not set them free"


def chooses_a_prompt_from_what_it_is_shown(case: Case) -> None:
    """The same seed gives the same prompt; records are left alone; demonstrations are training records."""
    if not issubclass(case.cls, PromptMethod):
        return
    method, train = case.method(), list(TRAIN)
    prompts = [method.fit(TASK, train, seed) for seed in (3, 3, 4, 5, 6)]
    assert train == list(TRAIN), "fit changes the training records"
    assert prompts[0] == prompts[1], "the same seed gives another prompt"
    assert (len({repr(prompt) for prompt in prompts}) > 1) == method.random, "`random` is not what fit does"
    assert all(shown in train for shown in prompts[0].demonstrations), "a demonstration is no training record"
    assert Prompt.from_dict(prompts[0].as_dict()) == prompts[0]
    asked = prompts[0].render(Record(fields={"text": "nobody knows"}, target="joy"))
    assert asked[-1].role == "user"
    assert "nobody knows" in asked[-1].content


def gives_each_label_a_probability(case: Case) -> None:
    """A baseline's probabilities lie over the task's labels and sum to 1, for any text at all."""
    if not issubclass(case.cls, BaselineMethod):
        return
    train = list(TRAIN)
    strange = [Record(fields={"text": text}, target="joy") for text in ("", "zzz", "so happy today")]
    rows = case.method().fit(TASK, train, 1)(strange)
    assert train == list(TRAIN), "fit changes the training records"
    assert len(rows) == len(strange)
    for row in rows:
        assert set(row) <= set(TASK.labels), f"labels that the task does not have: {set(row) - set(TASK.labels)}"
        assert all(0 <= p <= 1 for p in row.values())
        assert abs(sum(row.values()) - 1) < CLOSE, "probabilities do not sum to 1"
    assert case.method().fit(TASK, train, 1)(strange) == rows, "the same seed gives other answers"


def trains_another_method_on_records_of_its_own(case: Case) -> None:
    if not issubclass(case.cls, CourseMethod):
        return
    method = case.method()
    assert isinstance(method.update, TrainedMethod)
    records = method.records(str(case.folder))
    assert records, "a course without records"
    assert all(record.target for record in records)
    assert all(record.instruction or record.turns for record in records), "a record of a course says what is asked"


CHECKS = (
    says_what_it_is,
    knobs_are_named_and_limited,
    its_knobs_survive_writing,
    learns_at_a_rate_of_its_own,
    starts_from_the_given_generator_alone,
    changes_nothing_at_the_start,
    every_tensor_learns,
    the_base_stays_as_it_is,
    rows_do_not_see_each_other,
    its_form_is_what_it_does,
    merged_is_the_same_as_worn,
    comes_back_from_its_folder,
    names_weights_that_there_are,
    chooses_a_prompt_from_what_it_is_shown,
    gives_each_label_a_probability,
    trains_another_method_on_records_of_its_own,
)


def _words(cls: type[Method]) -> str:
    """Docstrings of the class, of what it builds on, and of their files."""
    own = [one for one in cls.__mro__ if issubclass(one, Method) and one.__module__ != Method.__module__]
    modules = [inspect.getmodule(one) for one in own]
    return "\n".join(inspect.cleandoc(each.__doc__ or "") for each in (*own, *modules) if each is not None)


def _base(architecture: str) -> Base:
    """A fresh one each time: a method under test may spoil it."""
    net, tokenizer = tiny_model(architecture, dtype=torch.float64)
    return Base(net, tokenizer, fingerprint=architecture)


def _adapters(case: Case, architectures=ARCHITECTURES) -> Iterator[tuple[Base, AdapterMethod]]:
    """The method on fresh tiny bases, if it is an adapter."""
    if issubclass(case.cls, AdapterMethod):
        for architecture in architectures:
            yield _base(architecture), case.method()


def _widened(adapter: Adapter, nudge: float = 0.0) -> Adapter:
    """In float64, and a little off where it was, in all its numbers."""
    gen = torch.Generator().manual_seed(9)
    tensors = {}
    for at, own in adapter.tensors.items():
        moved = {name: t.detach().double() for name, t in own.items()}
        for t in moved.values():
            t += nudge * torch.randn(t.shape, generator=gen, dtype=t.dtype)
        tensors[at] = {name: t.requires_grad_() for name, t in moved.items()}
    return Adapter(adapter.method, adapter.sites, tensors)


def _nudged(base: Base, method: AdapterMethod) -> Adapter:
    return _widened(new_adapter(base, method, TASK, 0), nudge=0.2)


def _losses(worn: Worn) -> Tensor:
    with torch.no_grad():
        return plain_loss(worn, ROWS).per_record


def _apart(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest number."""
    return float((one - other).detach().abs().max() / other.detach().abs().max())


def _site_values(site) -> tuple[Tensor, Tensor, Tensor]:
    """Made-up inputs, outputs and virtual positions of two rows at one site."""
    gen = torch.Generator().manual_seed(4)
    x = torch.randn(2, 3, site.in_dim, generator=gen, dtype=torch.float64)
    y = torch.randn(2, 3, site.out_dim, generator=gen, dtype=torch.float64)
    return x, y, torch.tensor([[True, False, False], [False, False, False]])


def _module_output(site, x: Tensor) -> Tensor:
    """What the frozen module says at this site."""
    y = site.module(x)
    return y if site.columns is None else y[..., site.columns]


def _by_hand(site, form, x: Tensor) -> Tensor:
    bias = 0.0 if site.bias() is None else site.bias()
    match form:
        case LowRank(A, B):
            return _module_output(site, x) + x @ A.T @ B.T
        case Scale(by, "enter"):
            return _module_output(site, x * by)
        case Scale(by, "leave") if site.role == "norm":  # what a norm adds is not scaled: its weight alone is
            return (_module_output(site, x) - bias) * by + bias
        case Scale(by, "leave"):
            return _module_output(site, x) * by
        case Bias(by):
            return _module_output(site, x) + by
    raise AssertionError(f"an unknown form: {form}")


def _check_rows(method: AdapterMethod, site, p: Mapping[str, Tensor], form: Rows) -> None:
    """Learned rows stand at the virtual positions, in order, and nowhere else."""
    count = method.virtual
    assert form.rows.shape == (count, site.out_dim), "rows are [virtual positions, width]"
    y = torch.zeros(1, count + 1, site.out_dim, dtype=torch.float64)
    virtual = torch.tensor([[True] * count + [False]])
    out = method.leave(site, torch.zeros(1, count + 1, dtype=torch.long), y, p, virtual)
    assert torch.equal(out[0], torch.cat([form.rows, y[0, :1]])), "rows are not what stands at virtual positions"


@contextmanager
def _put_in(adapter: Adapter, merged: list[Tensor]) -> Iterator[None]:
    """The adapter's weights inside the model, for a while."""
    before = [(site.module.weight, site.module.weight.clone()) for site in adapter.sites]
    with torch.no_grad():
        for site, weight in zip(adapter.sites, merged):
            place = site.module.weight.T if site.transposed else site.module.weight
            place[slice(None) if site.columns is None else site.columns] = weight
    yield
    with torch.no_grad():
        for weight, was in before:
            weight.copy_(was)

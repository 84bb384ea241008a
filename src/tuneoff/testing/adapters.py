"""What every adapter must do; part of the kit for methods (testing/methods.py).

Models are tiny and random, numbers float64: where two ways to compute one thing are compared, they agree to 1e-6 of
the largest number (the models' norms round to float32).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from tuneoff.data.prompt import Prompt
from tuneoff.engine.attach import Adapter, Worn, new_adapter
from tuneoff.engine.examples import Example
from tuneoff.engine.loss import plain_loss
from tuneoff.models.adapt import AdapterMethod, Bias, Form, LowRank, Rows, Scale, Site
from tuneoff.models.base import Base
from tuneoff.models.chat import Encoded
from tuneoff.models.tiny import tiny_model
from tuneoff.study.bundle import Tuned, TunedPart, load_tuned, save_tuned
from tuneoff.testing.case import CLOSE, TASK, TRAIN, Case

__all__ = ["ADAPTER_CHECKS", "ARCHITECTURES"]

# unequal rows, short enough that a window of 6 in each of two layers lets a first position reach the answers
ROWS = tuple(
    Example(record, Encoded(prompt, answer))
    for record, prompt, answer in zip(TRAIN, [(1, 20, 21), (1, 30, 31, 32), (1, 40)], [(50, 4), (60, 61, 4), (70, 4)])
)
ARCHITECTURES = ("llama", "gemma3", "gpt2")  # plain; scaled embeddings and (1 + w) norms; fused and transposed


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


ADAPTER_CHECKS = (
    starts_from_the_given_generator_alone,
    changes_nothing_at_the_start,
    every_tensor_learns,
    the_base_stays_as_it_is,
    rows_do_not_see_each_other,
    its_form_is_what_it_does,
    merged_is_the_same_as_worn,
    comes_back_from_its_folder,
)


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


def _site_values(site: Site) -> tuple[Tensor, Tensor, Tensor]:
    """Made-up inputs, outputs and virtual positions of two rows at one site."""
    gen = torch.Generator().manual_seed(4)
    x = torch.randn(2, 3, site.in_dim, generator=gen, dtype=torch.float64)
    y = torch.randn(2, 3, site.out_dim, generator=gen, dtype=torch.float64)
    return x, y, torch.tensor([[True, False, False], [False, False, False]])


def _module_output(site: Site, x: Tensor) -> Tensor:
    """What the frozen module says at this site."""
    y = site.module(x)
    return y if site.columns is None else y[..., site.columns]


def _by_hand(site: Site, form: Form, x: Tensor) -> Tensor:
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


def _check_rows(method: AdapterMethod, site: Site, p: Mapping[str, Tensor], form: Rows) -> None:
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

"""Which fast paths a model takes: every other one has a reason, and a fault is never taken for one."""

import warnings

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException
from transformers import DynamicCache

from tuneoff.core.errors import BrokenPathWarning
from tuneoff.engine import packed
from tuneoff.engine.attach import Worn
from tuneoff.engine.capabilities import Capabilities, Check, capabilities
from tuneoff.engine.capability_probe import CapabilityProbe, _states_alone
from tuneoff.engine.unsupported import Unsupported
from tuneoff.models.base import Base
from tuneoff.models.load import load_model
from tuneoff.models.tiny import ARCHITECTURES, tiny_model

STATES = torch.tensor([[1.0], [2.0], [3.0]])
GPU = "it needs an NVIDIA GPU"
TRUNK = "its trunk wants as many states as it was given"


class OnGpu:
    """What `capabilities` asks a base: where it is."""

    device = torch.device("cuda")


class OnCpu:
    device = torch.device("cpu")


class Probe:
    """A probe whose paths all give the same; given: states of a path, or what is raised instead."""

    def __init__(self, seconds=(), **given):
        self.given, self.by_path = given, dict(seconds)

    def __call__(self, path):
        return _given(self.given.get(path, STATES))

    def seconds(self, path):
        return _given(self.by_path[path])


def _given(value):
    if isinstance(value, Exception):
        raise value
    return value


def fresh(architecture="llama", dtype=torch.float32):
    net, tokenizer = tiny_model(architecture, dtype=dtype)
    return Base(net, tokenizer, fingerprint=f"fresh-{architecture}")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_each_architecture_takes_and_why_not_the_rest(architecture, dtype):
    found = Worn(fresh(architecture, dtype)).capabilities()
    assert found.packed_rows == (True, "", "")
    assert found.sparse_last_layer == ((False, TRUNK, "") if architecture == "gpt2" else (True, "", ""))
    assert found.partial_forward == (True, "", "")
    assert found.flex_attention == (False, GPU, "")


def test_all_of_it_in_one_line():
    yes, gpu = Check(True), Check(False, GPU)
    line = "fast paths: packed rows, upper layers alone; not: last layer where read (its trunk wants as many states as "
    assert Capabilities(yes, Check(False, TRUNK), yes, gpu).line == f"{line}it was given), fused attention ({GPU})"
    assert Capabilities(yes, yes, yes, yes).line.endswith("last layer where read, upper layers alone, fused attention")
    found = capabilities(OnCpu(), lambda: Probe(packed=Unsupported("its attention applies a softcap")))
    assert found.line == "fast paths: none; not: packed rows (its attention applies a softcap)"


def test_states_that_differ_are_told_with_difference_and_bound():
    found = capabilities(OnCpu(), lambda: Probe(packed=STATES * 1.002, sparse=STATES))
    assert found.packed_rows.why == "its states differ by 0.2 % in float32, 0.1 % is allowed"
    in_16_bits = STATES.bfloat16()
    found = capabilities(OnCpu(), lambda: Probe(masked=in_16_bits, packed=in_16_bits * 1.25, partial=in_16_bits))
    assert found.packed_rows.why == "its states differ by 25 % in bfloat16, 10 % is allowed"
    assert [check.why for check in found[1:]] == ["it needs packed rows"] * 3
    found = capabilities(OnCpu(), lambda: Probe(sparse=STATES[1:] + 1, partial=STATES * float("nan")))
    assert [bool(check) for check in found] == [True, False, False, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma3"])
def test_control_what_is_not_the_same_differs_by_more_than_is_allowed(architecture, dtype, monkeypatch):
    """A start that is not seen: the packed rows stand where they should, and miss two tokens."""
    run = CapabilityProbe._run
    monkeypatch.setattr(CapabilityProbe, "_run", lambda self, rows, past, **read: run(self, rows, None, **read))
    found = Worn(fresh(architecture, dtype)).capabilities()
    assert f"% in {str(dtype).removeprefix('torch.')}" in found.packed_rows.why


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_real_model_takes_every_path_in_16_bits_too(dtype):
    found = Worn(load_model("smollm2-135m-instruct", dtype=dtype).base()).capabilities()
    assert [bool(check) for check in found[:3]] == [True] * 3, found.line


@pytest.mark.parametrize(
    ("flex", "folds", "why"),
    [
        (0.001, 0.002, ""),
        (0.002, 0.001, "no faster here: 2 ms against 1 ms"),
        (torch.OutOfMemoryError("full"), 0.001, "it does not fit into memory"),
        (TorchDynamoException("heads of 8"), 0.001, "its kernel cannot be compiled here (TorchDynamoException)"),
    ],
)
def test_on_a_gpu_the_faster_attention_is_taken(flex, folds, why):
    found = capabilities(OnGpu(), lambda: Probe({"flex": flex, "folds": folds})).flex_attention
    assert (found.taken, found.why, found.traceback) == (not why, why, "")


@pytest.mark.parametrize("path", ["packed", "sparse", "partial", "flex"])
def test_any_other_exception_is_a_fault(path):
    """Here and in every test the warning is an error (pyproject.toml); elsewhere the slower path is taken."""
    probe = Probe({"flex": 1.0, "folds": 2.0}, **{path: TypeError("update() got an unexpected keyword 'kwargs'")})
    with pytest.raises(BrokenPathWarning, match="failed with TypeError: update") as caught:
        capabilities(OnGpu(), lambda: probe)
    assert "in _given" in caught.value.__notes__[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BrokenPathWarning)
        found = capabilities(OnGpu(), lambda: probe)
    ((sentence, trace),) = found.faults
    assert sentence.startswith("fast path broken: ")
    assert sentence.endswith("; the slower plain path is taken")
    assert trace.rstrip().endswith("TypeError: update() got an unexpected keyword 'kwargs'")
    assert found.packed_rows.taken == (path != "packed")


def test_a_plain_path_that_fails_is_raised():
    with pytest.raises(IndexError, match="of the plain path"):
        capabilities(OnCpu(), lambda: Probe(masked=IndexError("of the plain path")))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"s_aux": torch.zeros(4)}, "its attention applies sinks"),
        ({"softcap": 50.0}, "its attention applies a softcap"),
        ({"softcap": 50.0, "dropout": 0.1}, "its attention applies a softcap and dropout"),
        ({"attention_mask": torch.zeros(1)}, "it hands its attention a mask of its own"),
    ],
)
def test_attention_that_asks_for_more_says_what(asked, why):
    given = {"attention_mask": None, **asked}
    with pytest.raises(Unsupported, match=why):
        packed._attention(None, None, None, None, **given)


def test_a_model_with_attention_of_its_own_is_told():
    """It never looks up what it is asked to take."""
    base = fresh()
    for layer in base.stack:
        attend = layer.self_attn.forward
        layer.self_attn.forward = lambda *args, attend=attend, **asked: _eager(base, attend, args, asked)
    assert Worn(base).capabilities().packed_rows.why == "it does not look its attention up by name"


def _eager(base, attend, args, asked):
    asked_for, base.config._attn_implementation = base.config._attn_implementation, "sdpa"
    try:
        return attend(*args, **asked)
    finally:
        base.config._attn_implementation = asked_for


def test_layers_that_give_more_than_states_do_not_run_alone():
    """As those of GPT-2 and GPT-NeoX in transformers 5.0."""
    base = fresh()
    for layer in base.stack:
        layer.register_forward_hook(lambda layer, given, states: (states,))
    base.stack[0].register_forward_hook(_states_alone)
    with pytest.raises(Unsupported, match="its layers give more than their states"):
        base.run_trunk({"input_ids": torch.tensor([[1, 2]])}, DynamicCache())


def test_a_trunk_that_refuses_learned_embeddings_is_told(monkeypatch):
    base = fresh()
    assert base.cache_keyword in ("cache", "past_key_values")  # read off before the trunk is replaced
    whole, table = base.trunk.forward, base.net.get_input_embeddings().weight

    def forward(input_ids=None, inputs_embeds=None, **asked):
        if inputs_embeds is not None and not torch.isin(inputs_embeds, table).all():
            raise RuntimeError("make sure you provide exact inputs_embeds")
        return whole(input_ids=input_ids, inputs_embeds=inputs_embeds, **asked)

    monkeypatch.setattr(base.trunk, "forward", forward)
    assert Worn(base).capabilities().packed_rows.why == "its trunk refuses embeddings that are no token's"

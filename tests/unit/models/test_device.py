"""What a machine does with a model: every figure there is one for, unknown where there is none, nothing changed."""

import pytest
import torch

from tuneoff.models import device
from tuneoff.models.base import Base
from tuneoff.models.device import measure_machine
from tuneoff.models.tiny import tiny_model


def made(architecture="llama"):
    net, tokenizer = tiny_model(architecture)
    return Base(net, tokenizer, fingerprint=architecture)


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "gpt2", "gpt_neox"])
def test_all_figures(architecture):
    base = made(architecture)
    before = {name: weight.clone() for name, weight in base.net.named_parameters()}
    found = measure_machine(base)
    assert (found["device"], found["threads"]) == ("cpu", torch.get_num_threads())
    assert all(found[name] > 0 for name in ("float32_gflops", "forward_tokens_per_s", "both_ways_tokens_per_s"))
    assert found["both_ways_tokens_per_s"] < 3 * found["forward_tokens_per_s"]
    assert all(torch.equal(weight, before[name]) for name, weight in base.net.named_parameters())
    assert all(weight.grad is None for weight in base.net.parameters())


def test_a_format_without_a_kernel_is_unknown_and_not_zero(monkeypatch):
    def without(inputs, outputs, dtype, where, multiply=device._multiply):
        if dtype is torch.bfloat16:
            raise RuntimeError("not implemented for 'BFloat16'")
        return multiply(inputs, outputs, dtype, where)

    monkeypatch.setattr(device, "_multiply", without)
    found = measure_machine(made())
    assert found["bfloat16_gflops"] is None
    assert found["float32_gflops"] > 0


def test_shapes_are_the_models_own():
    counted = device._shapes(made("llama"))
    base = made("llama")
    wanted = sum(w.numel() for name, w in base.net.named_parameters() if name.endswith("proj.weight"))
    assert sum(inputs * outputs * times for (inputs, outputs), times in counted.items()) == wanted


def test_a_large_model_is_asked_for_few_tokens():
    base = made()
    per_token = sum(2 * inputs * outputs * times for (inputs, outputs), times in device._shapes(base).items())
    assert device._tokens(base, gflops=1e6) == device.MOST_TOKENS
    assert device._tokens(base, gflops=1e-9) == device.FEWEST_TOKENS
    assert device._tokens(base, gflops=per_token * 20 / device.PASS_S / 1e9) == pytest.approx(20, abs=1)


def test_the_quickest_run_counts(monkeypatch):
    monkeypatch.setattr(device, "RUNS", 3)
    times = iter([0.0, 5.0, 10.0, 11.0, 20.0, 24.0])
    monkeypatch.setattr(device, "_now", lambda where: next(times))
    assert device._seconds(lambda: None, torch.device("cpu")) == 1.0

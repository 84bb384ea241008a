"""The doctor's lines say what the facts mean, in words, for machines that are not this one too."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tuneoff.cli import doctor as module
from tuneoff.cli.main import app
from tuneoff.engine import packed
from tuneoff.models.embedded import embedded
from tuneoff.models.kept import converted_folder
from tuneoff.models.tiny import save_tiny


@pytest.fixture(autouse=True)
def _own_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNEOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in module.OFFLINE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def facts():
    """A server with two GPUs."""
    return {
        "tuneoff": "0.1.0",
        "python": "3.12.1",
        "system": "Linux x86_64",
        "cores": 64,
        "units": ["avx2", "avx512f", "amx_bf16"],
        "memory_bytes": 256e9,
        "free_bytes": 200e9,
        "driver": "570.1",
        "torch": "2.9.0",
        "threads": 32,
        "kernels": "AVX512",
        "gpus": [{"name": "NVIDIA H200", "memory_bytes": 150e9}, {"name": "NVIDIA H200", "memory_bytes": 150e9}],
        "device": "cuda:0",
        "dtype": "bfloat16",
        "weight_bytes": 2,
        "int8_speed": 3.1,
        "extras": {"hub": None},
        "cache": "/cache",
        "disk_free_bytes": {"/cache": 500e9, "/home": 500e9},
        "models": {},
        "offline": {"HF_HUB_OFFLINE": "1"},
        "tried": {"model": "m", "paths": {"packed rows": "it said no"}, "faults": {}},
    }


def test_this_machine_in_words_and_as_json(tmp_path):
    text = CliRunner().invoke(app, ["doctor"]).stdout
    assert text.startswith("tuneoff                0.1.0 on Python 3.")
    assert "first run fetches its model: 0.1 GB over the network" in " ".join(text.split())
    assert "int8 = true" not in text
    facts = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert facts["cores"] >= 1
    assert 0 < facts["free_bytes"] <= facts["memory_bytes"]
    assert facts["models"] == {}
    assert facts["cache"] == str(tmp_path / "cache")
    assert facts["disk_free_bytes"][str(Path.cwd())] > 0


def test_kept_models_are_listed_by_the_name_that_opens_them(tmp_path):
    embedded_folder = converted_folder("gemma3-270m", embedded()["gemma3-270m"].sha256)
    for folder in (embedded_folder, embedded_folder.with_name("mine-0123abcd-v1")):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"x" * 1000)
    embedded_folder.with_name(".half.making").mkdir()
    snapshot = tmp_path / "hub" / "models--acme--tiny" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    models = module._models()
    assert {name: model["bytes"] for name, model in models.items()} == {
        "gemma3-270m": 1000,
        "mine-0123abcd-v1": 1000,
        "acme/tiny": 2,
    }


@pytest.mark.parametrize(
    ("architecture", "told"),
    [
        ("llama", "taken"),
        ("gpt2", "not taken: its trunk wants as many states as it was given"),
    ],
)
def test_which_fast_paths_a_model_takes_and_why_not_the_others(tmp_path, architecture, told):
    folder = str(save_tiny(tmp_path / architecture, architecture))
    text = " ".join(CliRunner().invoke(app, ["doctor", "--model", folder]).stdout.split())
    assert f"packed rows taken last layer where read {told} upper layers alone taken" in text
    tried = json.loads(CliRunner().invoke(app, ["doctor", "--json", "--model", folder]).stdout)["tried"]
    assert (tried["model"], tried["faults"]) == (folder, {})
    assert tried["paths"]["last layer where read"] == told.removeprefix("not ").removeprefix("taken").removeprefix(": ")
    assert tried["paths"]["fused attention"] == "it needs an NVIDIA GPU"


def test_a_broken_path_fails_with_its_traceback(monkeypatch):
    """Without --model the engine is tried on a tiny model, so a library that no longer fits is seen here."""
    monkeypatch.setattr(packed.Pass, "update", lambda self, keys: keys)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    said = "fast path broken: packed rows failed with TypeError: "
    assert said in " ".join(done.stdout.split())
    assert said in done.stderr
    assert "Traceback (most recent call last)" in done.stderr


def test_a_server_with_gpus(facts):
    rows = module._rows(facts)
    assert "8 bits" not in dict(rows)
    assert ("GPU", "NVIDIA H200, 150.0 GB; NVIDIA H200, 150.0 GB, driver 570.1") in rows
    assert ("processor", "64 cores, avx2, avx512f, amx_bf16") in rows
    assert ("runs on", "cuda:0 in bfloat16") in rows
    room = "about 60.0 billion weights with a small adapter, 18.8 billion in full fine-tuning"
    assert ("room for", room) in rows
    missing = "not installed (data sets of the Hugging Face hub): pip install 'tuneoff[hub]'"
    assert ("extra hub", missing) in rows
    assert ("offline", "HF_HUB_OFFLINE=1: nothing is fetched from the hub") in rows


def test_what_is_wrong_or_unknown_is_said(facts):
    facts |= {"gpus": [], "device": "cpu", "units": None, "disk_free_bytes": {"/cache": 1e9}}
    rows = dict(module._rows(facts))
    assert rows["GPU"].startswith("driver 570.1 is there, but this torch cannot use it")
    assert rows["processor"] == "64 cores; its vector units could not be found out"
    assert rows["beware"].startswith("there is little room on the disk")
    assert rows["8 bits"] == "a matmul is 3.1 times as fast as in float32"
    facts |= {"driver": None, "units": [], "int8_speed": 0.04, "models": {"m": {"path": "/m", "bytes": 5e8}}}
    rows = dict(module._rows(facts))
    assert rows["GPU"] == "none"
    assert rows["processor"] == "64 cores, no vector units that speed up a model"
    assert rows["model"] == "m, 0.5 GB, /m"
    assert rows["8 bits"] == "a matmul is 0.04 times as fast as in float32"
    assert "first run" not in rows

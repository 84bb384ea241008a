"""Every method of the folder does what all methods must do; spoiled ones are caught by the check that is for them."""

import json

import pytest

from tuneoff.core import plugins
from tuneoff.testing import adapters
from tuneoff.testing import methods as kit
from tuneoff.testing.case import Case
from tuneoff.testing.methods import CHECKS

NEEDS = {"prompt_file": {"path": "mine.txt"}, "instruction_tuning": {"mixture": "tasks.jsonl"}}


def case_of(name, folder) -> Case:
    """The methods that need a file are given one."""
    (folder / "mine.txt").write_text("Tweet: {text}\nFeeling:", encoding="utf-8")
    rows = [{"instruction": f"Say it {at} times.", "input": "word", "output": "word " * at} for at in (1, 2)]
    (folder / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Case(name, NEEDS.get(name, {}), folder)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", plugins.names("methods"))
def test_method(name, check, tmp_path):
    check(case_of(name, tmp_path))


def test_every_family_of_the_race_has_a_method():
    families = {plugins.load("methods", name).family for name in plugins.names("methods")}
    assert families == {
        "baseline",
        "full fine-tuning",
        "instruction tuning",
        "parameter-efficient fine-tuning",
        "probing",
        "prompt tuning",
        "prompting",
    }


SPOILED = '''"""Scales what a projection says: y = s * (x W^T), as arXiv 2205.05638 does."""
import random
from typing import ClassVar
import torch
from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod, BaselineMethod, Bias, PromptMethod, Scale, WeightMethod
from tuneoff.data.prompt import Prompt

class Sound(AdapterMethod):
    family: ClassVar[str] = "parameter-efficient fine-tuning"
    paper: ClassVar[str] = "arXiv 2205.05638"
    lr: float = knob(1e-2, "peak learning rate", gt=0, search=(1e-3, 1e-1))
    @property
    def roles(self):
        return ("attn.v", "mlp.up")
    def init(self, site, task, start, gen):
        return {"s": torch.ones(site.out_dim)}
    def leave(self, site, x, y, p, virtual):
        return y * p["s"]
    def form(self, site, p):
        return Scale(p["s"], "leave")
    def merge(self, site, p):
        return None  # a bias would have to be scaled too

class Uncited(Sound):
    paper: ClassVar[str] = "arXiv 1234.56789"

class Silent(Sound):
    length_of_it: int = knob(1, "")

class OutsideItsRange(Sound):
    lr: float = knob(5.0, "peak learning rate", gt=0, search=(1e-3, 1e-1))

class Unsearched(Sound):
    lr: float = knob(1e-2, "peak learning rate", gt=0)

class GlobalNoise(Sound):
    def init(self, site, task, start, gen):
        return {"s": torch.ones(site.out_dim) + 1e-9 * torch.randn(site.out_dim)}

class OffTheStart(Sound):
    def init(self, site, task, start, gen):
        return {"s": torch.full((site.out_dim,), 1.01)}

class HalfDeaf(Sound):
    def leave(self, site, x, y, p, virtual):
        return y * p["s"].detach()

class DeafRow(Sound):
    def init(self, site, task, start, gen):
        return {"s": torch.ones(2, site.out_dim)}
    def leave(self, site, x, y, p, virtual):
        return y * p["s"][0]

class InPlace(Sound):
    def leave(self, site, x, y, p, virtual):
        return y.mul_(p["s"])

class IntoTheBase(Sound):
    def init(self, site, task, start, gen):
        site.module.weight.data += 1e-3
        return {"s": torch.ones(site.out_dim)}

class Neighbourly(Sound):
    def leave(self, site, x, y, p, virtual):
        return y * p["s"] + y.mean(dim=0) - y.mean(dim=0).detach() * 0

class WrongForm(Sound):
    def form(self, site, p):
        return Bias(p["s"])

class WrongMerge(Sound):
    @property
    def roles(self):
        return ("mlp.down",)
    def merge(self, site, p):
        return site.weight() * p["s"][:, None] * 1.001

class Unsaved(Sound):
    secret: float = knob(1.0, "left out of what is written", exclude=True)
    @property
    def roles(self):
        return ("attn.v",)

class NoSuchWeights(WeightMethod):
    family: ClassVar[str] = "full fine-tuning"
    paper: ClassVar[str] = ""
    lr: float = knob(1e-5, "peak learning rate", gt=0, search=(1e-6, 1e-4))
    def trainable(self, net):
        return ["model.nothing.weight"]

class Greedy(PromptMethod):
    paper: ClassVar[str] = ""
    def fit(self, task, train, seed):
        train.reverse()
        return Prompt(instruction=task.instruction)

class Moody(PromptMethod):
    paper: ClassVar[str] = ""
    def fit(self, task, train, seed):
        return Prompt(instruction=str(random.random()))

class OverOne(BaselineMethod):
    paper: ClassVar[str] = ""
    def fit(self, task, train, seed):
        return lambda records: [{label: 0.5 for label in task.labels}] * len(records)
'''

CAUGHT = [
    ("Uncited", kit.says_what_it_is, "does not cite it"),
    ("Silent", kit.knobs_are_named_and_limited, "no line of help"),
    ("OutsideItsRange", kit.knobs_are_named_and_limited, "outside"),
    ("Unsearched", kit.learns_at_a_rate_of_its_own, "range to search"),
    ("GlobalNoise", adapters.starts_from_the_given_generator_alone, "global generator"),
    ("OffTheStart", adapters.changes_nothing_at_the_start, "untrained adapter changes"),
    ("HalfDeaf", adapters.every_tensor_learns, "does not require grad|no gradient"),
    ("DeafRow", adapters.every_tensor_learns, "no gradient at part of"),
    ("InPlace", adapters.the_base_stays_as_it_is, "writes into the output"),
    ("IntoTheBase", adapters.the_base_stays_as_it_is, "the base has changed"),
    ("Neighbourly", adapters.rows_do_not_see_each_other, "depends on its company"),
    ("WrongForm", adapters.its_form_is_what_it_does, "form is not what happens"),
    ("WrongMerge", adapters.merged_is_the_same_as_worn, "merged weights say something else"),
    ("NoSuchWeights", kit.names_weights_that_there_are, "no such weights"),
    ("Greedy", kit.chooses_a_prompt_from_what_it_is_shown, "changes the training records"),
    ("Moody", kit.chooses_a_prompt_from_what_it_is_shown, "same seed gives another prompt"),
    ("OverOne", kit.gives_each_label_a_probability, "do not sum to 1"),
]


@pytest.fixture
def spoiled(tmp_path):
    """Methods in a file of a person's own."""
    file = tmp_path / "spoiled.py"
    file.write_text(SPOILED, encoding="utf-8")
    return lambda name: Case(f"{file}:{name}", folder=tmp_path)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_sound_method_of_ones_own_passes(check, spoiled):
    check(spoiled("Sound"))


@pytest.mark.parametrize(("name", "check", "why"), CAUGHT, ids=[name for name, _, _ in CAUGHT])
def test_the_kit_catches(name, check, why, spoiled):
    with pytest.raises((AssertionError, RuntimeError), match=why):
        check(spoiled(name))

"""Ways of asking are scored on validation records, once each, and told as a table."""

import json

import pytest
from benchmarks import recipes
from benchmarks.recipe_grids import GRIDS, Setting
from benchmarks.recipe_prompting import prompting
from benchmarks.recipe_sets import SETS, Choice, Sample
from benchmarks.recipe_table import markdown
from benchmarks.recipe_training import training

from tuneoff.data.record import Record
from tuneoff.data.task import Task
from tuneoff.models.load import load_model
from tuneoff.models.tiny import save_tiny


@pytest.fixture
def sample():
    rows = [Record(fields={"text": f"{at} {'!?'[at % 2]}"}, target=("yes", "no")[at % 2]) for at in range(30)]
    listed = "Sure? Answer with one of: no, yes."
    task = Task(name="marks", kind="choice", labels=("no", "yes"), instruction=listed, metrics=("accuracy",))
    described = {"no": "a question", "yes": "a cry"}
    return Sample(task=task, question="Sure?", described=described, train=rows[:20], validation=rows[20:])


def test_each_way_is_scored_once(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "HERE", tmp_path)
    base = load_model(str(save_tiny(tmp_path / "model")), device="cpu").base()
    prompting(base, "tiny", "marks", sample, recipes.Lines("prompting"))
    written = (tmp_path / "prompting.jsonl").read_text()
    prompting(base, "tiny", "marks", sample, recipes.Lines("prompting"))
    assert (tmp_path / "prompting.jsonl").read_text() == written
    lines = {(line["asked"]["way"], line["asked"]["seed"]): line for line in map(json.loads, written.splitlines())}
    assert lines["nearest 8", 0]["tokens"] > lines["nearest 1", 0]["tokens"] > lines["comma", 0]["tokens"]
    assert all(0 < line["raw"]["likelihood"] < 1 for line in lines.values())
    rows = markdown(lines.values()).splitlines()
    assert rows[0] == "| setting | marks | mean |"
    assert len(rows) == 2 + 2 * len({way for way, _ in lines})


def test_each_setting_is_trained_once(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "HERE", tmp_path)
    settings = [Setting(method="lora", knobs={"lr": rate}, epochs=2, checks=4) for rate in (1e-3, 1e-2, 3e-2)]
    monkeypatch.setitem(GRIDS, "small", settings)
    base = load_model(str(save_tiny(tmp_path / "model")), device="cpu").base()
    training(base, "tiny", "small", "marks", sample, recipes.Lines("small"))
    written = (tmp_path / "small.jsonl").read_text()
    training(base, "tiny", "small", "marks", sample, recipes.Lines("small"))
    assert (tmp_path / "small.jsonl").read_text() == written
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["asked"]["knobs"]["lr"] for line in lines] == [1e-3, 1e-2, 3e-2]
    assert all(line["at"] in [step for step, *_ in line["curve"]] for line in lines)
    assert all(0 <= line["accuracy"] <= 1 for line in lines)


def test_seeds_of_one_way_are_averaged():
    figures = [{"accuracy": at, "likelihood": at / 2} for at in (0.2, 0.4)]
    lines = [
        {"asked": {"set": "one", "way": "random 8", "seed": seed}, "raw": figure, "calibrated": figure}
        for seed, figure in enumerate(figures)
    ]
    assert markdown(lines).splitlines()[2] == "| random 8 | 30.0 (15.0) | 30.0 (15.0) |"


def test_held_out_sets_are_not_asked():
    from benchmarks.hand_tuned_sets import HELD_OUT

    assert not {*HELD_OUT} & {*SETS}
    files = [each.source.files if isinstance(each, Choice) else (each.file,) for each in SETS.values()]
    assert all("test" not in file for own in files for file in own)

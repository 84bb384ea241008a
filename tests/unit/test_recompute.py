"""scripts/recompute.py agrees with the verdict on ledgers of every kind, and finds every figure that was changed."""

import ast
import importlib.util
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from judged_run import Run
from tuneoff.core.cost import Cost
from tuneoff.study.verdict.judge import write_verdict

SCRIPT = Path(__file__).parents[2] / "scripts" / "recompute.py"


def script():
    spec = importlib.util.spec_from_file_location("recompute", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fill(run: Run, seeds: int = 3, records: int = 200) -> None:
    """Five arms that are near each other, with and without randomness; lora's second trial is the better one."""
    rng = np.random.default_rng(0)
    run.records = records
    hard = rng.normal(size=records)

    def answers(level, runs, luck=0.3):
        chance = 1 / (1 + np.exp(-(level + 2 * hard + luck * rng.normal(size=(runs, 1)))))
        return (rng.random((runs, records)) < chance).astype(float)

    run.arm("majority", 0.4, answers=["no"] * records)
    run.arm("zero_shot", answers(0.8, 1), unscored=(3, 17))
    run.arm("few_shot", answers(1.0, 1))
    run.arm("soft_prompt", answers(1.2, seeds), seeds=seeds, validation=[0.7, 0.9, 0.8, 0.6][:seeds])
    price = Cost(prompt_tokens=45.0, artifact_bytes=9000, train_s=20.0)
    run.arm("lora", answers(0.0, seeds), seeds=seeds, validation=[0.5] * seeds)
    run.arm("lora", answers(1.7, seeds), seeds=seeds, validation=[0.8] * seeds, trial=1, cost=price)
    run.arm("dora", answers(1.6, 2), seeds=2, validation=[0.7, 0.7])


def put(run: Run, folder: Path, **settings) -> Path:
    """The run's ledger and verdict as a run folder has them."""
    verdict = run.verdict(**settings)
    run.ledger.close()
    shutil.copyfile(folder / "ledger.db", folder / "ledger.sqlite")
    write_verdict(verdict, folder / "verdict.json")
    return folder


DECISIONS = {
    "plain": {},
    "best": {"prefer": "best"},
    "bytes first": {"cost": "artifact"},
    "weights": {"weights": {"quality": 1.0, "serving": 0.05, "training": 2.0}},
    "a limit": {"max_artifact_mb": 0.005},
    "no weights": {"no_weights_access": True},
}


@pytest.mark.parametrize("decision", DECISIONS.values(), ids=DECISIONS.keys())
def test_the_script_agrees(tmp_path, capsys, decision):
    run = Run(tmp_path)
    fill(run)
    assert script().main(put(run, tmp_path, decision=decision)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["differ"] == 0
    assert told["claims"] > 60


def test_the_script_agrees_on_two_seeds_and_few_records(tmp_path):
    run = Run(tmp_path)
    fill(run, seeds=2, records=24)
    assert script().main(put(run, tmp_path)) == 0


def test_the_script_agrees_where_nothing_varies(tmp_path):
    run = Run(tmp_path)
    run.arm("zero_shot", 1.0)
    run.arm("lora", 1.0, seeds=3)
    run.arm("majority", 0.0)
    assert script().main(put(run, tmp_path)) == 0


def test_the_script_agrees_on_a_loss(tmp_path):
    run, rng = Run(tmp_path), np.random.default_rng(1)
    run.arm("zero_shot", rng.exponential(1.0, (1, 200)), metric="nll")
    run.arm("lora", rng.exponential(0.6, (3, 200)), seeds=3, metric="nll", validation=[0.7, 0.5, 0.6])
    assert script().main(put(run, tmp_path, metric="nll")) == 0


def test_the_script_agrees_where_two_arms_answer_alike(tmp_path):
    """Both may be the best: that they do not differ from each other says nothing of a third."""
    run, rng = Run(tmp_path), np.random.default_rng(4)
    hard = rng.normal(size=200)
    levels = {"zero_shot": 0.2, "few_shot": 0.4, "tfidf": 0.5, "linear_probe": 0.6}
    right = {name: (hard + rng.normal(size=200) > -level).astype(float)[None] for name, level in levels.items()}
    for name, scores in {"majority": right["zero_shot"], **right}.items():
        run.arm(name, scores)
    assert script().main(put(run, tmp_path)) == 0


def test_the_script_agrees_where_arms_differ_on_hardly_any_record(tmp_path):
    run, rng = Run(tmp_path), np.random.default_rng(0)
    run.records = 10
    right = (rng.random(10) < 0.7).astype(float)
    run.arm("zero_shot", right[None])
    for name in ("lora", "dora", "soft_prompt"):
        run.arm(name, np.abs(right - (rng.random((2, 10)) < 0.1)), seeds=2)
    assert script().main(put(run, tmp_path)) == 0


def test_the_script_agrees_where_a_seed_collapsed(tmp_path):
    run, rng = Run(tmp_path), np.random.default_rng(0)
    run.records = 500
    run.arm("zero_shot", (rng.random((1, 500)) < 0.9).astype(float))
    run.arm("lora", (rng.random((3, 500)) < np.array([[0.998], [0.998], [0.0]])).astype(float), seeds=3)
    run.arm("dora", (rng.random((3, 500)) < 0.98).astype(float), seeds=3)
    assert script().main(put(run, tmp_path)) == 0


CHANGES = {
    "a mean": lambda v: v["standings"][0].update(mean=v["standings"][0]["mean"] + 0.001),
    "an interval": lambda v: v["standings"][0].update(high=v["standings"][0]["high"] + 0.002),
    "the artifact": lambda v: v["standings"][1].update(artifact_low=0.1),
    "a cost": lambda v: v["standings"][0]["cost"].update(artifact_bytes=1),
    "a validation figure": lambda v: v["standings"][0].update(validation=0.81),
    "a p value": lambda v: v["contrasts"][0].update(p=v["contrasts"][0]["p"] * 0.99),
    "a bound": lambda v: v["contrasts"][0].update(low=v["contrasts"][0]["low"] + 0.002),
    "a leader's p value": lambda v: v["contrasts"][0].update(p_adjusted=v["contrasts"][0]["p_adjusted"] + 0.05),
    "a corrected p value": lambda v: v["contrasts"][-1].update(p_adjusted=v["contrasts"][-1]["p_adjusted"] + 0.01),
    "a difference": lambda v: v["contrasts"][2].update(diff=-v["contrasts"][2]["diff"]),
    "two artifacts": lambda v: v["contrasts"][0].update(artifact_diff=v["contrasts"][0]["artifact_diff"] + 0.005),
    "an artifact's p value": lambda v: v["contrasts"][1].update(artifact_p=v["contrasts"][1]["artifact_p"] * 0.99),
    "a kind": lambda v: v["contrasts"][0].update(kind="practically_equal"),
    "a kind of a pair without the leader": lambda v: v["contrasts"][-1].update(kind="open"),
    "what is different": lambda v: v["contrasts"][0].update(different=not v["contrasts"][0]["different"]),
    "a dropped contrast": lambda v: v["contrasts"].pop(),
    "the arms compared": lambda v: v["facts"]["compared"].reverse(),
    "a winner": lambda v: v.update(winners=v["winners"][:1]),
    "the recommended arm": lambda v: v.update(recommended="majority"),
    "an arm without a figure": lambda v: v["standings"][2].update(status="not run", mean=None),
    "records left out": lambda v: v.update(unscored=0),
    "another version": lambda v: v.update(version=4),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_figure_is_found(tmp_path, capsys, change):
    run = Run(tmp_path)
    fill(run)
    folder = put(run, tmp_path)
    verdict = json.loads((folder / "verdict.json").read_text())
    change(verdict)
    (folder / "verdict.json").write_text(json.dumps(verdict))
    assert script().main(folder) == 1
    assert "the verdict says" in capsys.readouterr().out


def test_a_winner_that_was_ruled_out_is_found(tmp_path):
    run = Run(tmp_path)
    fill(run)
    folder = put(run, tmp_path)
    verdict = json.loads((folder / "verdict.json").read_text())
    verdict["standings"][0].update(status="ruled out", mean=None)
    (folder / "verdict.json").write_text(json.dumps(verdict))
    assert script().main(folder) == 1


def macro_f1(folder: Path) -> Path:
    run, rng = Run(folder), np.random.default_rng(1)
    target = rng.integers(0, 2, 200)

    def rows(right, seeds):
        answer = np.where(rng.random((seeds, 200)) < right, target, 1 - target)
        answer[rng.random((seeds, 200)) < 0.02] = -1
        return np.stack([np.broadcast_to(target, answer.shape), answer], axis=2).astype(float)

    run.arm("zero_shot", rows(0.7, 1), metric="macro_f1")
    run.arm("few_shot", rows(0.75, 1), metric="macro_f1")
    run.arm("lora", rows(0.8, 3), seeds=3, metric="macro_f1")
    return put(run, folder, metric="macro_f1")


def test_the_script_agrees_on_macro_f1(tmp_path, capsys):
    assert script().main(macro_f1(tmp_path)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["claims"] > 60
    assert not told["skipped"]


def test_a_figure_that_is_no_mean_is_skipped_and_named(tmp_path, capsys):
    folder = macro_f1(tmp_path)
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        db.execute("update outcomes set metric = 'median'")
    verdict = json.loads((folder / "verdict.json").read_text())
    (folder / "verdict.json").write_text(json.dumps({**verdict, "metric": "median"}))
    assert script().main(folder) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == ["median is no mean over records"]


def test_a_winner_that_draws_decide_is_taken_from_the_verdict_and_named(tmp_path, capsys, monkeypatch):
    run = Run(tmp_path)
    fill(run)
    folder, own = put(run, tmp_path), script()
    found = own.not_best
    monkeypatch.setattr(own, "not_best", lambda *case: {name: (p, 1.0) for name, (p, _) in found(*case).items()})
    assert own.main(folder) == 0
    skipped = json.loads(capsys.readouterr().out)["skipped"]
    assert len(skipped) == 5
    assert all("whether it is a winner" in each for each in skipped)


def test_it_imports_nothing_of_the_package_and_ends_with_its_code(tmp_path):
    tree = ast.parse(SCRIPT.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in names if name.startswith("tuneoff")]
    run = Run(tmp_path)
    fill(run)
    folder = put(run, tmp_path)
    done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

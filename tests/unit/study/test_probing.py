"""A probe in a study: to the verdict, as an artifact, again bit for bit, and where it may not stand."""

import json

import pytest
import torch

from conducted import Study
from tiny_study import put_model, put_rows, put_study
from tuneoff.core.errors import ConfigError, StudyError
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.bundle import load_tuned
from tuneoff.study.conduct import conduct, open_base
from tuneoff.study.plan import make_plan
from tuneoff.study.predict import open_ready
from tuneoff.study.spec import read_spec
from tuneoff.study.store import Ledger
from tuneoff.study.work import Worker

torch.set_num_threads(1)

TEXTS = [{"question": f"{n} plus {n}?", "answer": f"It is {2 * n}."} for n in range(60)]
BESIDE = {"records": 6}
ARMS = ("zero_shot", {"name": "shown", "use": "few_shot + linear_probe", "linear_probe": {"pooling": "last", "C": 0.1}})


@pytest.fixture(scope="module")
def base():
    net, tokenizer = tiny_model("llama")
    return Base(net, tokenizer, fingerprint="tiny")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished study with all figures beside quality, on a model in a folder."""
    folder = tmp_path_factory.mktemp("probing")
    put_model(folder)
    spec = read_spec(put_study(folder, ARMS, seeds=1, measure=BESIDE, prompt={"instruction": "Good or bad?"}))
    return folder / "run", conduct(make_plan(spec), folder / "run", lambda: open_base(spec))


def standing(verdict, name):
    return next(row for row in verdict.standings if row.arm == name)


def test_it_stands_in_the_verdict_with_its_costs(run):
    row = standing(run[1], "linear_probe")
    assert row.family == "probing"
    assert row.mean == 1.0  # the marks tell the label, and hidden states hold them
    cost = {name: row.cost[name] for name in ("trainable", "train_s", "artifact_bytes", "prompt_tokens")}
    assert cost["trainable"] == 2 * 32 + 2
    assert all(value > 0 for value in cost.values()), cost


def test_figures_beside_quality_are_there_or_say_why_not(run):
    ledger = Ledger(run[0] / "ledger.sqlite")
    key = next(row.key for row in ledger.jobs() if row.arm == "linear_probe")
    found = {row.name: row for row in ledger.axes() if row.job == key}
    ledger.close()
    assert found["retention_drift"].value == 0.0
    assert found["first_token_ms_1"].value > 0
    assert found["tokens_per_s_1"].value is None
    assert "writes nothing" in found["tokens_per_s_1"].why
    assert 0.0 <= found["memorised"].value <= 1.0
    assert found["reworded"].value is not None


def test_its_bundle_says_what_it_read(run):
    folder = run[0] / standing(run[1], "linear_probe").artifact
    (part,) = json.loads((folder / "bundle.json").read_text())["parts"]
    assert part["method"] == "linear_probe"
    assert part["knobs"]["layer"] in (1, 2)
    assert part["knobs"]["pooling"] in ("last", "mean")
    assert part["knobs"]["C"] > 0
    assert part["own"]["before"] > 0
    learned = load_tuned(folder).probe.tensors[""]
    assert {name: tuple(t.shape) for name, t in learned.items()} == {"weight": (2, 32), "bias": (2,)}


@pytest.mark.parametrize("arm", ["linear_probe", "shown"])
def test_the_artifact_answers_as_the_test_did(run, arm):
    folder, _ = run
    spec = read_spec(folder.parent / "study.toml")
    test = make_plan(spec).data.test
    with_ledger = Ledger(folder / "ledger.sqlite")
    key = next(row.key for row in with_ledger.jobs() if row.arm == arm)
    said = {o.record: o.answer for o in with_ledger.outcomes(split="test", metric="accuracy", job=key)}
    with_ledger.close()
    ready = open_ready(folder, arm)
    assert ready.ask(test).texts == [said[record.id] for record in test]
    assert [ready.ask([record]).texts[0] for record in test[:3]] == [said[record.id] for record in test[:3]]


def test_it_refuses_another_model(run, tmp_path):
    put_model(tmp_path, rms_norm_eps=0.01)
    bundle = run[0] / standing(run[1], "linear_probe").artifact
    with pytest.raises(StudyError, match="made for another model"):
        open_ready(bundle, model=str(tmp_path / "model"))


def test_the_same_study_gives_the_same_bytes(base, tmp_path):
    def bundle(name):
        study = Study(tmp_path / name, base)
        plan = study.plan(["zero_shot"])
        worker = Worker(plan, base, study.run)
        job = plan.job(plan.arm("linear_probe"), 0, 0, plan.ground("tiny"))
        worker.fit(job)
        return {file.name: file.read_bytes() for file in sorted(worker.place(job).iterdir()) if file.is_file()}

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert bundle("one") == bundle("two")


def test_records_that_the_prompt_shows_are_not_learned_from(base, tmp_path, monkeypatch):
    study = Study(tmp_path, base)
    plan = study.plan(["few_shot + linear_probe"])
    job = plan.job(plan.arm("few_shot + linear_probe"), 0, 0, plan.ground("tiny"))
    worker = Worker(plan, base, study.run)
    learned = []
    method = type(job.arm.probe.method)
    fit = method.fit
    monkeypatch.setattr(
        method, "fit", lambda self, states, *rest: learned.append(len(states)) or fit(self, states, *rest)
    )
    worker.fit(job)
    assert learned == [len(plan.data.train) - 8]


def test_jobs_on_fewer_records_share_the_states_of_all(base, tmp_path, monkeypatch):
    from tuneoff.study import probing

    read, pooled_states = [], probing.pooled_states
    monkeypatch.setattr(
        probing,
        "pooled_states",
        lambda worn, prompts, *rest: read.append(len(prompts)) or pooled_states(worn, prompts, *rest),
    )
    study = Study(tmp_path, base)
    plan = study.plan(["zero_shot"])
    worker = Worker(plan, base, study.run)
    for size in (0, 12):
        worker.fit(plan.job(plan.arm("linear_probe"), 0, 0, plan.ground("tiny"), size=size))
    assert read == [len(plan.data.train), len(plan.data.validation)]


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("lora + linear_probe", "reads the model as it came"),
        ("lora -> linear_probe", "reads the model as it came"),
        ("tfidf + linear_probe", "stands alone"),
        ({"use": "linear_probe", "adapter": "folder"}, "only scored"),
    ],
    ids=["with lora", "behind lora", "with a baseline", "on an adapter"],
)
def test_it_stands_behind_a_prompt_alone(base, tmp_path, arm, said):
    with pytest.raises(ConfigError, match=said):
        Study(tmp_path, base).plan([arm])


def test_free_text_has_no_probe(base, tmp_path):
    study = Study(tmp_path, base)
    put_rows(tmp_path / "data.jsonl", TEXTS)
    assert [arm.name for arm in study.plan(["zero_shot"]).arms] == ["zero_shot"]
    with pytest.raises(ConfigError, match="linear_probe needs a choice of labels, and the answers are free text"):
        study.plan(["linear_probe"])

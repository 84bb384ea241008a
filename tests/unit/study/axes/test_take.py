"""Figures beside quality, of real jobs on a tiny model."""

import random

import pytest
import torch

from tiny_study import put_rows, rows, table
from tuneoff.core.errors import ResourceError
from tuneoff.engine.learner import Trained
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.axes import artifact
from tuneoff.study.axes.artifact import GROUPS
from tuneoff.study.axes.sizes import Taken
from tuneoff.study.axes.take import Axes, due, settle_figures, take_axes
from tuneoff.study.outcome import JobRow
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec
from tuneoff.study.store import Ledger
from tuneoff.study.work import Worker

torch.set_num_threads(1)

SMALL = {"train_records": 24, "validation_records": 24, "test_records": 6}
LONG_TRAINING = {"epochs": 60.0, "checks": 1}
COLOURS = ("red", "blue", "green", "black", "white", "pink")
QUESTIONS = [{"question": f"What is {n} plus {n + 1}?", "answer": f"The sum is {2 * n + 1}."} for n in range(90)]
ALL = [name for names in GROUPS.values() for name in names]


@pytest.fixture(scope="module")
def base():
    net, tokenizer = tiny_model("llama")
    return Base(net, tokenizer, fingerprint="tiny")


@pytest.fixture
def worker(base, tmp_path):
    def of(*arms, tables=None, **more):
        put_rows(tmp_path / "data.jsonl", rows() if tables is None else tables)
        more["data"] = {**SMALL, **more.get("data", {})}
        more["measure"] = {"serving": False, "share": 1.0, **more.get("measure", {})}  # it takes its time
        spec = StudySpec.build({**table(arms, **more), "folder": str(tmp_path)}, "study.toml")
        return Worker(make_plan(spec), base, tmp_path / "run")

    return of


def job(work, name, seed=0):
    return work.plan.job(work.plan.arm(name), 0, seed, work.plan.ground("tiny"))


def measured(work, name):
    work.fit(job(work, name))
    return Axes(work).measure(job(work, name))


def by_name(beside):
    return {row.name: row for row in beside.rows}


def random_labels():
    """Texts that do not tell their label: whatever is right on them was learned by heart."""
    rng = random.Random(0)
    return [{**row, "label": rng.choice(COLOURS)} for row in rows(160)]


def test_a_trained_arm_has_every_figure(worker):
    work = worker("lora", measure={"serving": True})
    beside = measured(work, "lora")
    found = by_name(beside)
    assert [row.name for row in beside.rows if row.value is None] == ["copied"]
    assert set(found) == set(ALL)
    assert {row.job for row in beside.rows} == {job(work, "lora").key}
    assert found["retention_drift"].value > 0
    assert found["retention_drift"].low < found["retention_drift"].value < found["retention_drift"].high
    for batch in (1, 16):
        assert found[f"cache_bytes_{batch}"].value == pytest.approx(batch * found["cache_bytes_1"].value)
        assert found[f"first_token_ms_{batch}"].n >= batch
    assert found["copied"].why == "the answers are labels"
    assert found["overfit"].n == found["memorised"].n == found["reworded"].n == 24


def test_an_untrained_prompt_has_not_moved_and_has_learned_nothing(worker):
    found = by_name(measured(worker("few_shot"), "few_shot"))
    assert (found["retention_drift"].value, found["retention_drift"].why) == (0.0, "the model is unchanged")
    assert [found[name].value for name in GROUPS["memorisation"]] == [None] * 3
    assert found["memorised"].why == "nothing was trained"
    assert found["reworded"].value is not None


def test_a_baseline_has_none_and_says_why(worker):
    work = worker("zero_shot", measure={"serving": True})
    beside = Axes(work).measure(job(work, "tfidf"))
    assert [row.name for row in beside.rows] == ALL
    assert {(row.value, row.why) for row in beside.rows} == {(None, "needs no language model")}


@pytest.mark.parametrize("entry", ["full", "lora -> soft_prompt", "lora + soft_prompt_after", "prefix"])
def test_every_kind_of_arm_is_measured_and_taken_off_again(worker, base, entry):
    before = {name: p.detach().clone() for name, p in base.net.named_parameters()}
    found = by_name(measured(worker(entry), entry))
    assert all(row.value is not None for name, row in found.items() if name != "copied")
    assert all(torch.equal(before[name], p) for name, p in base.net.named_parameters())


def test_records_learned_by_heart_are_told_from_others(worker, monkeypatch):
    """Of random labels validation would keep an early check, of before they are learned."""
    monkeypatch.setattr(Trained, "kept", property(lambda self: self.points[-1]))
    work = worker("full", tables=random_labels(), train=LONG_TRAINING, methods={"full": {"lr": 2e-3}})
    found = by_name(measured(work, "full"))
    assert found["memorised"].value > 0.9
    assert found["memorised"].low > 0.5
    assert found["overfit"].value > 0.25
    assert found["overfit"].low > 0


def test_records_seen_for_a_moment_are_not(worker):
    work = worker("lora", tables=random_labels(), methods={"lora": {"lr": 1e-6}})
    found = by_name(measured(work, "lora"))
    assert found["memorised"].low < 0.5 < found["memorised"].high
    assert found["overfit"].low < 0 < found["overfit"].high


def test_free_text_learned_by_heart_is_copied(worker):
    few = {"train_records": 8, "validation_records": 8}
    work = worker("full", tables=QUESTIONS, data=few, train=LONG_TRAINING, methods={"full": {"lr": 5e-3}})
    found = by_name(measured(work, "full"))
    assert found["memorised"].value > 0.9
    assert found["copied"].value > 0.5
    assert found["copied"].n == 8
    # the tiny model's questions have no instruction apart from them
    assert found["reworded"].why == "its prompt has no instruction to put in other words"


def test_rewordings_are_validation_outcomes_of_their_own_phrasing(worker):
    work = worker("zero_shot", measure={"rewordings": ["Good or bad?", "Say which.", "Judge it."], "records": 10})
    beside = measured(work, "zero_shot")
    validation = {record.id for record in work.plan.data.validation[:10]}
    assert {(o.split, o.metric, o.step) for o in beside.outcomes} == {("validation", "accuracy", 0)}
    for phrasing in (1, 2, 3):
        assert {o.record for o in beside.outcomes if o.phrasing == phrasing} == validation
    mean = sum(o.stats[0] for o in beside.outcomes) / len(beside.outcomes)
    assert by_name(beside)["reworded"].value == pytest.approx(mean)
    assert by_name(beside)["reworded"].n == 10


def test_own_rewordings_name_the_labels(worker, monkeypatch):
    work, asked = worker("zero_shot", measure={"rewordings": ["Judge it."]}), []
    ask = artifact.Artifact._ask
    monkeypatch.setattr(artifact.Artifact, "_ask", lambda self, prompt, r: asked.append(prompt) or ask(self, prompt, r))
    measured(work, "zero_shot")
    assert {prompt.instruction for prompt in asked} == {
        work.task.instruction,
        "Judge it. Answer with one of: bad, good.",
    }


def test_the_sealed_test_is_never_touched(worker):
    work = worker("lora", "few_shot")
    for name in ("lora", "few_shot"):
        work.fit(job(work, name))
    sealed = {record.id for record in work.plan.data.test}
    asked, encode = [], work.encode
    work.encode = lambda prompt, records, reserve=0: asked.extend(records) or encode(prompt, records, reserve)
    for name in ("lora", "few_shot"):
        assert {o.split for o in Axes(work).measure(job(work, name)).outcomes} == {"validation"}
    assert asked
    assert not sealed & {record.id for record in asked}


def test_what_is_not_asked_for_is_not_measured(worker):
    off = {"retention": False, "rewordings": 0, "memorisation": False}
    assert measured(worker("lora", measure=off), "lora") == ([], [])
    only = {**off, "retention": True}
    assert [row.name for row in measured(worker("lora", measure=only), "lora").rows] == ["retention_drift"]


def test_a_figure_that_fails_is_a_row_with_its_reason(worker, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of memory\nTried to allocate 9 GiB")

    monkeypatch.setattr(artifact, "serve", broken)
    work, met = worker("lora", measure={"serving": True}), []
    work.fit(job(work, "lora"))
    axes = Axes(work, lambda what, error: met.append((what, str(error).splitlines()[0])))
    found = by_name(axes.measure(job(work, "lora")))
    assert {found[name].why for name in GROUPS["serving"]} == {"RuntimeError: out of memory"}
    assert {found[name].value for name in GROUPS["serving"]} == {None}
    assert found["memorised"].value is not None
    ((what, why),) = met
    assert what.startswith("lora, seed 1: first_token_ms_1, ")
    assert (what.endswith("could not be measured"), why) == (True, "out of memory")


def test_a_full_disk_ends_the_run(worker, monkeypatch):
    def full(*_):
        raise ResourceError("the disk is full")

    monkeypatch.setattr(artifact, "serve", full)
    with pytest.raises(ResourceError):
        measured(worker("lora", measure={"serving": True}), "lora")


@pytest.fixture
def tested(worker, tmp_path):
    """Two seeds of lora and one prompt, tested; the second seed is better on validation."""

    def of(**measure):
        work = worker("zero_shot", "lora", measure=measure)
        ledger = Ledger(tmp_path / "ledger.sqlite", create=True)
        for name, seed in (("zero_shot", 0), ("lora", 0), ("lora", 1)):
            one = job(work, name, seed)
            ledger.add_job(JobRow(key=one.key, arm=name, trial=0, seed=seed, status="planned"))
            fitted = work.fit(one)
            best = [o for o in fitted.outcomes if o.metric == "accuracy"]
            better = [type(o)(**{n: getattr(o, n) for n in o.__slots__} | {"stats": (float(seed),)}) for o in best]
            ledger.finish(one.key, fitted.cost, better)
            judged = work.test(one, fitted.cost)
            ledger.finish_test(one.key, judged.cost, judged.outcomes)
        return work, ledger

    return of


def test_the_handed_over_job_of_each_tested_arm_is_due_once(tested):
    work, ledger = tested(memorisation=False)
    wanted = [job(work, "zero_shot").key, job(work, "lora", 1).key]
    assert [row.key for row in due(ledger, work.plan)] == wanted
    told = []
    take_axes(work, ledger, work.plan.ground("tiny"), told.append)
    assert told == ["zero_shot", "lora, seed 2"]
    assert {row.job for row in ledger.axes()} == set(wanted)
    assert len(ledger.outcomes(split="validation", phrasing=1)) == 2 * 24
    assert due(ledger, work.plan) == []


def test_figures_that_do_not_fit_are_left_out_with_the_reason(tested):
    work, ledger = tested(serving=True)
    ground = work.plan.ground("tiny")
    taken = settle_figures(ledger, work.plan, 1e-6, 0.0)
    assert taken == settle_figures(ledger, work.plan, 1e-6, 1e6) == Taken((), False, 0), "settled once for all arms"
    take_axes(work, ledger, ground, lambda label: None, taken=taken)
    assert {(row.value, row.why) for row in ledger.axes()} == {
        (None, "left out: all figures together may take 100 % of the time")
    }
    assert {row.name for row in ledger.axes()} == set(ALL)
    assert due(ledger, work.plan) == []


def test_fewer_records_are_counted(tested):
    work, ledger = tested(serving=True)
    take_axes(work, ledger, work.plan.ground("tiny"), lambda label: None, taken=Taken((1,), True, 7))
    own = {row.name: row for row in ledger.axes() if row.job == job(work, "lora", 1).key}
    assert [own[name].n for name in ("reworded", "reworded_gap", "memorised", "overfit")] == [7] * 4
    assert set(own) == set(ALL)
    assert own["first_token_ms_1"].value > 0
    assert [own[name].value for name in ("first_token_ms_16", "tokens_per_s_16", "cache_bytes_16")] == [None] * 3
    assert own["first_token_ms_16"].why.startswith("left out:")


def test_nothing_is_due_where_nothing_is_asked_for(tested):
    work, ledger = tested(retention=False, rewordings=0, memorisation=False)
    assert due(ledger, work.plan) == []


def test_another_measure_is_taken_anew(tested, worker):
    work, ledger = tested(memorisation=False, rewordings=0)
    take_axes(work, ledger, work.plan.ground("tiny"), lambda label: None)
    other = worker("zero_shot", "lora", measure={"memorisation": False, "rewordings": 1})
    assert other.plan.spec.fingerprint() == work.plan.spec.fingerprint()
    assert len(due(ledger, other.plan)) == 2
    take_axes(other, ledger, other.plan.ground("tiny"), lambda label: None)
    assert {row.name for row in ledger.axes()} == {"retention_drift", "reworded", "reworded_gap"}

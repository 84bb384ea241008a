"""What prompts and a classifier of words reach before training, on tiny models."""

import numpy as np
import pytest
import torch

from tiny_study import put_rows, rows, table
from tuneoff.evaluation.metric import Answer
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.advice import headroom
from tuneoff.study.advice.headroom import quantity, uniqueness
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec
from tuneoff.study.work import Worker

torch.set_num_threads(1)
QUESTIONS = [{"question": f"What is {n} plus {n + 1}?", "answer": f"It is {2 * n + 1}."} for n in range(60)]


@pytest.fixture(scope="module")
def base():
    net, tokenizer = tiny_model("llama")
    return Base(net, tokenizer, fingerprint="tiny")


@pytest.fixture
def worker(base, tmp_path):
    def of(*arms, tables=None, **more):
        put_rows(tmp_path / "data.jsonl", rows() if tables is None else tables)
        spec = StudySpec.build({**table(arms, **more), "folder": str(tmp_path)}, "study.toml")
        return Worker(make_plan(spec), base, tmp_path / "run")

    return of


def accuracy(worker, name):
    """The same arm as a job of the race answers it."""
    plan = worker.plan
    fitted = worker.fit(plan.job(plan.arm(name), 0, 0, "ground"))
    return float(np.mean([o.stats[0] for o in fitted.outcomes if o.metric == "accuracy"]))


def test_prompts_are_those_of_the_race(worker):
    made = worker("zero_shot", "few_shot")
    found = uniqueness(made)
    assert [prompt.arm for prompt in found.prompts] == [
        "zero_shot", "zero_shot (calibrated)", "few_shot", "few_shot (calibrated)",
    ]  # fmt: skip
    for prompt in found.prompts:
        assert prompt.score.n == 12
        assert prompt.score.value == pytest.approx(accuracy(made, prompt.arm))
    assert found.words.value == pytest.approx(accuracy(made, "tfidf"))
    assert found.majority.value == pytest.approx(accuracy(made, "majority"))


def test_leads_are_taken_on_the_same_records(worker):
    found = uniqueness(worker("lora"))
    assert found.chance == 0.5
    for prompt in found.prompts:
        assert prompt.over_majority.value == pytest.approx(prompt.score.value - found.majority.value)
        assert prompt.over_words.value == pytest.approx(prompt.score.value - found.words.value)
    assert found.words_over_majority.above_zero
    assert found.best.score.value == max(prompt.score.value for prompt in found.prompts)


def test_the_workers_kept_scores_are_left_alone(worker):
    made = worker("zero_shot")
    uniqueness(made)
    assert made._scores == {}


def test_fewer_records_where_they_are_long(worker, monkeypatch):
    monkeypatch.setattr(headroom, "TOKENS", 60)
    found = uniqueness(worker("zero_shot"))
    assert all(4 <= prompt.score.n < 12 for prompt in found.prompts)
    assert found.words.n == 12


def test_free_text_is_generated(worker, monkeypatch):
    made = worker("zero_shot", tables=QUESTIONS, data={"validation_records": 6})
    found = uniqueness(made)
    assert found.metric == "token_f1"
    assert [prompt.arm for prompt in found.prompts] == ["zero_shot", "few_shot"]
    assert all(0 <= prompt.score.value <= 1 and prompt.over_words is None for prompt in found.prompts)
    assert (found.chance, found.majority, found.words) == (None, None, None)
    monkeypatch.setattr(headroom, "WRITTEN", 5 * made.task.max_answer_tokens)
    assert {prompt.score.n for prompt in uniqueness(made).prompts} == {5}


def test_scores_are_the_metrics(worker):
    plan = worker("zero_shot").plan
    records = plan.data.validation[:2]
    told = headroom._scores(plan, "accuracy", [Answer(text=records[0].target), Answer(text="?")], records)
    assert told.tolist() == [1.0, 0.0]


def test_counts(worker):
    tables = [
        {"text": f"{label} {n}", "label": label} for label, many in (("much", 80), ("little", 30)) for n in range(many)
    ]
    found = quantity(worker("lora", tables=[*tables, tables[0]], data={"train_records": 40}).plan)
    assert (found.records, found.classes, found.duplicates, found.smallest_label) == (40, 2, 1, "little")
    assert 5 <= found.smallest < 20
    assert found.per_class == 20


def test_the_curve_needs_no_model_and_rises(worker):
    sizes = {"train_records": 60, "validation_records": 30, "test_records": 20}
    vague = [{"text": f"w{n % 40} x{n % 7}", "label": "good" if n % 40 < 20 else "bad"} for n in range(400)]
    for row, n in zip(vague, range(400)):
        row["text"] += f" n{n}"
    found = quantity(worker("lora", tables=vague, data=sizes).plan)
    assert [point.records for point in found.curve] == [15, 30, 60]
    assert all(point.score.n == 30 for point in found.curve)
    assert found.curve[0].score.value < found.curve[-1].score.value
    assert found.rise.value == pytest.approx(found.curve[2].score.value - found.curve[1].score.value)
    assert found.rise.low < found.rise.value < found.rise.high


def test_one_class_in_the_first_records_leaves_that_point_out(worker):
    plan = worker("lora", data={"train_records": 4, "validation_records": 4, "test_records": 4}).plan
    found = quantity(plan)
    assert 1 not in [point.records for point in found.curve]  # a quarter of four records holds one class


def test_a_classifier_that_cannot_learn_is_unknown(worker, monkeypatch):
    made = worker("zero_shot")

    def fails(self, task, train, seed):
        raise ValueError("empty vocabulary; perhaps the documents only contain stop words")

    monkeypatch.setattr(type(made.plan.arm("tfidf").baseline.method), "fit", fails)
    found = uniqueness(made)
    assert (found.words, found.words_over_majority) == (None, None)
    assert all(prompt.over_words is None for prompt in found.prompts)
    assert (quantity(made.plan).curve, quantity(made.plan).rise) == ((), None)


def test_free_text_is_only_counted(worker):
    found = quantity(worker("lora", tables=QUESTIONS, data={"validation_records": 6}).plan)
    assert (found.records, found.classes, found.curve, found.rise) == (24, 0, (), None)
    assert found.per_class == 24

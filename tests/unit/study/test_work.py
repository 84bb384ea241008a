"""One job at a time on tiny models: every kind of arm, text and choice, and what it leaves behind."""

import json

import pytest
import torch

from tiny_study import put_rows, rows, table
from tuneoff.core.cost import Cost
from tuneoff.core.errors import ConfigError, DataError
from tuneoff.core.rungs import LAST
from tuneoff.models.base import Base
from tuneoff.models.tiny import tiny_model
from tuneoff.study.asides import forget_asides
from tuneoff.study.bundle import load_tuned
from tuneoff.study.course import course_records
from tuneoff.study.plan import make_plan
from tuneoff.study.ready import Ready
from tuneoff.study.spec import StudySpec
from tuneoff.study.work import Worker

torch.set_num_threads(1)

QUESTIONS = [{"question": f"What is {n} plus {n + 1}?", "answer": f"It is {2 * n + 1}."} for n in range(60)]
MIXTURE = [
    {"instruction": f"Write the {kind} of it.", "input": f"word{n}", "output": f"{kind} of word{n}"}
    for n in range(12)
    for kind in ("plural", "opposite")
]
SMALL = {"train_records": 16, "validation_records": 6, "test_records": 6}


@pytest.fixture(scope="module")
def base():
    net, tokenizer = tiny_model("llama")
    return Base(net, tokenizer, fingerprint="tiny")


@pytest.fixture
def worker(base, tmp_path):
    def of(*arms, tables=None, run="run", **more):
        put_rows(tmp_path / "data.jsonl", rows() if tables is None else tables)
        put_rows(tmp_path / "mixture.jsonl", MIXTURE)
        more["data"] = {**SMALL, **more.get("data", {})}
        spec = StudySpec.build({**table(arms, **more), "folder": str(tmp_path)}, "study.toml")
        return Worker(make_plan(spec), base, tmp_path / run)

    return of


def job(worker, name, trial=0, seed=0):
    return worker.plan.job(worker.plan.arm(name), trial, seed, worker.plan.ground("tiny"))


def weights(base):
    return {name: p.detach().clone() for name, p in base.net.named_parameters()}


def same(before, base):
    return all(torch.equal(before[name], p) for name, p in base.net.named_parameters())


ENTRIES = (
    "zero_shot",
    "few_shot",
    "lora",
    "soft_prompt",
    "soft_prompt_after",
    "prefix",
    "ia3",
    "full",
    "lora + soft_prompt_after",
    "few_shot + lora",
    "lora -> soft_prompt",
    "soft_prompt_after -> lora",
    "full -> lora",
)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_arm_is_fitted_saved_and_tested(worker, base, entry):
    work = worker(entry)
    before = weights(base)
    fitted = work.fit(job(work, entry))
    assert same(before, base), "the base comes back as it was"
    assert not any(p.requires_grad for p in base.net.parameters())
    assert len([o for o in fitted.outcomes if o.step == 0]) == 3 * 6, "of what is kept"
    assert {o.metric for o in fitted.outcomes} == {"accuracy", "macro_f1", "nll"}
    assert {o.answer for o in fitted.outcomes} <= {"good", "bad"}
    assert fitted.cost.artifact_bytes > 0
    assert fitted.cost.prompt_tokens > 0
    trained = bool(work.plan.arm(entry).stages)
    assert (fitted.cost.trainable > 0, fitted.cost.train_tokens > 0, bool(fitted.points)) == (trained,) * 3
    tested = work.test(job(work, entry), fitted.cost)
    outcomes, cost = tested.outcomes, tested.cost
    assert same(before, base)
    assert {o.split for o in outcomes} == {"test"}
    assert cost.trainable == fitted.cost.trainable
    assert cost.score_s > 0


@pytest.mark.parametrize("entry", ["few_shot", "lora -> soft_prompt", "full"])
def test_a_bundle_answers_as_the_job_did(worker, base, entry):
    work = worker(entry)
    fitted = work.fit(job(work, entry))
    ready = Ready(load_tuned(work.place(job(work, entry))), base)
    answers = ready.ask(work.plan.data.validation)
    told = {o.record: o.answer for o in fitted.outcomes if o.metric == "nll" and o.step == 0}
    assert answers.texts == [told[record.id] for record in work.plan.data.validation]


def test_what_an_attempt_that_broke_off_answered_is_not_kept(worker, monkeypatch):
    from tuneoff.study import work as module

    work, real, likely = worker("lora", train=WAITING), module.check, iter([0.0, 0.0, 0.0, 1.0, None, 0.0, 0.0])

    def check(*given, **more):
        looked = real(*given, **more)
        if (mean := next(likely)) is None:
            raise RuntimeError("at a late check")
        return looked._replace(likelihoods=[mean])

    monkeypatch.setattr(module, "check", check)
    with pytest.raises(RuntimeError):
        work.fit(job(work, "lora"))
    fitted = work.fit(job(work, "lora"))
    told = [o.stats[0] for o in fitted.outcomes if o.metric == "nll" and o.step == 0]
    again = work._answers(work.tuned(job(work, "lora")), work.plan.data.validation).answers
    assert told == pytest.approx([answer.nll for answer in again], abs=1e-5)


@pytest.mark.parametrize(("entry", "rounded"), [("lora", True), ("lora -> soft_prompt", True), ("full -> lora", False)])
def test_in_8_bits_it_is_trained_and_in_full_it_answers(worker, base, entry, rounded):
    exact, short = worker(entry), worker(entry, model={"int8": True}, run="short")
    before = weights(base)
    losses = [[point.train_loss for point in work.fit(job(work, entry)).points] for work in (exact, short)]
    assert same(before, base)
    assert (losses[0] != losses[1]) == rounded, "an arm that trains the model's own weights does so in full"
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
    told = {o.record: o.stats[0] for o in short.fit(job(short, entry)).outcomes if o.metric == "nll"}
    records, tuned = short.plan.data.validation, short.tuned(job(short, entry))
    in_full = [answer.nll for answer in exact._answers(tuned, records).answers]
    exact.base = base.int8
    in_8_bits = [answer.nll for answer in exact._answers(tuned, records).answers]
    assert [told[record.id] for record in records] == pytest.approx(in_full, abs=1e-5)
    assert in_8_bits != pytest.approx(in_full, abs=1e-5)


def test_what_was_checked_in_8_bits_is_answered_in_full_at_a_rung(worker, monkeypatch):
    answered, real = [], Worker._answers
    monkeypatch.setattr(Worker, "_answers", lambda self, *given: (answered.append(self.base), real(self, *given))[1])
    exact, short = worker("lora", train=WAITING), worker("lora", train=WAITING, model={"int8": True}, run="short")
    exact.fit(job(exact, "lora"), rung=1)
    assert answered == []
    short.fit(job(short, "lora"), rung=1)
    assert answered == [short.base]


def test_the_same_job_twice_is_the_same_to_the_bit(worker):
    first, second = (worker("lora + soft_prompt") for _ in range(2))
    a, b = (w.fit(job(w, "lora + soft_prompt")) for w in (first, second))
    assert a.outcomes == b.outcomes
    assert [p.train_loss for p in a.points] == [p.train_loss for p in b.points]


def test_another_seed_is_another_result(worker):
    work = worker("lora")
    a, b = work.fit(job(work, "lora", seed=0)), work.fit(job(work, "lora", seed=1))
    assert [o.stats for o in a.outcomes] != [o.stats for o in b.outcomes]


def test_the_curve_of_two_stages_goes_on(worker):
    work = worker("lora -> soft_prompt", train={"epochs": 2, "checks": 2})
    points = work.fit(job(work, "lora -> soft_prompt")).points
    assert [p.step for p in points] == [1, 2, 4, 5, 6, 8]
    assert all(p.value is not None and p.train_loss is not None for p in points)


def test_demonstrations_are_not_trained_on(worker):
    work = worker("few_shot + lora")
    prompt = work.prompt(job(work, "few_shot + lora"))
    shown = {record.id for record in prompt.demonstrations}
    assert len(shown) == 8
    assert {record.id for record in work.unseen(job(work, "few_shot + lora"), prompt)} == {
        r.id for r in work.plan.data.train
    } - shown


def test_the_calibrated_twin_takes_the_prior_off(worker, base):
    work = worker("zero_shot")
    plain, twin = (work.fit(job(work, name)) for name in ("zero_shot", "zero_shot (calibrated)"))
    tuned = work.tuned(job(work, "zero_shot (calibrated)"))
    assert len(tuned.prior) == 2
    assert sum(torch.tensor(tuned.prior).exp().tolist()) == pytest.approx(1, abs=1e-5)
    assert [o.stats for o in plain.outcomes] != [o.stats for o in twin.outcomes]
    assert work.tuned(job(work, "zero_shot")).prior is None


def test_baselines(worker):
    work = worker("zero_shot")
    for name in ("majority", "tfidf"):
        fitted = work.fit(job(work, name))
        tested = work.test(job(work, name), fitted.cost)
        outcomes, cost = tested.outcomes, tested.cost
        assert len(outcomes) == 3 * 6
        assert cost.prompt_tokens == 0.0
        assert not work.place(job(work, name)).exists()


def test_free_text_is_generated_and_scored(worker):
    work = worker("zero_shot", "lora", tables=QUESTIONS)
    assert work.task.kind == "text"
    longest = max(len(record.target) for record in work.plan.data.train) + 1  # a byte a token, and the end
    assert work.task.max_answer_tokens == longest + longest // 4 + 1
    fitted = work.fit(job(work, "lora"))
    assert {o.metric for o in fitted.outcomes} == {"token_f1", "exact_match", "rouge_l", "chrf", "nll"}
    assert all(o.stats is not None for o in fitted.outcomes)
    outcomes = work.test(job(work, "lora"), fitted.cost).outcomes
    assert len({o.record for o in outcomes}) == 6


def test_answers_that_end_at_the_limit_are_counted(worker):
    work = worker("zero_shot", tables=QUESTIONS)
    fitted = work.fit(job(work, "zero_shot"))
    limit = work.task.max_answer_tokens
    assert fitted.shortened.endswith(f" answers (100%) were cut at {limit} tokens, where writing stops")


def test_instruction_tuning_learns_from_the_mixture_alone(worker):
    work = worker("instruction_tuning", methods={"instruction_tuning": {"mixture": "mixture.jsonl"}})
    one = job(work, "instruction_tuning")
    records = course_records(one.arm.stages[0].course, work.plan.data)
    assert len(records) == 24
    assert all(record.instruction for record in records)
    fitted = work.fit(one)
    assert all(point.value is None for point in fitted.points), "no figure on the person's task"
    assert all(point.train_loss > 0 for point in fitted.points)
    tuned = work.tuned(one)
    assert [part.name for part in tuned.parts] == ["lora"]


@pytest.mark.parametrize("method", ["full", "soft_prompt"])
def test_instruction_tuning_then_the_persons_own(worker, method):
    entry = "instruction_tuning -> lora"
    work = worker(entry, methods={"instruction_tuning": {"mixture": "mixture.jsonl", "method": method}})
    fitted = work.fit(job(work, entry))
    assert [part.name for part in work.tuned(job(work, entry)).parts] == [method, "lora"]
    alone = [p.value is None for p in fitted.points]
    assert alone == sorted(alone, reverse=True), "the mixture first, which has no figure of the person's task"
    assert len(set(alone)) == 2


def test_a_mixture_that_is_not_named(worker):
    with pytest.raises(ConfigError) as caught:
        worker("instruction_tuning")
    assert "instruction tuning needs a mixture of tasks" in str(caught.value)


WAITING = {"epochs": 3.0, "checks": 4}  # six steps, checks at 1, 2, 3, 4, 6


def curve(fitted):
    return [(point.step, point.train_loss, point.value) for point in fitted.points]


def waited(worker, entry, **more):
    """The job at each rung, every time by another process; and asked a second time where it waits."""
    reached = []
    for rung in range(1, LAST + 1):
        work = worker(entry, run="waited", train=WAITING, **more)
        reached.append(work.fit(job(work, entry), rung))
        if rung < LAST:
            again = worker(entry, run="waited", train=WAITING, **more)
            anew = again.fit(job(again, entry), rung)
            assert (anew.outcomes, curve(anew)) == (reached[-1].outcomes, curve(reached[-1]))
    return reached


@pytest.mark.parametrize(
    ("entry", "more"),
    [
        ("lora", {}),
        ("soft_prompt_after", {}),
        ("full", {}),
        ("few_shot + lora", {}),
        ("lora -> soft_prompt", {}),
        ("full -> lora", {}),
        ("instruction_tuning", {"methods": {"instruction_tuning": {"mixture": "mixture.jsonl"}}}),
        ("instruction_tuning -> lora", {"methods": {"instruction_tuning": {"mixture": "mixture.jsonl"}}}),
        ("lora", {"tables": QUESTIONS}),
    ],
)
def test_a_job_that_waits_at_each_rung_ends_as_one_that_runs_through(worker, base, entry, more):
    before = weights(base)
    one = worker(entry, train=WAITING, **more)
    whole = one.fit(job(one, entry))
    reached = waited(worker, entry, **more)
    assert same(before, base), "the base comes back as it was"
    assert [{o.step for o in fitted.outcomes} for fitted in reached] in ([{1}, {2}, {0}], [{1}, {2}, {0, LAST}])
    assert reached[-1].outcomes == whole.outcomes
    assert curve(reached[-1]) == curve(whole)
    assert all(curve(fitted) == curve(whole)[: len(fitted.points)] for fitted in reached)
    spent = [fitted.cost.train_tokens for fitted in reached]
    assert spent == sorted(spent)
    assert spent[0] < spent[-1]
    assert spent[-1] == whole.cost.train_tokens
    if "full" not in entry:
        two = worker(entry, run="waited", train=WAITING, **more)
        tuned = [work.tuned(job(work, entry)).parts[-1].tensors for work in (one, two)]
        assert all(torch.equal(own[name], tuned[1][at][name]) for at, own in tuned[0].items() for name in own)


def test_what_lies_aside_of_a_job_can_be_forgotten(worker):
    work = worker("lora -> soft_prompt", train=WAITING)
    one = job(work, "lora -> soft_prompt")
    work.fit(one, 1)
    assert len(list((work.folder / "aside").iterdir())) == 2
    assert not work.place(one).exists(), "no bundle before the end"
    forget_asides(work.folder, one)
    assert list((work.folder / "aside").iterdir()) == []


def test_ticks_tell_how_far(worker):
    work, ticks = worker("lora"), []
    work.fit(job(work, "lora"), tick=lambda *tick: ticks.append(tick))
    assert [tick[:2] for tick in ticks if tick[2] is None] == [(1, 2), (2, 2)]
    assert [tick[0] for tick in ticks if tick[2] is not None] == [1, 2]


def test_a_study_wide_template_is_used(worker):
    work = worker("zero_shot", prompt={"template": "Say it: {text}"})
    record = work.plan.data.train[0]
    (turn,) = work.prompt(job(work, "zero_shot")).render(record)
    assert turn.content.endswith(f"Say it: {record.fields['text']}")


def test_knobs_of_a_trial_reach_the_bundle(worker):
    work = worker("lora", trials=2)
    second = job(work, "lora", trial=1)
    work.fit(second)
    told = json.loads((work.place(second) / "bundle.json").read_text())
    assert told["parts"][0]["knobs"]["lr"] == second.settings["lora"]["lr"] != 1e-3


def test_prompt_tokens_count_the_soft_prompt(worker):
    work = worker("zero_shot", "soft_prompt", methods={"soft_prompt": {"length": 7}})
    plain, soft = (work.fit(job(work, name)).cost.prompt_tokens for name in ("zero_shot", "soft_prompt"))
    assert soft == pytest.approx(plain + 7)


def test_cost_of_fitting_is_kept_at_the_test(worker):
    work = worker("zero_shot")
    work.fit(job(work, "zero_shot"))
    cost = work.test(job(work, "zero_shot"), Cost(train_s=5.0, artifact_bytes=9)).cost
    assert (cost.train_s, cost.artifact_bytes) == (5.0, 9)


def test_how_many_records_were_cut_is_told(worker):
    long = [{**row, "text": row["text"] + " word" * (600 if at % 3 == 0 else 0)} for at, row in enumerate(rows())]
    work = worker("few_shot", tables=long, data={"too_long": "truncate_right"})
    cut = sum(len(record.text) > 1000 for record in work.plan.data.validation)
    assert cut > 0
    said = work.fit(job(work, "few_shot")).shortened
    assert said.startswith(f"of {len(work.plan.data.validation)} records {cut} were cut and ")
    assert said.endswith(" lost demonstrations to fit")


def test_nothing_is_told_where_all_fits(worker):
    work = worker("zero_shot")
    assert work.fit(job(work, "zero_shot")).shortened == ""


def test_labels_that_the_model_cannot_tell_apart_stop_before_any_job(worker):
    from tokenizers import normalizers

    net, tokenizer = tiny_model("llama")
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    made = worker("zero_shot", tables=[{"text": f"t {n}", "label": ("Refund", "refund")[n % 2]} for n in range(80)])
    with pytest.raises(DataError, match="the labels 'Refund' and 'refund' are the same tokens to this model"):
        Worker(made.plan, Base(net, tokenizer, fingerprint="tiny"), made.folder)


def test_of_several_right_answers_the_first_is_trained_and_all_have_room(worker):
    tables = [{"question": f"q {n}", "answer": [f"a {n}", f"the answer is a {n}"]} for n in range(60)]
    several = worker("zero_shot", tables=tables)
    (example,) = several.encode(several.prompt(job(several, "zero_shot")), several.plan.data.train[:1])
    decode = several.base.chat.decode
    assert decode(example.ids.answer) == example.record.target
    assert several.task.max_answer_tokens >= len(f"the answer is {example.record.target}")
    one = worker("zero_shot", tables=[{**row, "answer": row["answer"][0]} for row in tables], run="one")
    assert one.task.max_answer_tokens < len("the answer is a 1")
    assert one.plan.data_key() != several.plan.data_key()  # other right answers are other data

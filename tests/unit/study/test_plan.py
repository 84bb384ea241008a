"""From study file and data to what would run."""

import pytest

from tiny_study import put_rows, rows, table
from tuneoff.core.errors import ConfigError, DataError
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec

TEXTS = [{"question": f"What is {n} plus {n + 1}?", "answer": f"It is {2 * n + 1}."} for n in range(120)]


def plan(folder, arms, tables=None, **more):
    put_rows(folder / "data.jsonl", rows() if tables is None else tables)
    return make_plan(StudySpec.build({**table(arms, **more), "folder": str(folder)}, "study.toml"))


def message(folder, arms, **more):
    with pytest.raises(ConfigError) as caught:
        plan(folder, arms, **more)
    return str(caught.value)


def names(made):
    return [arm.name for arm in made.arms]


def test_a_choice_table_holds_the_baselines_and_the_calibrated_twins(tmp_path):
    made = plan(tmp_path, ["zero_shot", "few_shot", "lora"])
    assert names(made) == [
        "majority",
        "tfidf",
        "linear_probe",
        "zero_shot",
        "zero_shot (calibrated)",
        "few_shot",
        "few_shot (calibrated)",
        "lora",
    ]
    assert [arm.calibrated for arm in made.arms] == [False, False, False, False, True, False, True, False]
    assert made.families["tfidf"] == "baseline"
    assert made.families["linear_probe"] == "probing"


def test_no_probe_stands_where_weights_may_not_be_looked_at(tmp_path):
    made = plan(tmp_path, ["zero_shot"], decision={"no_weights_access": True})
    assert "linear_probe" not in names(made)
    asked = plan(tmp_path, ["zero_shot", "linear_probe"], decision={"no_weights_access": True})
    assert "linear_probe" in names(asked)
    assert "linear_probe" not in [arm.name for arm in asked.racing]


def test_a_baseline_that_is_asked_for_stands_once(tmp_path):
    assert names(plan(tmp_path, ["tfidf", "zero_shot"])).count("tfidf") == 1


def test_free_text_has_neither(tmp_path):
    made = plan(tmp_path, ["zero_shot", "lora"], TEXTS)
    assert names(made) == ["zero_shot", "lora"]
    assert (made.task.kind, made.task.labels, made.task.metrics[0]) == ("text", (), "token_f1")


def test_a_baseline_for_free_text_is_refused(tmp_path):
    assert message(tmp_path, ["majority"], tables=TEXTS).startswith(
        "majority needs a choice of labels, and the answers are free text"
    )


def test_task_and_instruction(tmp_path):
    made = plan(tmp_path, ["zero_shot"], prompt={"instruction": "Good or bad?"}, metric="macro_f1", metrics=["nll"])
    assert made.task.labels == ("bad", "good")
    assert made.task.instruction == "Good or bad? Answer with one of: bad, good."
    assert made.task.metrics == ("macro_f1", "nll", "accuracy")
    said = plan(tmp_path, ["zero_shot"], prompt={"list_labels": False}).task.instruction
    assert said == "Which label fits the text?"


def test_two_arms_of_one_name(tmp_path):
    told = message(tmp_path, ["lora", {"use": "lora", "lora": {"rank": 2}}])
    assert told.startswith("two arms are called 'lora'")
    assert 'give one a name: {name = "...", use = "..."}' in told


def test_two_arms_that_are_one(tmp_path):
    told = message(tmp_path, ["lora", {"name": "again", "use": "lora", "lora": {"rank": 8}}])
    assert told.startswith("the arms 'lora' and 'again' do the same")


def test_knobs_that_nobody_uses(tmp_path):
    told = message(tmp_path, ["zero_shot"], methods={"lora": {"rank": 2}})
    assert told.startswith("[methods.lora] has knobs, and no arm uses it")
    assert "add the arm or remove the table" in told


def test_knobs_of_what_a_course_trains_stand_with_the_course(tmp_path):
    """instruction_tuning trains lora by default, with knobs of its own table."""
    assert "[methods.lora] has knobs" in message(tmp_path, ["instruction_tuning"], methods={"lora": {"rank": 2}})
    (tmp_path / "tasks.jsonl").write_text('{"instruction": "Say it.", "input": "a", "output": "b"}\n')
    mixture = {"instruction_tuning": {"mixture": "tasks.jsonl"}}
    plan(tmp_path, ["instruction_tuning -> lora"], methods={"lora": {"rank": 2}, **mixture})


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"methods": {"lora": {"rnak": 2}}}, ["unknown key 'rnak'", "[methods.lora]", "did you mean 'rank'?"]),
        ({"metric": "acuracy"}, ["unknown metric 'acuracy'", "did you mean 'accuracy'?"]),
        ({"metrics": ["f1"]}, ["unknown metric 'f1'"]),
        ({"metric": "token_f1"}, ["the metric 'token_f1' is for text answers, and these are choice"]),
    ],
)
def test_wrong_words_are_found_before_anything_runs(tmp_path, tables, said):
    told = message(tmp_path, ["lora"], **tables)
    for words in said:
        assert words in told


def test_a_wording_without_the_text_is_found_before_anything_runs(tmp_path):
    (tmp_path / "mine.txt").write_text("Verdict?")
    mine = {"arms": ["prompt_file"], "methods": {"prompt_file": {"path": "mine.txt"}}}
    for more, where in (
        ({"arms": ["lora"], "prompt": {"template": "Verdict?"}}, "[prompt] template"),
        (mine, "prompt_file"),
    ):
        with pytest.raises(DataError, match="the template has no place for an input column") as caught:
            plan(tmp_path, **more)
        assert where in str(caught.value)
        assert "write {text} where the record's text belongs" in str(caught.value)
    (tmp_path / "mine.txt").write_text("{text} Verdict?")
    assert names(plan(tmp_path, **mine))


def test_a_study_without_arms(tmp_path):
    assert message(tmp_path, []).startswith("the study has no arms")


def test_settings_and_seeds(tmp_path):
    made = plan(tmp_path, ["zero_shot", "few_shot", "lora"], trials=3)
    assert {arm.name: len(made.settings[arm.name]) for arm in made.arms if not arm.calibrated} == {
        "majority": 1,
        "tfidf": 1,
        "linear_probe": 1,
        "zero_shot": 1,
        "few_shot": 3,
        "lora": 3,
    }
    assert [made.seeds(made.arm(name)) for name in ("zero_shot", "few_shot", "lora")] == [1, 2, 2]


def test_a_twin_shares_the_draws_of_its_arm(tmp_path):
    made = plan(tmp_path, ["few_shot"], trials=2)
    plain, twin = made.arm("few_shot"), made.arm("few_shot (calibrated)")
    assert made.job(plain, 1, 0, "g").stream("prompt") == made.job(twin, 1, 0, "g").stream("prompt")


def test_steps_and_work(tmp_path):
    made = plan(tmp_path, ["zero_shot", "lora", "lora -> soft_prompt"], train={"epochs": 2})
    assert made.training_steps(made.arm("zero_shot")) == 0
    assert made.training_steps(made.arm("lora")) == 6  # two passes over 24 records in batches of 8
    assert made.training_steps(made.arm("lora -> soft_prompt")) == 12
    work = [made.work(made.arm(name)) for name in ("majority", "zero_shot", "lora", "lora -> soft_prompt")]
    assert work == sorted(work)
    assert work[0] > 0


def test_work_up_to_a_rung(tmp_path):
    """6 steps of 8 records there and back, checked behind 1, 2, 3, 4 and 6 of them."""
    made = plan(tmp_path, ["lora", "lora -> soft_prompt"], train={"epochs": 2, "checks": 4})
    lora, both, check = made.arm("lora"), made.arm("lora -> soft_prompt"), len(made.data.validation)
    assert [made.work(lora, rung) for rung in (1, 2, 3)] == [24 + check, 48 + 2 * check, 144 + 5 * check]
    assert made.work(both, 1) == made.work(lora) + made.work(lora, 1)


def test_the_data_key_changes_with_the_data_only(tmp_path):
    first = plan(tmp_path, ["zero_shot"])
    assert plan(tmp_path, ["lora"]).data_key() == first.data_key()
    assert plan(tmp_path, ["zero_shot"], rows(130)).data_key() != first.data_key()
    assert plan(tmp_path, ["zero_shot"], data={"labels": ["good", "bad"]}).data_key() != first.data_key()
    flipped = [{**row, "label": "bad"} if at == 0 else row for at, row in enumerate(rows())]
    everything = {"train_records": 0, "validation_records": 0, "test_records": 0}
    whole = plan(tmp_path, ["zero_shot"], data=everything)
    assert plan(tmp_path, ["zero_shot"], flipped, data=everything).data_key() != whole.data_key()


def test_the_ground_is_base_data_and_study(tmp_path):
    made = plan(tmp_path, ["zero_shot"])
    assert made.ground("a") == made.ground("a") != made.ground("b")
    assert plan(tmp_path, ["lora"], seeds=5).ground("a") == made.ground("a")
    assert plan(tmp_path, ["zero_shot"], train={"epochs": 3}).ground("a") == made.ground("a"), "training can go on"
    assert plan(tmp_path, ["zero_shot"], train={"batch_size": 3}).ground("a") != made.ground("a")


def test_data_mistakes_come_through(tmp_path):
    with pytest.raises(DataError, match="file not found"):
        plan(tmp_path, ["zero_shot"], data={"path": "none.jsonl"})


@pytest.mark.parametrize(
    ("method", "knob", "name", "before", "after"),
    [
        ("prompt_file", "path", "mine.txt", "Ticket: {text}", "The ticket: {text}"),
        (
            "instruction_tuning",
            "mixture",
            "tasks.jsonl",
            '{"instruction": "Say it.", "input": "a", "output": "b"}\n',
            '{"instruction": "Say it.", "input": "a", "output": "c"}\n',
        ),
    ],
)
def test_a_jobs_key_holds_its_files_contents_and_not_their_names(tmp_path, method, knob, name, before, after):
    def key(file, text):
        (tmp_path / file).write_text(text)
        made = plan(tmp_path, [method], methods={method: {knob: file}})
        return made.job(made.arm(method), 0, 0, made.ground("base")).key

    was = key(name, before)
    assert key(f"moved_{name}", before) == was
    assert key(name, after) != was


def test_a_course_steps_over_its_own_records(tmp_path):
    rows = "".join(f'{{"instruction": "Say it.", "input": "{n}", "output": "{n}{n}"}}\n' for n in range(100))
    (tmp_path / "tasks.jsonl").write_text(rows)
    entry = "instruction_tuning -> lora"
    made = plan(tmp_path, [entry], methods={"instruction_tuning": {"mixture": "tasks.jsonl"}})
    assert made.training_steps(made.arm(entry)) == 12 + 3, "90 of 100 records, then 24, in batches of 8"


def test_a_curve_is_flat_within_the_margin_or_what_two_validation_records_make(tmp_path):
    few = {"data": {"path": "data.jsonl", "train_records": 24, "validation_records": 16, "test_records": 20}}
    assert plan(tmp_path, ["lora"], **few).schedule.margin == 2 / 16
    assert plan(tmp_path, ["lora"], margin=0.2, **few).schedule.margin == 0.2

"""The sizes of a first study: from a speed to numbers of records, without a model."""

import pytest

from tiny_study import put_rows, rows, table
from tuneoff.study.budget.first_look import AIM, FEWEST, LIMIT_S, first_look, forward_s_here, text_tokens
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec

ARMS = ("zero_shot", "few_shot", "soft_prompt_after", "lora")
LOOK = {"train_records": 500, "validation_records": 150, "test_records": 400}
QUICK_S, SLOW_S, HOPELESS_S = 1e-5, 2e-3, 1.0  # a token forward


@pytest.fixture(scope="module")
def text_plan(tmp_path_factory):
    """1,050 records of some 40 and 20 tokens; three seeds, two epochs."""
    folder = tmp_path_factory.mktemp("first")
    tables = [{"question": f"{n} " + "word " * 32, "answer": f"{n} " + "answer " * 12} for n in range(2000)]
    put_rows(folder / "data.jsonl", tables)
    asked = {
        **table(ARMS, data=LOOK, seeds=3, train={"epochs": 2.0, "checks": 4}),
        "folder": str(folder),
        "measure": {},
    }
    return make_plan(StudySpec.build(asked, "study.toml"))


@pytest.fixture(scope="module")
def choice_plan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first_choice")
    put_rows(folder / "data.jsonl", rows())
    return make_plan(StudySpec.build({**table(ARMS), "folder": str(folder)}, "study.toml"))


def test_a_quick_machine_takes_all_that_a_first_look_takes(text_plan):
    look = first_look(text_plan, QUICK_S)
    assert look.records == {"train": 500, "validation": 150, "test": 400}
    assert look.seconds < 60


def test_a_slow_one_takes_as_many_as_fit_into_half_an_hour(text_plan):
    look = first_look(text_plan, SLOW_S)
    assert look.seconds <= AIM * LIMIT_S
    assert all(FEWEST[split] <= count < LOOK[f"{split}_records"] for split, count in look.records.items())
    assert all(count % 10 == 0 for count in look.records.values())
    slower = first_look(text_plan, 2 * SLOW_S)
    assert all(slower.records[split] <= count for split, count in look.records.items())


def test_one_that_is_too_slow_says_what_the_least_takes(text_plan):
    look = first_look(text_plan, HOPELESS_S)
    assert look.records == {"train": 60, "validation": 20, "test": 40}
    assert look.seconds > LIMIT_S


def test_a_choice_keeps_its_records_and_says_what_it_takes(choice_plan):
    slow = first_look(choice_plan, HOPELESS_S)
    assert slow.records == {"train": 24, "validation": 12, "test": 20}
    assert slow.seconds > LIMIT_S > first_look(choice_plan, QUICK_S).seconds


def test_letters_that_are_no_ascii_are_more_tokens():
    assert text_tokens("a" * 40) == 10
    assert text_tokens("日本語") == pytest.approx(6, abs=0.1)


def test_the_speed_of_this_machine_is_a_speed():
    assert 1e-6 < forward_s_here() < 10

"""An entry of the study's list becomes an arm, and an arm with a seed a job with a lasting key."""

import math

import pytest

from tuneoff.core.errors import ConfigError
from tuneoff.models.adapt import AdapterMethod
from tuneoff.study.arm import Job, calibrated_twin, parse_arm

PLUGIN = """
from typing import ClassVar
from tuneoff.core.config import knob
from tuneoff.models.adapt import AdapterMethod
__all__ = ["Odd"]
class Odd(AdapterMethod):
    family: ClassVar[str] = "odd"
    paper: ClassVar[str] = ""
    width: int = knob(4, "one of three", search=(2, 4, 8))
    lr: float = knob(0.1, "rate", gt=0)
"""


def arm(entry, methods=None):
    return parse_arm(entry, methods or {}, "study.toml")


def message(entry, methods=None):
    with pytest.raises(ConfigError) as caught:
        arm(entry, methods)
    return str(caught.value)


def shape(made):
    return [[part.name for part in stage.parts] for stage in made.stages]


def job(made, trial=0, seed=0, ground="g", trials=3):
    settings = made.settings(trials, 0)[trial]
    return Job(made.with_settings(settings), trial, seed, settings, ground, 0)


@pytest.mark.parametrize(
    ("entry", "prompt", "stages", "family"),
    [
        ("zero_shot", "zero_shot", [], "prompting"),
        ("few_shot", "few_shot", [], "prompting"),
        ("lora", "zero_shot", [["lora"]], "parameter-efficient fine-tuning"),
        ("full", "zero_shot", [["full"]], "full fine-tuning"),
        ("lora + soft_prompt", "zero_shot", [["lora", "soft_prompt"]], "combination"),
        ("lora -> soft_prompt", "zero_shot", [["lora"], ["soft_prompt"]], "combination"),
        ("few_shot+lora->ia3", "few_shot", [["lora"], ["ia3"]], "combination"),
        ("few_shot + lora", "few_shot", [["lora"]], "combination"),
        ("few_shot -> lora", "few_shot", [["lora"]], "combination"),
        ("lora -> few_shot + soft_prompt", "few_shot", [["lora"], ["soft_prompt"]], "combination"),
        ("zero_shot + lora", "zero_shot", [["lora"]], "parameter-efficient fine-tuning"),
        ("instruction_tuning", "zero_shot", [["lora"]], "instruction tuning"),
        ("instruction_tuning -> lora", "zero_shot", [["lora"], ["lora"]], "combination"),
    ],
)
def test_entries(entry, prompt, stages, family):
    made = arm(entry)
    assert (made.name, made.prompt.name, shape(made), made.family) == (entry, prompt, stages, family)
    assert made.baseline is None


@pytest.mark.parametrize(
    ("entry", "needs_model", "uses_weights", "trains", "tuned"),
    [
        ("majority", False, False, False, False),
        ("few_shot", True, False, False, False),
        ("few_shot + lora", True, True, True, True),
        ("instruction_tuning", True, True, True, True),
        ({"name": "mine", "adapter": "folder"}, True, True, False, True),
    ],
    ids=["baseline", "prompt", "prompt and adapter", "course", "trained elsewhere"],
)
def test_traits(entry, needs_model, uses_weights, trains, tuned):
    traits = parse_arm(entry, {}, "study.toml").traits
    assert (traits.needs_model, traits.uses_weights) == (needs_model, uses_weights)
    assert (traits.trains, traits.tuned) == (trains, tuned)


def test_a_baseline_needs_no_prompt():
    made = arm("majority")
    assert (made.baseline.name, made.prompt, made.stages, made.family) == ("majority", None, (), "baseline")


def test_the_course_is_kept_beside_what_it_trains():
    first, second = arm("instruction_tuning -> soft_prompt").stages
    assert (first.course.name, first.parts[0].name) == ("instruction_tuning", "lora")
    assert second.course is None


def test_knobs_come_from_the_methods_tables_and_the_arms_own():
    tables = {"lora": {"rank": 4, "alpha": 8.0}}
    made = arm({"name": "wide", "use": "lora", "lora": {"rank": 64}}, tables)
    method = made.stages[0].parts[0].method
    assert (made.name, method.rank, method.alpha) == ("wide", 64, 8.0)
    assert arm("lora", tables).stages[0].parts[0].method.rank == 4


def test_a_table_without_a_name_goes_by_what_it_uses():
    assert arm({"use": "lora"}).name == "lora"


def test_knobs_of_a_course():
    made = arm("instruction_tuning", {"instruction_tuning": {"method": "soft_prompt", "knobs": {"length": 5}}})
    assert made.stages[0].parts[0].method.length == 5


def test_a_method_from_a_file(tmp_path):
    (tmp_path / "odd.py").write_text(PLUGIN)
    made = arm(f"{tmp_path / 'odd.py'}:Odd")
    assert made.family == "odd"
    assert isinstance(made.stages[0].parts[0].method, AdapterMethod)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("lroa", ["unknown method 'lroa'", "did you mean 'lora'?"]),
        ("lora, soft_prompt", ["unknown method 'lora, soft_prompt'"]),
        ("majority + lora", ["majority stands alone", "found:   majority + lora"]),
        ("majority -> lora", ["majority stands alone"]),
        ("majority + few_shot", ["majority stands alone"]),
        ("majority + tfidf", ["an arm has one of the baselines", "2 in 'majority + tfidf'"]),
        ("zero_shot + few_shot", ["an arm has one of the prompt methods"]),
        ("few_shot -> zero_shot", ["an arm has one of the prompt methods"]),
        ("full + lora", ["a method that trains the model's weights trains alone"]),
        ("instruction_tuning + lora", ["instruction_tuning is a stage of its own", "join it with ->"]),
        ({"name": "x"}, ["an arm's table needs `use`", '{name = "wide", use = "lora", lora = {...}}']),
        ({"use": "lora", "lroa": {}}, ["unknown key 'lroa' in arm 'lora'", "allowed: name, use, lora"]),
        ({"use": "lora", "lora": {"rnak": 3}}, ["unknown key 'rnak'", "[methods.lora]", "did you mean 'rank'?"]),
        ({"use": "lora", "lora": {"rank": 0}}, ["rank: input should be greater than or equal to 1"]),
    ],
)
def test_entries_that_mean_nothing(entry, said):
    told = message(entry)
    for words in said:
        assert words in told


@pytest.mark.parametrize(
    "entry",
    ["lora ->", "-> lora", "", " + lora", {"use": 3}, {"use": "lora", "lora": 3}, {"use": "lora", "name": 7}],
)
def test_broken_entries_are_messages_too(entry):
    assert message(entry)


def test_what_another_seed_changes():
    random = {e: arm(e).random for e in ("zero_shot", "few_shot", "lora", "majority", "few_shot + lora")}
    assert random == {"zero_shot": False, "few_shot": True, "lora": True, "majority": False, "few_shot + lora": True}
    assert not arm({"use": "few_shot", "few_shot": {"pick": "nearest"}}).random


def test_settings_are_the_defaults_first_then_draws_within_the_range():
    made = arm("lora")
    settings = made.settings(8, 0)
    rates = [each["lora"]["lr"] for each in settings[1:]]
    assert settings[0] == {}
    assert len(set(rates)) == 7
    assert all(2e-4 <= rate <= 5e-3 for rate in rates)
    middle = math.exp(sum(map(math.log, rates)) / 7)
    assert 5e-4 < middle < 2e-3  # even in the logarithm
    assert settings == made.settings(8, 0)
    assert settings != made.settings(8, 1)


def test_more_trials_keep_the_earlier_ones():
    made = arm("lora + soft_prompt")
    assert made.settings(9, 0)[:4] == made.settings(4, 0)
    assert set(made.settings(4, 0)[1]) == {"lora", "soft_prompt"}


def test_settings_where_there_is_nothing_to_draw():
    assert arm("zero_shot").settings(5, 0) == [{}]
    assert arm("majority").settings(5, 0) == [{}]
    assert arm("few_shot").settings(3, 0) == [{}, {}, {}]  # a draw of demonstrations is a trial
    assert arm("lora").settings(1, 0) == [{}]


def test_a_short_list_of_values_is_not_tried_twice(tmp_path):
    (tmp_path / "odd.py").write_text(PLUGIN)
    made = arm(f"{tmp_path / 'odd.py'}:Odd")
    settings = made.settings(12, 0)
    assert settings[0] == {}
    assert sorted(made.with_settings(each).stages[0].parts[0].method.width for each in settings) == [2, 4, 8]


def test_settings_change_the_knobs_and_nothing_else():
    made = arm("few_shot + lora")
    changed = made.with_settings({"lora": {"lr": 0.02}})
    assert changed.stages[0].parts[0].method.lr == 0.02
    assert changed.stages[0].parts[0].method.rank == made.stages[0].parts[0].method.rank
    assert changed.prompt == made.prompt
    assert made.stages[0].parts[0].method.lr == 1e-3


def test_the_calibrated_twin_is_another_job():
    plain = arm("zero_shot")
    twin = calibrated_twin(plain)
    assert twin.name == "zero_shot (calibrated)"
    assert job(plain).key != job(twin).key


def test_keys_last():
    assert job(arm("lora")).key == job(arm("lora")).key
    assert job(arm({"name": "mine", "use": "lora"})).key == job(arm("lora")).key, "the name is not in it"
    assert job(arm("lora"), trials=3).key == job(arm("lora"), trials=9).key, "nor is how many trials there are"


def test_trials_are_drawn_by_their_ranges_whatever_the_arm_is_called():
    draws = arm("lora").settings(4, 0)
    assert len(draws) == 4
    assert arm({"name": "mine", "use": "lora"}).settings(4, 0) == draws
    assert arm({"name": "wide", "use": "lora", "lora": {"rank": 64}}).settings(4, 0) == draws, "nor another fixed knob"
    assert arm("lora").settings(4, 1) != draws
    assert arm("lora").settings(2, 0) == draws[:2], "more trials leave the first ones as they are"


def test_a_plugin_file_goes_by_what_is_in_it_and_not_by_its_place(tmp_path):
    for folder, text in (("a", PLUGIN), ("b", PLUGIN), ("c", PLUGIN.replace("0.1", "0.2"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "odd.py").write_text(text)
    here, there, other = (job(arm(f"{tmp_path / folder / 'odd.py'}:Odd")) for folder in "abc")
    (part,) = here.arm.stages[0].parts
    assert part.word == "Odd", "what its first values are drawn with"
    assert here.key == there.key
    assert here.settings == there.settings
    changed = other.arm.with_settings({other.arm.stages[0].parts[0].name: {"lr": 0.1}})
    assert job(changed).key != here.key, "other code is another arm"


def test_keys_tell_apart_what_is_not_the_same():
    lora = arm("lora")
    entries = [
        "zero_shot", "few_shot", "lora", "dora", "lora + soft_prompt", "lora -> soft_prompt", "soft_prompt -> lora",
        "few_shot + lora", "lora + ia3 -> soft_prompt", "lora -> ia3 + soft_prompt", "instruction_tuning",
        "instruction_tuning -> lora", "lora -> lora",
    ]  # fmt: skip
    jobs = [job(arm(entry)) for entry in entries]
    jobs += [job(arm({"use": "lora", "lora": {"rank": 4}})), job(lora, seed=1), job(lora, trial=1), job(lora, trial=2)]
    jobs += [job(lora, ground="h"), job(arm("few_shot"), trial=1), job(arm("few_shot"), seed=1)]
    keys = [each.key for each in jobs]
    assert len(set(keys)) == len(keys)


def test_labels_say_trial_and_seed_where_they_matter():
    assert job(arm("lora"), trial=1, seed=2).label == "lora, trial 2, seed 3"
    assert job(arm("lora")).label == "lora, seed 1"
    assert job(arm("zero_shot")).label == "zero_shot"


def test_equal_methods_draw_alike_in_different_arms():
    lora, both = job(arm("lora"), seed=1), job(arm("few_shot + lora"), seed=1)
    assert lora.stream("init", 0, "lora") == both.stream("init", 0, "lora")
    assert lora.stream("order", 0) != job(arm("lora"), seed=2).stream("order", 0)

"""Forecasts by hand, and the largest study that a budget holds."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_rates import made_plan, made_rates
from tuneoff.core.budget import parse_budget
from tuneoff.core.errors import StudyError
from tuneoff.study.budget.forecast import AIM, Forecast, fit_budget, forecast, likely, resized, worst
from tuneoff.study.budget.rates import ArmRate, rate_key
from tuneoff.study.budget.writing import Writing

ASKED = {"serving": True, "retention": True, "rewordings": 2, "memorisation": True, "records": 10}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("forecast")


def fitted(plan, **more):
    return fit_budget(plan, made_rates(plan, **more))


def with_budget(plan, budget, **more):
    return replace(plan, spec=plan.spec.model_copy(update={"budget": budget, **more}))


def test_one_arm_by_hand(folder):
    """lora: 240 tokens of half a second; a check is 12 records of half a second behind a start of 5, put aside in 1."""
    plan = made_plan(folder, "lora", seeds=1)
    assert plan.schedule_of(plan.job(plan.arm("lora"), 0, 0, ""), 0).check_steps(24) == [1, 2, 3]
    told = {arm.arm: arm for arm in forecast(plan, made_rates(plan)).arms}
    check = 5 + 12 * 0.5
    assert told["lora"].rung_s == 2 + 80 * 0.5 + check + 1
    assert told["lora"].run_s == 2 + 240 * 0.5 + 3 * (check + 1) + 3
    assert told["lora"].test_s == 4 + 5 + 20 * 0.5
    assert (told["lora"].tokens, told["lora"].peak_bytes) == (240, 10**9)
    assert (told["majority"].run_s, told["majority"].test_s, told["majority"].tokens) == (0.5, 0.25, 0)


def test_a_study_by_hand(folder):
    """One trial and two seeds of lora: it goes on behind its first and its second rung, which is a start each."""
    plan = made_plan(folder, "lora", seeds=2)
    told = forecast(plan, made_rates(plan))
    run = 2 + 240 * 0.5 + 3 * 12 + 3
    assert told.worst.seconds == {
        "before": 20.0,
        "trials": 0.5 + 1.5 + run + 2 * 2.0,
        "seeds": run,
        "test": 0.25 + 1.0 + 2 * (4 + 5 + 10),
        "beside": 4.0,  # the artifact is opened, though nothing is asked of it
        "curve": 0.0,
    }
    assert told.worst.tokens == 480
    assert told.worst.all_s == sum(told.worst.seconds.values())


def test_what_is_kept_is_paid_once(folder):
    """zero_shot, its calibrated twin and soft_prompt_after ask alike, so one of them pays for the contexts."""
    plan = made_plan(folder, "zero_shot", "soft_prompt_after", seeds=1)
    told = forecast(plan, made_rates(plan)).worst.seconds
    steps = 240 * 0.125 + 3 + 24 * 0.25  # and the contexts of the training records
    answers = 3 + 12 * 0.25  # contexts of validation, once; then 12 quick answers at 3 checks
    prior = 3 + 24 * 0.25
    assert told["trials"] == 2 + 2 * 1.5 + answers + prior + 3 * 2.0 + steps + 3 * 12 * 0.25
    assert told["test"] == 1.25 + 2 * 0.5 + 3 + 20 * 0.25 + 20 * 0.25


def test_figures_beside_quality_are_counted(folder):
    plan = made_plan(folder, "lora", seeds=1, measure={**ASKED, "share": 1.0})
    texts = 8 * 48 * 0.01 * 4
    serving = 2 * 1.0 + 18 * 5.5
    words = 10 * 0.5 + 2 * (10 * 0.5 + 5)
    assert worst(plan, made_rates(plan)).seconds["beside"] == 4 + serving + words + 10 * 0.5 + 5 + texts


def test_figures_beside_quality_take_a_quarter_of_the_whole_at_most(folder):
    """Measuring took 8 s, which count."""
    whole = made_plan(folder, "lora", seeds=1, measure={**ASKED, "share": 1.0})
    plan = made_plan(folder, "lora", seeds=1, measure=ASKED)
    told = worst(plan, made_rates(plan)).seconds
    race_s = told["trials"] + told["seeds"] + told["test"]
    assert told["beside"] + 8 == pytest.approx(0.25 * (race_s + told["beside"] + 8))
    assert told["beside"] < worst(whole, made_rates(whole)).seconds["beside"]
    few = made_plan(folder, "lora", seeds=1, measure={**ASKED, "share": 0.01})
    assert worst(few, made_rates(few)).seconds["beside"] == 0, "measuring has used it up"


def test_free_text_is_written(folder):
    """lora writes 12 answers of 3 tokens at the early rungs, which are one step, and at its end, and 20 in the test, 8
    at a time, the longest of 4 tokens.
    """
    plan = made_plan(folder, "lora", seeds=1)
    writing = Writing(tokens=3.0, longest=4, rows=8, step_s=0.5, token_s=0.25)
    rates = made_rates(plan)
    key = rate_key(plan.arm("lora"))
    written = replace(rates, arms={**rates.arms, key: replace(rates.arms[key], writing=writing)})
    before, after = (forecast(plan, each).arms[-1] for each in (rates, written))
    assert after.run_s - before.run_s == 2 * (2 * 4 * 0.5 + 12 * 3 * 0.25)
    assert after.test_s - before.test_s == 3 * 4 * 0.5 + 20 * 3 * 0.25


def test_a_learning_curve_is_counted_for_the_dearest_of_each_family(folder):
    """On 16 records, two steps, and a check behind each."""
    plan = made_plan(folder, "lora", "ia3", seeds=1, curve=[16, 500])
    told = worst(plan, made_rates(plan)).seconds["curve"]
    assert told == 1.5 + 2 + 160 * 0.5 + 2 * (1 + 11) + 3


def test_halving_and_the_dearest_of_a_family(folder):
    """8 trials of the family: both defaults, and 6 more of lora; 3 of its 7 go on at rung 1, two at rung 2."""
    plan = made_plan(folder, "lora", "ia3", seeds=1, trials=8)
    assert worst(plan, made_rates(plan)).tokens == 7 * 80 + 2 * 160 + 80 + 160
    assert worst(plan, made_rates(plan)).tokens < worst(with_budget(plan, "", race="full"), made_rates(plan)).tokens


def test_at_best_what_is_behind_stops_early(folder):
    few = {"data": {"path": "data.jsonl", "train_records": 24, "validation_records": 30, "test_records": 20}}
    plan = made_plan(folder, "lora", "ia3", seeds=3, **few)
    told = forecast(plan, made_rates(plan))
    assert told.worst.tokens == 6 * 240
    assert told.best.tokens == 3 * 80 + 80  # lora leaves at the first rung, and ia3's curve is flat at the second
    assert told.best.all_s < told.worst.all_s


def test_a_forecast_is_read_back_as_it_was_written(folder):
    plan = made_plan(folder, "zero_shot", "lora")
    told = forecast(plan, made_rates(plan))
    assert Forecast.read(told.as_json()) == told


def test_an_arm_that_cannot_run_takes_no_time(folder):
    plan = made_plan(folder, "lora", "ia3", seeds=1)
    rates = made_rates(plan)
    broken = replace(rates, arms={**rates.arms, rate_key(plan.arm("ia3")): ArmRate()})
    assert worst(plan, broken).tokens == 240


def test_without_a_budget_nothing_changes(folder):
    plan = made_plan(folder, "lora", trials=3)
    assert fitted(plan).plan is plan
    assert fitted(plan).left_out == fitted(plan).added == ()


def test_more_trials_go_first_then_figures_then_seeds_then_the_second_trial(folder):
    plan = made_plan(folder, "lora", "soft_prompt_after", seeds=3, trials=4, measure={"serving": False})
    rates = made_rates(plan)
    sizes = [(4, 3, True), (2, 3, True), (2, 3, False), (2, 2, False), (2, 1, False), (1, 1, False)]
    seen = []
    for trials, seeds, beside in sizes:
        needed = likely(resized(plan, trials, seeds, beside=beside), rates).all_s / AIM
        made = fit_budget(with_budget(plan, f"{needed + 0.01:.2f}s"), rates)
        seen.append((made.plan.spec.trials, made.plan.spec.seeds, made.plan.spec.measure.retention))
        assert likely(made.plan, rates).all_s <= AIM * made.budget.seconds
    assert seen == sizes


def test_what_is_left_out_is_said_with_numbers(folder):
    plan = made_plan(folder, "lora", seeds=3, trials=4)
    least = likely(resized(plan, 1, 1, beside=False), made_rates(plan)).all_s / AIM
    made = fitted(with_budget(plan, f"{least + 1:.0f}s"))
    assert made.left_out == (
        "1 of 4 trials of each family",
        "1 of 3 seeds: how much another seed would change stays unknown",
        "all that was asked for would take about 12m, 800 tokens",
    )


def test_a_large_budget_is_used_for_trials_only_where_nothing_is_said_of_them(folder):
    free = fitted(made_plan(folder, "lora", seeds=2, budget="10h"))
    assert free.plan.spec.trials == 8
    assert len(free.plan.settings["lora"]) == 8
    assert free.added == ("8 trials of each family: the budget has room for more than the default",)
    said = fitted(made_plan(folder, "lora", seeds=2, trials=1, budget="10h"))
    assert said.plan.spec.trials == 1
    assert said.added == ()


def test_a_smaller_study_has_the_same_jobs(folder):
    plan = made_plan(folder, "lora", seeds=3, trials=4)
    less = resized(plan, 2, 2)
    jobs = [[made.job(made.arm("lora"), trial, seed, made.ground("x")).key for trial in (0, 1) for seed in (0, 1)]
            for made in (plan, less)]  # fmt: skip
    assert jobs[0] == jobs[1]


def test_tokens_are_a_budget_too(folder):
    plan = made_plan(folder, "lora", seeds=3, trials=4, budget="500 tokens")
    made = fitted(plan)
    assert made.forecast.worst.tokens <= 500
    assert (made.plan.spec.seeds, made.plan.spec.trials) == (1, 2)


def test_where_time_is_very_short_training_is_and_it_is_said(folder):
    plan = made_plan(folder, "lora", seeds=3, train={"epochs": 20})
    least = likely(resized(plan, 1, 1, beside=False), made_rates(plan)).all_s / AIM
    made = fitted(with_budget(plan, f"{0.8 * least:.0f}s"))
    assert (made.plan.cap, made.plan.spec.seeds, made.plan.spec.trials) == (0.75, 1, 1)
    assert "training ends at 75 % of its longest, and may be unfinished" in made.left_out
    job = made.plan.job(made.plan.arm("lora"), 0, 0, "")
    assert job.cap == 0.75 * 20 * 24
    assert job.key == plan.job(plan.arm("lora"), 0, 0, "").key, "with more budget it is the same job"


@pytest.mark.parametrize("arms", [("lora",), ("zero_shot", "lora", "ia3"), ("soft_prompt_after",)])
@pytest.mark.parametrize("kind", ["time", "tokens", "both"])
def test_the_smallest_budget_that_is_told_is_enough(folder, arms, kind):
    small = {"time": "1s", "tokens": "1 token", "both": "1s, 1 token"}[kind]
    plan = made_plan(folder, *arms, seeds=3, trials=3, budget=small)
    with pytest.raises(StudyError) as caught:
        fitted(plan)
    told = caught.value.problem.removeprefix("this study needs at least ").partition(" here")[0]
    made = fitted(with_budget(plan, told))
    assert made.plan.spec.seeds == 1
    assert made.plan.spec.trials <= max(1, len(arms) - 1)  # no more than its methods' defaults
    assert f'found:   budget = "{parse_budget(small)}"' in str(caught.value)
    assert f'write budget = "{told}"' in str(caught.value)
    assert "the dearest is " in str(caught.value)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(400, 6000), min_size=2, max_size=2), st.booleans())
def test_a_larger_budget_never_gives_a_smaller_study(folder, seconds, free):
    more = {} if free else {"trials": 5}
    plan = made_plan(folder, "lora", "ia3", seeds=3, **more)
    small, large = (fitted(with_budget(plan, f"{each}s")).plan.spec for each in sorted(seconds))
    assert (small.seeds, small.trials) <= (large.seeds, large.trials)

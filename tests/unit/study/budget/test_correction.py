"""What still fits where a run is slower than was measured, and what more fits where it is quicker."""

from dataclasses import replace

import pytest

from made_rates import made_plan, made_rates
from tuneoff.core.rungs import LAST
from tuneoff.study.budget.correction import (
    Correction,
    _done,
    correct,
    corrected,
    grow,
    read_corrections,
    until_now,
)
from tuneoff.study.budget.forecast import AIM, fit_budget, likely, resized
from tuneoff.study.outcome import JobRow
from tuneoff.study.race import Seen
from tuneoff.study.seen import entries_of
from tuneoff.study.store import Ledger


def seen(arm, trial, seed, rung, *, status=None, value=0.5, records=12):
    status = status or ("done" if rung == LAST else "paused")
    row = JobRow(key=f"{arm}-{trial}-{seed}", arm=arm, trial=trial, seed=seed, status=status, rung=rung)
    scores = {at: {f"record{n}": value for n in range(records)} for at in range(1, rung + 1)}
    return Seen(row, scores, (value, 0.0) if status == "done" else None)


@pytest.fixture
def study(tmp_path):
    plan = made_plan(tmp_path, "lora", "soft_prompt_after", seeds=3, trials=4, budget="30m")
    rates = made_rates(plan)
    return fit_budget(plan, rates), rates


def begun(rung=1):
    """The baselines and the probe are done; all trials of both arms wait at a rung."""
    rows = [seen(arm, 0, 0, LAST) for arm in ("majority", "tfidf", "linear_probe")]
    arms = ("lora", "soft_prompt_after")
    return rows + [seen(arm, trial, 0, rung, value=0.5 + trial / 100) for arm in arms for trial in range(4)]


def looked_at(fitted, rates, rows, pace=1.0):
    """What is said when the race so far took `pace` times its forecast."""
    done = _done(fitted.plan, rates, rows)
    race_s = pace * (done.all_s - done.seconds["before"])
    return correct(fitted, rates, rows, done.seconds["before"] + race_s, race_s)


def test_a_run_at_its_forecast_needs_no_correction(study):
    fitted, rates = study
    assert (fitted.plan.spec.trials, fitted.plan.spec.seeds) == (4, 3)
    assert looked_at(fitted, rates, begun()) is None
    assert looked_at(fitted, rates, []) is None


def test_a_slower_run_gives_up_trials_and_then_seeds(study):
    fitted, rates = study
    told = [looked_at(fitted, rates, begun(), pace) for pace in (1.0, 1.7, 2.2, 2.8, 9.0)]
    sizes = [(c.seeds, c.trials) if c else (3, 4) for c in told]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == (3, 4)
    assert sizes[-1] == (1, 1)
    assert len(set(sizes)) >= 3
    assert "times its forecast" in told[-1].why
    assert "after the budget" in told[-1].why


def test_tokens_alone_need_no_clock(study):
    fitted, rates = study
    fitted = replace(fitted, budget=replace(fitted.budget, seconds=None, tokens=10**6))
    assert correct(fitted, rates, begun(), spent_s=1e9, race_s=1e9) is None


def test_corrected_entries_keep_what_has_begun(study):
    fitted, _ = study
    entries = entries_of(fitted.plan)
    assert corrected(entries, [], []) == entries
    fresh = {e.arm: e for e in corrected(entries, [], [Correction(3, 3, ""), Correction(2, 2, "")])}
    assert (fresh["lora"].trials, fresh["lora"].seeds, fresh["lora"].most) == (2, 2, 2)
    rows = [*begun(), seen("lora", 1, 1, LAST), seen("lora", 1, 2, LAST)]
    kept = {e.arm: e for e in corrected(entries, rows, [Correction(1, 1, "")])}
    assert (kept["lora"].trials, kept["lora"].seeds, kept["lora"].most) == (4, 3, 1)
    assert (kept["soft_prompt_after"].trials, kept["soft_prompt_after"].seeds) == (4, 1)


def test_the_race_keeps_the_best_of_the_trials_that_still_fit(study):
    from tuneoff.study.race import next_step

    fitted, _ = study
    entries = entries_of(fitted.plan)
    usual = next_step(entries, begun())
    fewer = next_step(corrected(entries, begun(), [Correction(1, 3, "")]), begun())
    best = [[place[1] for place, _ in step.fit if place[0] == "lora"] for step in (usual, fewer)]
    assert best == [[2, 3], [3]]


def over(trials, seeds):
    """The race of the study is over: all of it is there, and nothing is tested."""
    rows = [seen(arm, 0, 0, LAST) for arm in ("majority", "tfidf", "linear_probe")]
    places = [(trial, 0) for trial in range(trials)] + [(trials - 1, seed) for seed in range(1, seeds)]
    arms = ("lora", "soft_prompt_after")
    return rows + [seen(arm, trial, seed, LAST, value=0.5 + trial / 100) for arm in arms for trial, seed in places]


def grown_at(share, plan, fitted, rates, rows, earlier=()):
    """What is said when so much of the budget is spent at the end of the race."""
    done = _done(fitted.plan, rates, rows)
    spent_s = share * fitted.budget.seconds
    return grow(fitted, plan, rates, rows, spent_s, done.all_s - done.seconds["before"], earlier)


@pytest.fixture
def small(tmp_path):
    """A study that says nothing of trials, and whose budget holds two of them with three seeds."""
    plan = made_plan(tmp_path, "lora", "soft_prompt_after", seeds=3)
    rates = made_rates(plan)
    seconds = round(likely(resized(plan, 2, 3), rates).all_s / AIM) + 2
    plan = made_plan(tmp_path, "lora", "soft_prompt_after", seeds=3, budget=f"{seconds}s")
    return plan, fit_budget(plan, rates), rates


def test_a_quicker_run_is_given_more_trials_and_all_their_seeds_are_reckoned_with(small):
    plan, fitted, rates = small
    assert (fitted.plan.spec.trials, fitted.plan.spec.seeds) == (2, 3)
    told = [grown_at(share, plan, fitted, rates, over(2, 3)) for share in (0.1, 0.4, 0.85)]
    assert told[2] is None
    assert told[0].trials > 2
    assert told[0].trials >= (told[1].trials if told[1] else 2)
    assert told[0].seeds == 3
    assert told[0].budget == plan.spec.budget
    assert f"there is time for {told[0].trials} trials and 3 seeds" in told[0].why


def test_seeds_that_were_given_up_come_back_before_a_third_trial(small):
    plan, fitted, rates = small
    cut = Correction(2, 1, "slow at first", budget=plan.spec.budget)
    found = grown_at(0.4, plan, fitted, rates, over(2, 1), [cut])
    assert (found.trials, found.seeds) == (2, 3)


def test_what_a_person_asked_for_is_not_exceeded(study):
    fitted, rates = study
    assert grown_at(0.1, fitted.plan, fitted, rates, over(4, 3)) is None


def test_a_trial_that_is_added_takes_part_from_the_first_rung_on(study):
    from tuneoff.study.race import next_step

    fitted, _ = study
    entries, rows = entries_of(fitted.plan), over(2, 3)
    step = next_step(entries, rows)
    assert {(place[1], rung) for place, rung in step.fit} == {(2, 1), (3, 1)}
    better = [*rows, *(seen(arm, trial, 0, 1, value=0.9) for arm in ("lora", "soft_prompt_after") for trial in (2, 3))]
    step = next_step(entries, better)
    assert {(place[1], rung) for place, rung in step.fit} == {(2, 2), (3, 2)}
    assert not step.dropped, "what has come to its end stays"


def test_corrections_are_read_back_under_their_budget(tmp_path):
    ledger = Ledger(tmp_path / "run" / "ledger.sqlite", create=True)
    assert read_corrections(ledger.events(), "30m") == []
    told = Correction(2, 1, "slower than was measured", until=0.5, budget="30m")
    ledger.note("", "correction", told.as_json())
    assert read_corrections(ledger.events(), "30m") == [told]
    assert until_now(ledger.events(), "30m") == 0.5
    assert until_now(ledger.events(), "1h") == 1.0, "more budget, and training may come to its end"
    ledger.close()

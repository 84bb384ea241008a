"""What was spent, and what still fits where a run is slower than was measured."""

from dataclasses import replace
from itertools import count

import pytest

from made_rates import made_plan, made_rates
from tuneoff.core.cost import Cost
from tuneoff.core.rungs import LAST
from tuneoff.study.budget.forecast import fit_budget
from tuneoff.study.budget.spending import (
    Correction,
    _done,
    compare,
    correct,
    corrected,
    fitted_before,
    known_rates,
    read_corrections,
    spent_seconds,
)
from tuneoff.study.outcome import JobRow
from tuneoff.study.race import Seen
from tuneoff.study.seen import entries_of
from tuneoff.study.store import Ledger


def events(*whats):
    """(seconds, what) pairs."""
    return [{"at": float(at), "what": what, "job": "", "detail": ""} for at, what in whats]


def test_a_pause_between_two_sessions_counts_for_nothing():
    first = [(100, "study file"), (110, "begin"), (115, "run"), (140, "done")]
    assert spent_seconds(events(*first)) == 30
    assert spent_seconds(events(*first), now=150.0) == 40
    again = [*first, (9000, "study file"), (9100, "begin"), (9103, "tested"), (9105, "verdict")]
    assert spent_seconds(events(*again)) == 35
    assert spent_seconds(events(*again, (9999, "study file"))) == 35
    assert spent_seconds([]) == 0


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
    done = _done(fitted, rates, rows)
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
    fresh = {e.arm: e for e in corrected(entries, [], [Correction(3, 2, ""), Correction(2, 3, "")])}
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


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    clock = count(1000, 10)
    monkeypatch.setattr("tuneoff.study.store.time.time", lambda: float(next(clock)))
    made = Ledger(tmp_path / "run" / "ledger.sqlite", create=True)
    yield made
    made.close()


def test_forecast_against_fact(ledger, study, tmp_path):
    """Ten seconds between any two events."""
    fitted, rates = study
    assert compare(ledger) == ()
    ledger.note("", "begin")
    ledger.note("", "rates", rates.as_json())
    ledger.note("", "forecast", fitted.forecast.as_json())
    for seed in (0, 1):
        ledger.add_job(JobRow(key=f"lora-{seed}", arm="lora", trial=0, seed=seed, status="planned"))
        ledger.start(f"lora-{seed}")
        ledger.note("", "together", "lora-0 lora-1")
        ledger.finish(f"lora-{seed}", Cost(), [])
    ledger.finish_test("lora-0", Cost(), [])
    ledger.add_job(JobRow(key="lora-16", arm="lora", trial=0, seed=0, size=16, status="planned"))
    ledger.start("lora-16")
    ledger.finish("lora-16", Cost(), [])
    ledger.note("", "verdict")
    rows = {row.name: row for row in compare(ledger)}
    took = {name: row.took_s for name, row in rows.items()}
    assert took == {
        "loading and measuring": 40,
        "first seed": 20,
        "other seeds": 20,
        "test": 10,
        "latency, drift, robustness, memorisation, verdict": 20,
        "fewer records": 10,
        "the whole run": 120,
    }
    assert rows["the whole run"].high_s == fitted.forecast.worst.all_s
    assert all(row.low_s <= row.high_s for row in rows.values())
    assert known_rates(ledger.events()) == rates
    assert fitted_before(fitted.plan, ledger.events()) == fitted
    other = made_plan(tmp_path / "other", "lora", "ia3", budget="20m")
    assert fitted_before(other, ledger.events()) is None


def test_corrections_are_read_back(ledger):
    assert known_rates(ledger.events()) is None
    assert read_corrections(ledger.events()) == []
    told = Correction(2, 1, "slower than was measured")
    ledger.note("", "correction", told.as_json())
    assert read_corrections(ledger.events()) == [told]

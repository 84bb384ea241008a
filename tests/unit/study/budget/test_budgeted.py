"""A study held to its budget over sessions: measured once, fitted alike after a restart, corrected by events."""

from itertools import count

import pytest

from made_rates import made_plan, made_rates
from tuneoff.core.errors import StudyError
from tuneoff.core.rungs import LAST
from tuneoff.study.budget.budgeted import Budgeted
from tuneoff.study.budget.correction import read_corrections
from tuneoff.study.budget.forecast import AIM, NO_FIGURES, likely, resized, worst
from tuneoff.study.budget.spending import compare, known_rates
from tuneoff.study.outcome import JobRow
from tuneoff.study.race import Seen
from tuneoff.study.store import Ledger
from tuneoff.study.verdict.changes import left_out


@pytest.fixture
def clock(monkeypatch):
    """Seconds since the run began; each event takes one."""
    now = count(1000)
    monkeypatch.setattr("tuneoff.study.store.time.time", lambda: float(next(now)))
    return now


@pytest.fixture
def ledger(tmp_path, clock):
    made = Ledger(tmp_path / "run" / "ledger.sqlite", create=True)
    yield made
    made.close()


@pytest.fixture
def measuring(monkeypatch):
    """How often rates were measured, with what; the made ones come out."""
    asked = []

    def measure(plan, base, folder, *, known, before_s, allowance_s, met):
        asked.append({"known": known, "before_s": before_s, "allowance_s": allowance_s})
        return made_rates(plan, before_s=before_s)

    monkeypatch.setattr("tuneoff.study.budget.budgeted.measure_rates", measure)
    return asked


def test_a_study_without_a_budget_is_left_alone(tmp_path, ledger, measuring):
    held = Budgeted(made_plan(tmp_path, "lora", trials=3), ledger)
    held.begin()
    assert held.measure(None, tmp_path) is None
    assert held.plan is held.asked
    assert held.look([]) is None
    assert measuring == []
    assert [event["what"] for event in ledger.events()] == ["begin"]


def test_it_is_measured_once_and_fitted_alike_after_a_restart(tmp_path, ledger, measuring):
    plan = made_plan(tmp_path, "lora", seeds=3, trials=4, budget="8m")
    first = Budgeted(plan, ledger)
    assert first.plan is plan
    first.begin()
    first.measure(None, tmp_path)
    assert 1 <= measuring[0]["before_s"] <= 3
    assert measuring[0]["allowance_s"] == 48
    assert (first.plan.spec.seeds, first.plan.spec.trials) < (3, 4)
    again = Budgeted(plan, ledger)
    assert again.fitted == first.fitted
    again.begin()
    again.measure(None, tmp_path)
    assert len(measuring) == 1
    assert [event["what"] for event in ledger.events()] == ["begin", "rates", "forecast", "begin"]


def test_more_budget_goes_on_from_the_same_rates(tmp_path, ledger, measuring):
    small = Budgeted(made_plan(tmp_path, "lora", seeds=3, trials=4, budget="8m"), ledger)
    small.measure(None, tmp_path)
    large = Budgeted(made_plan(tmp_path, "lora", seeds=3, trials=4, budget="1h"), ledger)
    assert (large.plan.spec.seeds, large.plan.spec.trials) == (3, 4)
    assert len(measuring) == 1


def test_a_budget_that_is_too_small_keeps_what_was_measured(tmp_path, ledger, measuring):
    held = Budgeted(made_plan(tmp_path, "lora", budget="1m"), ledger)
    with pytest.raises(StudyError, match="this study needs at least"):
        held.measure(None, tmp_path)
    assert known_rates(ledger.events()) is not None


def seen(arm, trial, rung):
    row = JobRow(
        key=f"{arm}-{trial}", arm=arm, trial=trial, seed=0, status="done" if rung == LAST else "paused", rung=rung
    )
    return Seen(row, {rung: {f"record{n}": 0.5 + trial / 100 for n in range(12)}}, (0.5, 0.0))


def test_a_slow_run_is_corrected_once_for_what_it_lost(tmp_path, ledger, clock, measuring, monkeypatch):
    held = Budgeted(made_plan(tmp_path, "lora", seeds=3, trials=4, budget="20m"), ledger)
    held.begin()
    held.measure(None, tmp_path)
    rows = [seen("majority", 0, LAST), seen("tfidf", 0, LAST), *(seen("lora", trial, 1) for trial in range(4))]
    assert held.look(rows) is None
    monkeypatch.setattr("tuneoff.study.budget.budgeted.time.time", lambda: 1000.0 + 800)
    monkeypatch.setattr("tuneoff.study.budget.budgeted.race_seconds", lambda ledger: 780.0)
    found = held.look(rows)
    assert (found.seeds, found.trials) < (3, 4)
    assert read_corrections(ledger.events(), "20m") == [found]
    assert held.look(rows) is None
    assert Budgeted(held.asked, ledger).entries(rows) == held.entries(rows)
    lora = next(entry for entry in held.entries(rows) if entry.arm == "lora")
    assert (lora.seeds, lora.most) == (found.seeds, found.trials)


def test_a_quick_race_goes_on_with_more_trials_and_a_restart_finds_them(tmp_path, ledger, measuring, monkeypatch):
    plan = made_plan(tmp_path, "lora", seeds=3)
    seconds = int(likely(resized(plan, 1, 3, beside=False), made_rates(plan)).all_s / AIM) + 1
    held = Budgeted(made_plan(tmp_path, "lora", seeds=3, budget=f"{seconds}s"), ledger)
    held.begin()
    held.measure(None, tmp_path)
    before = held.plan.spec
    for sentence in held.fitted.left_out:
        ledger.note("", "left out", sentence)
    rows = [seen(arm, 0, LAST) for arm in ("majority", "tfidf", "linear_probe", "lora")]
    found = held.grow(rows)
    assert (found.trials, found.seeds) > (before.trials, before.seeds)
    assert (held.plan.spec.trials, held.plan.spec.seeds) == (found.trials, found.seeds)
    assert set(left_out(ledger.events())) == set(held.fitted.left_out)
    again = Budgeted(held.asked, ledger)
    assert (again.fitted, again.entries(rows)) == (held.fitted, held.entries(rows))
    ledger.set_meta("test_open", "yes")
    assert held.grow(rows) is None


ASKED = {"seeds": 3, "trials": 4, "measure": {"serving": False}}


def test_figures_that_were_left_out_are_taken_where_the_race_leaves_time(tmp_path, ledger, measuring):
    plan = made_plan(tmp_path, "lora", **ASKED)
    budget = int(worst(resized(plan, 1, 3, beside=False), made_rates(plan)).all_s / AIM) + 1
    plan = made_plan(tmp_path, "lora", **ASKED, budget=f"{budget}s")
    held = Budgeted(plan, ledger)
    held.begin()
    held.measure(None, tmp_path)
    assert NO_FIGURES in held.fitted.left_out
    for sentence in held.fitted.left_out:
        ledger.note("", "left out", sentence)
    assert held.figures_after_all(), "hardly a second has gone by"
    assert held.plan.spec.measure == plan.spec.measure
    assert NO_FIGURES not in held.fitted.left_out
    assert NO_FIGURES not in left_out(ledger.events())
    assert not held.figures_after_all(), "told once"
    again = Budgeted(plan, ledger)
    assert (again.plan.spec, again.fitted) == (held.plan.spec, held.fitted)
    again.begin()
    assert [event["what"] for event in ledger.events()].count("forecast") == 2, "the first, and the one with figures"
    assert Budgeted(plan, ledger).fitted == held.fitted
    (beside,) = [row for row in compare(ledger) if row.name.startswith("latency")]
    assert beside.low_s == held.fitted.forecast.best.seconds["beside"] > 0


def test_figures_stay_out_where_the_time_is_gone(tmp_path, ledger, measuring, clock):
    plan = made_plan(tmp_path, "lora", **ASKED)
    budget = int(worst(resized(plan, 1, 3, beside=False), made_rates(plan)).all_s / AIM) + 1
    held = Budgeted(made_plan(tmp_path, "lora", **ASKED, budget=f"{budget}s"), ledger)
    held.begin()
    held.measure(None, tmp_path)
    for _ in range(budget):
        next(clock)
    ledger.note("", "run")
    assert not held.figures_after_all()
    assert NO_FIGURES in held.fitted.left_out


def test_another_budget_is_another_forecast(tmp_path, ledger, measuring):
    small, large = (made_plan(tmp_path, "lora", seeds=3, trials=4, budget=budget) for budget in ("8m", "2h"))
    for plan in (small, small, large, large):
        held = Budgeted(plan, ledger)
        held.begin()
        held.measure(None, tmp_path)
    told = [event["detail"] for event in ledger.events() if event["what"] == "forecast"]
    assert len(told) == 2
    assert told[1] == held.fitted.forecast.as_json()

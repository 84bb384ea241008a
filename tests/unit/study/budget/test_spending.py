"""What was spent, against its forecast."""

from itertools import count

import pytest

from made_rates import made_plan, made_rates
from tuneoff.core.cost import Cost
from tuneoff.study.budget.correction import fitted_before
from tuneoff.study.budget.forecast import fit_budget
from tuneoff.study.budget.spending import compare, known_rates, spent_seconds
from tuneoff.study.outcome import JobRow
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


@pytest.fixture
def study(tmp_path):
    plan = made_plan(tmp_path, "lora", "soft_prompt_after", seeds=3, trials=4, budget="30m")
    rates = made_rates(plan)
    return fit_budget(plan, rates), rates


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

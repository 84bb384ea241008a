"""Forecast against fact, in the terminal and on the page; and the forecast's own table before a run."""

from io import StringIO

import pytest
from rich.console import Console

from made_rates import made_plan, made_rates
from made_run import finished, verdict
from tuneoff.cli.forecast_table import print_forecast
from tuneoff.report.details import paint_details
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger
from tuneoff.report.html import page
from tuneoff.study.budget.forecast import fit_budget


@pytest.fixture
def fitted(tmp_path):
    plan = made_plan(tmp_path / "study", "zero_shot", "lora", seeds=3, trials=4, budget="8m")
    return fit_budget(plan, made_rates(plan))


def gathered(folder, *notes):
    finished(folder)
    ledger = open_ledger(folder)
    for what, detail in notes:
        ledger.note("", what, detail)
    found = facts(verdict(), ledger, folder=folder)
    ledger.close()
    return found


def painted(draw):
    console = Console(file=StringIO(), width=80)
    draw(console)
    return console.file.getvalue()


def test_what_was_forecast_stands_beside_what_it_took(tmp_path, fitted):
    found = gathered(tmp_path / "run", ("begin", ""), ("forecast", fitted.forecast.as_json()))
    told = painted(lambda console: paint_details(found, console))
    assert "Forecast and actual time" in told
    assert "first seed" in told
    assert "the whole run" in told
    html = page(found)
    assert '<section id="forecast">' in html
    assert "other seeds" in html


def test_a_run_without_a_forecast_says_nothing_of_it(tmp_path):
    found = gathered(tmp_path / "run")
    assert found.forecast == ()
    assert "Forecast and actual time" not in painted(lambda console: paint_details(found, console))
    assert '<section id="forecast">' not in page(found)


def test_the_forecast_is_shown_with_what_its_budget_leaves_out(fitted):
    told = painted(lambda console: print_forecast(console, fitted))
    assert "lora" in told
    assert "1 GB" in told
    assert "zero_shot (calibrated)" in told
    assert "at worst" in told
    assert "budget: 8m" in told
    assert "left out: " in told

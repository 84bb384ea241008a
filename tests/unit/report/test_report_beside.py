"""Figures beside quality, as the terminal and the page show them."""

import io

import pytest
from rich.console import Console

from made_run import finished
from tuneoff.report.beside import FIGURES, beside
from tuneoff.report.details import paint_details
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger, read_verdict
from tuneoff.report.html import write_report
from tuneoff.report.words import Measure
from tuneoff.study.axes.artifact import GROUPS
from tuneoff.study.outcome import AxisRow

ACCURACY, NLL = Measure("accuracy", True), Measure("nll", False)
LORA = {
    "first_token_ms_1": (181.4, None, None, 5),
    "tokens_per_s_1": (14.2, None, None, 5),
    "cache_bytes_16": (21_233_664.0, None, None, 16),
    "retention_drift": (0.4123, 0.3, 0.5246, 8),
    "reworded": (0.74, 0.62, 0.86, 64),
    "reworded_gap": (0.072, 0.031, 0.113, 64),
    "memorised": (0.71, 0.62, 0.8, 64),
    "overfit": (0.187, 0.089, 0.296, 64),
}


def axis(job, name, value, low=None, high=None, n=0, why=""):
    return AxisRow(job=job, name=name, value=value, low=low, high=high, n=n, why=why)


def lora(**changed):
    return [axis("lora-0", name, *figure) for name, figure in {**LORA, **changed}.items()]


PROMPT = [
    axis("few_shot-0", "retention_drift", 0.0, why="the model is unchanged"),
    axis("few_shot-0", "memorised", None, why="nothing was trained"),
    axis("few_shot-0", "overfit", None, why="nothing was trained"),
    axis("few_shot-0", "copied", None, why="nothing was trained"),
]


def gathered(folder, rows):
    finished(folder)
    ledger = open_ledger(folder)
    ledger.add_axes(rows)
    return facts(read_verdict(folder), ledger, folder=folder)


def painted(made):
    out = io.StringIO()
    paint_details(made, Console(file=out, width=80))
    return out.getvalue()


def test_every_figure_of_a_study_has_its_words():
    assert set(FIGURES) == {name for names in GROUPS.values() for name in names}


@pytest.mark.parametrize(
    ("name", "value", "interval", "counted"),
    [
        ("first_token_ms_1", "181 ms", "", "5 requests"),
        ("tokens_per_s_1", "14.2", "", "5 requests"),
        ("cache_bytes_16", "21.2 MB", "", "16 requests"),
        ("retention_drift", "0.412", "0.300 to 0.525", "8 texts"),
        ("reworded", "74.0 %", "62.0 to 86.0 %", "64 records"),
        ("reworded_gap", "+7.2 points", "+3.1 to +11.3 points", "64 records"),
        ("memorised", "71 %", "62 to 80 %", "64 records"),
        ("overfit", "+18.7 points", "+8.9 to +29.6 points", "64 records"),
    ],
)
def test_figures_as_people_read_them(tmp_path, name, value, interval, counted):
    told = gathered(tmp_path, lora()).beside
    assert told.value("lora", name) == value
    assert told.interval("lora", name) == interval
    assert told.counted("lora", name) == counted


def test_unknown_is_a_dash_with_its_reason_and_zero_is_zero(tmp_path):
    told = gathered(tmp_path, [*lora(), *PROMPT]).beside
    assert told.value("few_shot", "memorised") == "-"
    assert told.value("few_shot", "first_token_ms_1") == "-"
    assert told.value("few_shot", "retention_drift") == "0.000"
    assert told.missing == ("few_shot: nothing was trained",)
    assert "copied" not in told.columns, "no arm has it"
    assert list(told.figures) == ["lora", "few_shot"]


def test_only_what_is_handed_over_is_shown(tmp_path):
    made = gathered(tmp_path, [])
    (lora_standing,) = (row.standing for row in made.rows if row.standing.arm == "lora")
    jobs = [job for job in open_ledger(tmp_path).jobs() if job.arm == "lora"]
    elsewhere = [type(jobs[0])(key="other", arm="lora", trial=0, seed=1, status="done", folder="jobs/other")]
    assert beside([lora_standing], elsewhere, [axis("other", "memorised", 0.9)], ACCURACY).figures == {}


@pytest.mark.parametrize(
    ("overfit", "alarms"),
    [
        ((0.187, 0.089, 0.296, 64), 1),
        ((0.187, -0.01, 0.38, 64), 0),
        ((0.09, 0.05, 0.13, 64), 0),
        ((-0.2, -0.3, -0.1, 64), 0),
        ((None, None, None, 0), 0),
    ],
)
def test_overfitting_is_told_where_it_is_large_and_sure(tmp_path, overfit, alarms):
    told = gathered(tmp_path, lora(overfit=overfit)).beside
    assert len(told.alarms) == alarms
    if alarms:
        assert told.alarms[0].startswith("lora is 18.7 points better on records that it was trained on")
        assert "95 % interval +8.9 to +29.6, 64 records of each" in told.alarms[0]


def test_a_loss_has_nats_and_no_alarm(tmp_path):
    made = gathered(tmp_path, [])
    rows = lora(overfit=(0.5, 0.3, 0.7, 64), reworded_gap=(-0.3, -0.5, -0.1, 64))
    told = beside([row.standing for row in made.rows], open_ledger(tmp_path).jobs(), rows, NLL)
    assert told.alarms == ()
    assert told.value("lora", "reworded_gap") == "+0.300 nats", "the loss rose in other words"
    assert told.interval("lora", "reworded_gap") == "+0.100 to +0.500 nats"


def test_the_terminal_shows_it_at_80_columns(tmp_path):
    text = painted(gathered(tmp_path, [*lora(), *PROMPT]))
    assert max(len(line) for line in text.splitlines() if "tuneoff" not in line) <= 80
    row = next(
        line
        for line in text.partition("Latency, drift, robustness and memorisation")[2].splitlines()
        if line.strip().startswith("lora")
    )
    assert row.split() == ["lora", "181", "ms", "0.412", "+7.2", "71", "%", "+18.7"]
    assert "- lora is 18.7 points better" in text
    assert "8 texts (drift)" in text
    assert "- few_shot: nothing was trained" in text


def test_the_page_shows_it(tmp_path):
    gathered(tmp_path, [*lora(), *PROMPT])
    page = write_report(tmp_path).read_text(encoding="utf-8")
    section = page.partition('<section id="beside">')[2].partition("</section>")[0]
    assert "+18.7 points<small>+8.9 to +29.6 points</small><small>64 records</small>" in section
    assert '<p class="alarm"><strong>Overfitting.</strong> lora is 18.7 points better' in page
    assert "few_shot: nothing was trained." in section
    assert section.count("<span>-</span>") == 4, "of few_shot, in the table where it has a figure"


def test_a_run_without_figures_has_no_such_table(tmp_path):
    text = painted(gathered(tmp_path, []))
    assert "Latency, drift" not in text
    assert 'id="beside"' not in write_report(tmp_path).read_text(encoding="utf-8")

"""tuneoff run: progress, the verdict, what to type next. (The whole story is in tests/story.)"""

import json

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from tiny_study import put_model, put_rows, put_study, rows
from tuneoff.cli.main import app
from tuneoff.cli.progress import Shown
from tuneoff.report.words import Measure

torch.set_num_threads(1)
RUN = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("run")
    put_model(made)
    put_rows(made / "data.jsonl", [{**row, "ticket": at} for at, row in enumerate(rows())])
    put_study(made, ["zero_shot", "lora"], seeds=1)
    return made


@pytest.fixture(scope="module")
def result(folder):
    return RUN.invoke(app, ["run", str(folder / "study.toml"), "--out", str(folder / "out")])


def test_it_ends_with_a_verdict_and_the_next_words(folder, result):
    assert result.exit_code == 0, result.output
    said = result.output
    assert "24 train, 12 validation, 20 test records" in said
    assert "columns not used: ticket" in said
    assert "loading model" in said
    for arm in ("majority", "tfidf", "zero_shot", "zero_shot (calibrated)", "lora, seed 1", "test: lora, seed 1"):
        assert arm in said
    assert f"report    {folder / 'out' / 'report.html'} (open it in a browser)" in said
    assert f"next      tuneoff predict {folder / 'out'} YOUR_RECORDS.jsonl" in said
    assert "Traceback" not in said


def test_the_end_of_a_run_fits_one_screen(folder, result, monkeypatch):
    """Run again, it paints the same verdict: the answer, the reasons, the table, what to type next."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    said = RUN.invoke(app, ["run", "study.toml", "--out", "out"]).stdout
    lines = said.partition("done already\n")[2].splitlines()
    assert len(lines) <= 40
    assert max(len(line) for line in lines) <= 80
    assert lines[1].startswith("tiny   So far: "), "one pass is no training"
    for arm in ("majority", "tfidf", "zero_shot", "zero_shot (calibrated)", "lora, unfinished"):
        assert any(line[2:].startswith(f"{arm} ") for line in lines), "no name is broken"
    assert [line.split("  ")[0] for line in lines[-3:]] == ["next", "report", "more"]


def test_no_warning_of_a_library_stands_between_the_lines(result):
    assert "Warning" not in result.stdout
    assert "deprecated" not in result.output


def test_what_lies_in_the_folder(folder, result):
    names = {path.name for path in (folder / "out").iterdir()}
    assert {"verdict.json", "report.html", "ledger.sqlite", "study.toml", "jobs"} <= names
    assert (folder / "out/study.toml").read_text() == (folder / "study.toml").read_text()
    assert json.loads((folder / "out/verdict.json").read_text())["study"] == "tiny"


def test_again_it_says_that_all_is_done(folder, result):
    again = RUN.invoke(app, ["run", str(folder / "study.toml"), "--out", str(folder / "out")])
    assert again.exit_code == 0
    assert "all jobs of this study were done already" in again.output
    assert "loading model" not in again.output


def test_a_changed_study_leaves_the_runs_copy_alone(folder, result, tmp_path):
    before = (folder / "out/study.toml").read_text()
    (folder / "changed.toml").write_text(before + "\n[prompt]\ninstruction = 'Well?'\n")
    again = RUN.invoke(app, ["run", str(folder / "changed.toml"), "--out", str(folder / "out")])
    assert again.exit_code == 2
    assert "the study file changed since this run began" in again.output
    assert (folder / "out/study.toml").read_text() == before


def test_without_out_the_folder_is_runs_name(folder, result, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    put_study(folder / "small", ["zero_shot"], model={"name": str(folder / "model")}, name="mine")
    done = RUN.invoke(app, ["run", str(folder / "small")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "runs/mine/verdict.json").is_file()


@pytest.mark.parametrize(
    ("figure", "why", "said"),
    [
        (0.5, "", "      0 s       50.0 %               lora [r=8], seed 1"),
        (None, "", "      0 s                            lora [r=8], seed 1"),
        (None, "no room", "      0 s       failed               lora [r=8], seed 1: no room"),
    ],
)
def test_a_line_per_job_where_there_is_no_terminal(figure, why, said):
    console = Console(file=None, force_terminal=False, width=200)
    shown = Shown(console, Measure("accuracy", up=True))
    with console.capture() as captured:
        shown.job("lora [r=8], seed 1", 0.0, 10.0)
        shown.step(1, 4, None)
        shown.done("lora [r=8], seed 1", figure, why)
    heads, line = captured.get().splitlines()
    assert heads == "     took   validation         left  job"
    assert line == said


def test_jobs_that_were_trained_together_share_the_time_of_the_first_line():
    console = Console(file=None, force_terminal=False, width=200)
    shown = Shown(console, Measure("nll", up=False))
    with console.capture() as captured:
        for label in ("lora and ia3", "zero_shot"):
            shown.job(label, 0.0, 10.0)
            for arm in label.split(" and "):
                shown.done(arm, 0.5)
    _, first, second, alone = captured.get().splitlines()
    assert second.split("  ")[0] == "same pass"
    assert "0.500 nats" in second
    assert "same pass" not in first + alone


def test_what_the_race_stops_is_a_line_with_its_reason():
    console = Console(file=None, force_terminal=False, width=200)
    with console.capture() as captured:
        Shown(console, Measure("accuracy", up=True)).dropped("ia3, seed 1", "stopped early: behind lora at rung 2")
    (line,) = captured.get().splitlines()
    assert line.split("  ")[-1].strip() == "ia3, seed 1: stopped early: behind lora at rung 2"
    assert "stopped" in line


def test_on_a_terminal_a_long_line_goes_on_below_where_it_began():
    console = Console(file=None, force_terminal=True, width=80, color_system=None)
    why = "one seed is enough: worse on validation than lora"
    with console.capture() as captured:
        Shown(console, Measure("accuracy", up=True)).dropped("few_shot (calibrated), seed 2", why)
    first, *rest = captured.get().splitlines()
    began = first.index("few_shot")
    assert rest
    assert all(len(line) <= 80 and line[:began].isspace() for line in rest)
    assert " ".join([first[began:], *(line.strip() for line in rest)]) == f"few_shot (calibrated), seed 2: {why}"

"""tuneoff show and tuneoff report."""

import json

from made_run import finished, unfinished
from typer.testing import CliRunner

from tuneoff.cli.main import app

RUN = CliRunner()


def test_show_paints_the_verdict(tmp_path):
    result = RUN.invoke(app, ["show", str(finished(tmp_path))])
    assert result.exit_code == 0
    assert "Recommended: lora" in result.stdout
    assert "81.2 %" in result.stdout


def test_show_json_is_verdict_json(tmp_path):
    result = RUN.invoke(app, ["show", str(finished(tmp_path)), "--json"])
    assert json.loads(result.stdout) == json.loads((tmp_path / "verdict.json").read_text())


def test_show_before_the_verdict_says_how_far_it_is(tmp_path):
    result = RUN.invoke(app, ["show", str(unfinished(tmp_path))])
    assert result.exit_code == 2
    assert "error: this run has no verdict yet" in result.stderr
    assert "5 jobs: 1 done, 1 running, 1 failed, 2 planned" in result.stderr
    assert "tuneoff run" in result.stderr


def test_show_of_no_run(tmp_path):
    result = RUN.invoke(app, ["show", str(tmp_path)])
    assert result.exit_code == 2
    assert "error: this folder holds no run" in result.stderr


def test_report_writes_the_page(tmp_path):
    result = RUN.invoke(app, ["report", str(finished(tmp_path))])
    assert result.exit_code == 0
    assert result.stdout == f"wrote {tmp_path / 'report.html'}\n"
    assert (tmp_path / "report.html").stat().st_size > 1_000_000


def test_report_to_another_place(tmp_path):
    place = tmp_path / "deep" / "page.html"
    result = RUN.invoke(app, ["report", str(finished(tmp_path)), "--out", str(place)])
    assert result.exit_code == 0
    assert place.is_file()

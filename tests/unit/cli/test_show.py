"""tuneoff show and tuneoff report."""

import json

from typer.testing import CliRunner

from made_run import COSTS, finished, unfinished
from tuneoff.cli.main import app
from tuneoff.report.folder import open_ledger
from tuneoff.study.outcome import Outcome
from tuneoff.study.plan import make_plan
from tuneoff.study.spec import StudySpec

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


def with_data(tmp_path):
    """The run folder of a study whose data file is there."""
    rows = [{"text": f"tweet {at} of mine", "label": ("joy", "anger")[at % 2]} for at in range(80)]
    (tmp_path / "tweets.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (tmp_path / "run").mkdir()
    folder = finished(tmp_path / "run")
    spec = StudySpec.build({"data": {"path": "tweets.jsonl", "input": ["text"], "answer": "label"}}, "study.toml")
    plan = make_plan(spec.model_copy(update={"folder": str(tmp_path)}))
    shown = plan.data.validation[0]
    ledger = open_ledger(folder)
    ledger.set_meta("spec", spec.model_dump_json())
    ledger.set_meta("folder", str(tmp_path))
    row = {"metric": "accuracy", "split": "validation", "record": shown.id}
    for job, right in (("lora-0", 1.0), ("zero_shot-0", 0.0)):
        ledger.finish(job, COSTS["lora"], [Outcome(job=job, stats=(right,), answer=shown.target, **row)])
    ledger.close()
    return folder, shown


def test_report_shows_the_texts_of_validation_records(tmp_path):
    folder, shown = with_data(tmp_path)
    result = RUN.invoke(app, ["report", str(folder)])
    assert result.exit_code == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"<blockquote>{shown.text}</blockquote>" in page


def test_report_without_the_data_says_so_and_shows_ids(tmp_path):
    folder, shown = with_data(tmp_path)
    (tmp_path / "tweets.jsonl").unlink()
    result = RUN.invoke(app, ["report", str(folder)])
    assert result.exit_code == 0
    assert "the examples are without their texts" in result.stderr
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert f"record <code>{shown.id}</code>" in page
    assert shown.text not in page


def test_report_to_another_place(tmp_path):
    place = tmp_path / "deep" / "page.html"
    result = RUN.invoke(app, ["report", str(finished(tmp_path)), "--out", str(place)])
    assert result.exit_code == 0
    assert place.is_file()

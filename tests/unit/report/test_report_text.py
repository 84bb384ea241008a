"""The verdict in the terminal: 80 columns, no colour."""

import io

from rich.console import Console

from made_run import finished, standing, verdict
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger, read_verdict
from tuneoff.report.text import paint


def painted(folder, judged=None, width=80):
    finished(folder, judged)
    out = io.StringIO()
    paint(facts(read_verdict(folder), open_ledger(folder), folder=folder), Console(file=out, width=width))
    return out.getvalue()


def test_all_is_there_at_80_columns_without_colour(tmp_path):
    text = painted(tmp_path)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    for piece in ("lora", "few_shot", "zero_shot", "full", "81.2 %", "77.2 to 85.2 %", "922 k", "3 min 20 s", "3.7 MB"):
        assert piece in text
    assert text.index("Tuning pays.") < text.index("Standings")


def test_winners_are_marked_by_signs(tmp_path):
    lines = painted(tmp_path, verdict(winners=("lora", "few_shot"), recommended="lora")).splitlines()
    assert any(line.lstrip().startswith(">") and "lora" in line and "81.2 %" in line for line in lines)
    assert any(line.lstrip().startswith("*") and "few_shot" in line for line in lines)
    assert "* not ruled out: no other arm is shown to beat it" in lines


def test_one_seed_and_failure_are_said(tmp_path):
    text = painted(tmp_path)
    assert "70.1 to 78.1 %?" in text
    assert "? one seed only" in text
    assert "x full: out of memory at the first step" in text


def test_long_names_fold_and_no_figure_is_lost(tmp_path):
    long = "instruction_tuning -> lora + soft_prompt_after"
    rows = (standing(long, 0.812), standing("zero_shot", 0.603))
    text = painted(tmp_path, verdict(standings=rows, winners=(long,), recommended=long, contrasts=()))
    assert "77.2 to 85.2 %" in text
    assert "…" not in text
    assert max(len(line) for line in text.splitlines() if "tuneoff" not in line) <= 80


def test_names_are_no_markup(tmp_path):
    rows = (standing("[red]lora[/red]", 0.8),)
    text = painted(tmp_path, verdict(standings=rows, contrasts=(), winners=(), recommended=None, reason="[bold]open"))
    assert "[red]lora[/red]" in text
    assert "[bold]open" in text
    assert "Recommended: no arm" in text


def test_records_that_were_cut_are_told(tmp_path):
    finished(tmp_path)
    ledger = open_ledger(tmp_path)
    job = next(row for row in ledger.jobs() if row.arm == "few_shot")
    for _ in range(2):  # a restarted job notes it again
        ledger.note(job.key, "shortened", "test: of 150 records 3 lost demonstrations to fit")
    ledger.close()
    said = painted(tmp_path)
    assert said.count(f"few_shot, seed {job.seed + 1}, test: of 150 records 3 lost demonstrations to fit") == 1


def test_front_trials_and_what_would_change_it(tmp_path):
    text = " ".join(painted(tmp_path).split())
    assert "None tested is better for less (prompt tokens per request, plain means): lora." in text
    assert "Settings tried: peft 1 (lora 1); prompting 3 (few_shot 2, zero_shot 1)." in text
    assert "What would change this - zero_shot (60.3 %) is the better bargain where a prompt token is worth" in text
    assert "- A larger budget would have room for more: the second and third seed of full." in text


def test_an_arm_that_is_ruled_out_keeps_its_validation_figure(tmp_path):
    why = "first token takes 181 ms, the limit is 100"
    rows = (standing("zero_shot", 0.6), standing("lora", None, status="ruled out", why=why, validation=0.83))
    text = painted(tmp_path, verdict(standings=rows, contrasts=(), winners=("zero_shot",), recommended="zero_shot"))
    assert f"x lora: {why} (on validation: 83.0 %)" in text
    assert "81.2 %" not in text.partition("Standings")[2]


def test_scores_are_a_column_where_the_study_weighs_costs(tmp_path):
    rows = (standing("lora", 0.812, score=80.75), standing("zero_shot", 0.603))
    decision = {"cost": "serving", "prefer": "cheapest", "limits": {}, "weights": {"serving": 0.01}}
    judged = verdict(standings=rows, contrasts=(), facts={**verdict().facts, "decision": decision})
    text = painted(tmp_path, judged)
    assert "80.75" in text
    assert "> recommended: the highest score of the best" in text
    (tmp_path / "plain").mkdir()
    assert "score" not in painted(tmp_path / "plain").partition("Standings")[2].partition("What each")[0]

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
    assert "* also best: no other arm beats it" in lines


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

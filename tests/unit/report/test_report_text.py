"""The verdict in the terminal: one screen of 80 columns, no colour; and all that stands behind it."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from made_run import finished, standing, verdict
from tuneoff.report.details import paint_details
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger, read_verdict
from tuneoff.report.text import paint

LINES = 40
LONG = "instruction_tuning -> lora + soft_prompt_after"


def painted(folder, judged=None, *, draw=paint):
    if not (folder / "verdict.json").exists():
        finished(folder, judged)
    out = io.StringIO()
    console = Console(file=out, width=80, markup=False, emoji=False)
    draw(facts(read_verdict(folder), open_ledger(folder), folder=folder), console)
    return out.getvalue()


def shown_folder(tmp_path, monkeypatch):
    """A run folder with a short name, as a person types it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path.relative_to(tmp_path) / "run"
    folder.mkdir()
    return folder


def test_the_answer_the_reason_the_table_and_what_to_type_on_one_screen(tmp_path, monkeypatch):
    text = painted(shown_folder(tmp_path, monkeypatch))
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert len(lines) <= 24
    assert "\x1b" not in text
    parts = ("Recommended: lora", "lora wins", "- Tuning pays.", "> lora", "- Measured on", "tuneoff predict run YOUR_")
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    for piece in ("few_shot", "zero_shot", "full", "77.2 to 85.2 %", "3.7 MB", "report    tuneoff report run"):
        assert piece in text
    assert "retry     tuneoff run run/study.toml --out run --retry-failed" in text


@pytest.mark.parametrize("draw", [paint, paint_details])
def test_no_line_is_longer_and_no_word_is_broken(tmp_path, monkeypatch, draw):
    """Twelve arms with the longest names that combinations have."""
    names = [f"{LONG} {number}" for number in range(12)]
    rows = tuple(standing(name, 0.812 - number / 100, unreadable=0.02) for number, name in enumerate(names))
    judged = verdict(standings=rows, winners=(names[0],), recommended=names[0], contrasts=())
    text = painted(shown_folder(tmp_path, monkeypatch), judged, draw=draw)
    own = [line for line in text.splitlines() if "tuneoff" not in line and "sqlite3" not in line]
    assert max(len(line) for line in own) <= 80
    assert "\u2026" not in text
    for word in LONG.split():
        assert text.count(word) >= 12, "whole in every row"


def test_a_screen_holds_nine_arms(tmp_path, monkeypatch):
    rows = tuple(standing(f"arm {number}", 0.812 - number / 100) for number in range(9))
    judged = verdict(standings=rows, winners=("arm 0",), recommended="arm 0", contrasts=())
    assert len(painted(shown_folder(tmp_path, monkeypatch), judged).splitlines()) <= LINES


def test_winners_are_marked_by_signs(tmp_path):
    lines = painted(tmp_path, verdict(winners=("lora", "few_shot"), recommended="lora")).splitlines()
    assert any(line.startswith("> lora ") and "81.2 %" in line for line in lines)
    assert any(line.startswith("* few_shot ") for line in lines)
    assert any(line.startswith("x full ") for line in lines)
    assert "> recommended   * may be the best   x no test figure" in [line.strip() for line in lines]


def test_a_column_for_unreadable_answers_only_where_there_are_some(tmp_path):
    assert " readable" in painted(tmp_path), "zero_shot has 5 %"
    rows = (standing("lora", 0.812), standing("few_shot", 0.741))
    (tmp_path / "clean").mkdir()
    assert " readable" not in painted(tmp_path / "clean", verdict(standings=rows, contrasts=()))


def early(**more):
    """lora and few_shot tie, and lora was not finished."""
    rows = verdict().standings
    lora = replace(rows[0], training="improving", more_steps=120, more_s=240.0)
    facts_ = {**verdict().facts, "unfinished": ["lora"]}
    table = {"standings": (lora, *rows[1:]), "winners": ("few_shot", "lora"), "recommended": "few_shot"}
    return verdict(**{**table, "facts": facts_, **more})


def test_an_unfinished_arm_is_marked_and_the_recommendation_is_one_so_far(tmp_path, monkeypatch):
    text = painted(shown_folder(tmp_path, monkeypatch), early())
    assert "So far: few_shot" in text
    assert "Recommended: few_shot" not in text
    assert "> recommended so far   * may be the best" in text
    assert any(line.startswith("* lora, unfinished ") for line in text.splitlines())
    assert (
        "go on     raise the budget, or epochs under [train], then type\n          tuneoff run run/study.toml" in text
    )


def test_an_unfinished_arm_that_is_recommended_stays_so(tmp_path):
    text = painted(tmp_path, early(winners=("lora",), recommended="lora"))
    assert "Recommended: lora" in text
    assert "lora, unfinished" in text


def test_names_are_no_markup(tmp_path):
    rows = (standing("[red]lora[/red]", 0.8),)
    text = painted(tmp_path, verdict(standings=rows, contrasts=(), winners=(), recommended=None, answer="[bold]open"))
    assert "[red]lora[/red]" in text
    assert "[bold]open" in text
    assert "Recommended: no arm" in text


def test_records_that_were_cut_are_told(tmp_path):
    finished(tmp_path)
    ledger = open_ledger(tmp_path)
    jobs = [row for row in ledger.jobs() if row.arm != "full"]
    for job in jobs * 2:  # a restarted job notes it again
        ledger.note(job.key, "shortened", "test: of 150 records 3 lost demonstrations to fit")
    ledger.close()
    words = "seed 1, test: of 150 records 3 lost demonstrations to fit"
    assert painted(tmp_path).count(words.partition(", ")[2]) == 2
    assert f"- {len(jobs) - 2} more remarks: see --all" in painted(tmp_path)
    assert " ".join(painted(tmp_path, draw=paint_details).split()).count(f"few_shot, {words}") == 1


def test_costs_trials_and_what_would_change_it(tmp_path):
    text = painted(tmp_path, draw=paint_details)
    for piece in ("922 k", "3 min 20 s", "3.7 MB", "- peft 1 (lora 1)", "- prompting 3 (few_shot 2, zero_shot 1)"):
        assert piece in text
    words = " ".join(text.split())
    assert "What would change the recommendation - zero_shot (60.3 %) is preferred if a prompt token costs" in words
    assert "- A larger budget would have room for more: the second and third seed of full." in words
    assert "lora minus few_shot +7.1 +2.0 to +12.2 0.012 different" in words


def test_scores_are_a_column_where_the_study_weighs_costs(tmp_path):
    rows = (standing("lora", 0.812, score=80.75), standing("zero_shot", 0.603))
    assert "80.75" in painted(tmp_path, verdict(standings=rows, contrasts=()))
    (tmp_path / "plain").mkdir()
    assert " score" not in painted(tmp_path / "plain")

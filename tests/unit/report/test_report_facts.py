"""What the painters are given."""

from pathlib import Path

import pytest

from made_run import COSTS, TEXTS, finished, standing, unfinished, verdict
from tuneoff.core.errors import StudyError
from tuneoff.report.errors import Missed, errors
from tuneoff.report.facts import facts
from tuneoff.report.folder import open_ledger, read_verdict
from tuneoff.report.words import Measure, count, probability, says, seconds, size
from tuneoff.study.outcome import JobRow, Outcome
from tuneoff.study.verdict.judgement import Contrast


def gathered(folder: Path, texts=None):
    return facts(read_verdict(folder), open_ledger(folder), folder=folder, texts=texts)


@pytest.fixture
def made(tmp_path):
    return gathered(finished(tmp_path), TEXTS)


def test_rows_keep_the_verdicts_order_and_are_marked(made):
    marks = [(row.standing.arm, row.mark) for row in made.rows]
    assert marks == [("lora", "recommended"), ("few_shot", "tested"), ("zero_shot", "tested"), ("full", "out")]


def test_second_winner_is_marked_so(tmp_path):
    made = gathered(finished(tmp_path, verdict(winners=("lora", "few_shot"), recommended="few_shot")))
    assert [row.mark for row in made.rows][:2] == ["winner", "recommended"]


def test_each_axis_has_the_judged_arms_with_their_cost(made):
    axes = {axis.key: axis for axis in made.axes}
    assert list(axes) == ["prompt_tokens", "trainable", "train_s", "artifact_bytes"], "the chosen cost comes first"
    assert [axis.front for axis in made.axes] == [("lora",), (), (), ()]
    assert [(point.arm, point.cost) for point in axes["trainable"].points] == [
        ("lora", 921_600),
        ("few_shot", 0),
        ("zero_shot", 0),
    ]


def test_unknown_cost_is_named_and_not_drawn_at_zero(tmp_path):
    rows = (standing("lora", 0.8), standing("zero_shot", 0.6, cost={"prompt_tokens": None, "trainable": 0}))
    made = gathered(finished(tmp_path, verdict(standings=rows)))
    axis = next(axis for axis in made.axes if axis.key == "prompt_tokens")
    assert [point.arm for point in axis.points] == ["lora"]
    assert axis.unknown == ("zero_shot",)


def test_curves_one_a_job_with_its_gaps(made):
    assert [(curve.arm, curve.seed) for curve in made.curves] == [("lora", 0), ("lora", 1), ("lora", 2)]
    assert made.curves[1].records == (125, 250, 375, 500)
    assert made.curves[1].value == (0.5, 0.71, None, 0.8)


def test_disagreements_are_validation_records_furthest_apart_first(made):
    assert [one.record for one in made.disagreements] == ["record1", "record2", "record3"]
    first = made.disagreements[0]
    assert first.target == "joy"
    assert [(said.arm, said.answer, said.agree, said.seeds, said.score) for said in first.said] == [
        ("lora", "joy", 3, 3, 1.0),
        ("few_shot", "anger", 1, 1, 0.0),
        ("zero_shot", "joy", 1, 1, 1.0),
    ]


def test_errors_are_the_recommended_arms_on_validation(made, tmp_path):
    assert made.errors.arm == "lora"
    assert sum(one.asked for one in made.errors.missed) % 3 == 0, "three seeds"
    assert gathered(finished(tmp_path / "bare")).errors is None, "the wanted answers are not known"
    written = verdict()
    written.facts["kind"] = "text"
    assert gathered(finished(tmp_path / "text", written), TEXTS).errors is None


def test_errors_by_wanted_answer_most_wrong_first():
    def said(*answers):
        row = {"job": "x", "metric": "accuracy", "split": "validation", "stats": (0.0,)}
        return [Outcome(record="any", answer=answer, **row) for answer in answers]

    answers = {"1": said("joy", "fear"), "2": said("fear", "fear"), "3": said("anger", "joy"), "4": said("love")}
    found = errors("lora", answers, {"1": "joy", "2": "fear", "3": "fear"})
    assert found.missed == (
        Missed("fear", right=2, asked=4, instead=(("anger", 1), ("joy", 1))),
        Missed("joy", right=1, asked=2, instead=(("fear", 1),)),
    )
    assert (found.more, found.clean) == (0, 0)
    assert errors("lora", {"2": said("fear")}, {"2": "fear"}).clean == 1
    many = errors("lora", {str(at): said("x") for at in range(15)}, {str(at): f"label {at}" for at in range(15)})
    assert (len(many.missed), many.more) == (12, 3)


def test_test_records_are_never_shown(tmp_path):
    folder = finished(tmp_path)
    ledger = open_ledger(folder)
    ledger.add_job(JobRow(key="ia3-0", arm="zero_shot", trial=0, seed=9, status="planned"))
    row = {"job": "ia3-0", "metric": "accuracy", "split": "test", "stats": (0.0,), "answer": "x"}
    ledger.finish_test("ia3-0", COSTS["lora"], [Outcome(record="record91", **row)])
    ledger.close()
    shown = {one.record for one in gathered(folder).disagreements}
    assert shown == {"record1", "record2", "record3"}


def test_without_texts_only_ids_are_shown(tmp_path):
    made = gathered(finished(tmp_path))
    assert {(one.text, one.target) for one in made.disagreements} == {(None, None)}


def test_rungs_on_the_way_do_not_count(tmp_path):
    folder = finished(tmp_path)
    ledger = open_ledger(folder)
    early = Outcome(job="few_shot-0", record="record1", metric="accuracy", split="validation", stats=(1.0,), step=1)
    ledger.finish("few_shot-0", COSTS["few_shot"], [early])
    ledger.close()
    assert gathered(folder).disagreements == gathered(finished(tmp_path / "plain")).disagreements


def test_spent_sums_all_jobs(made):
    assert (made.spent.jobs, made.spent.done, made.spent.train_s) == (6, 5, 600.0)
    assert made.spent.failures == ("full, seed 1: out of memory at the first step",)


def test_commands_quote_what_a_shell_would_break(tmp_path):
    folder = tmp_path / "my run"
    folder.mkdir()
    judged = verdict(winners=("lora -> ia3",), recommended="lora -> ia3")
    lines = [command.line for command in gathered(finished(folder, judged)).commands]
    assert lines[0] == f"tuneoff predict '{folder}' YOUR_RECORDS.jsonl --arm 'lora -> ia3'"


def test_rerun_names_the_study_file_that_was_run(tmp_path):
    folder = finished(tmp_path)
    assert f"tuneoff run {folder}/study.toml --out {folder}" in [one.line for one in gathered(folder).commands]
    retry = f"tuneoff run {folder}/study.toml --out {folder} --retry-failed"
    assert retry in [one.line for one in gathered(folder).commands], "one of its jobs failed"
    ledger = open_ledger(folder)
    ledger.set_meta("study_file", "/data/mine.toml")
    ledger.close()
    assert f"tuneoff run /data/mine.toml --out {folder}" in [one.line for one in gathered(folder).commands]


def test_missing_folder_names_the_one_beside_it(tmp_path):
    (tmp_path / "tickets").mkdir()
    with pytest.raises(StudyError, match="run folder not found") as caught:
        read_verdict(tmp_path / "ticket")
    assert "did you mean 'tickets'?" in str(caught.value)


def test_no_verdict_tells_how_far_the_run_is(tmp_path):
    with pytest.raises(StudyError, match="this run has no verdict yet") as caught:
        read_verdict(unfinished(tmp_path))
    text = str(caught.value)
    assert "5 jobs: 1 done, 1 running, 1 failed, 2 planned" in text
    assert "few_shot (seed 1): the disk was full" in text
    assert f"tuneoff run study.toml --out {tmp_path} goes on where it stopped" in text


@pytest.mark.parametrize(
    ("write", "value", "shown"),
    [
        (count, 921_600, "922 k"),
        (count, 999.7, "1 k"),
        (count, 0, "0"),
        (count, None, "-"),
        (size, 3_700_000, "3.7 MB"),
        (size, 300, "300 B"),
        (seconds, 200.0, "3 min 20 s"),
        (seconds, 0.25, "0.25 s"),
        (seconds, 7260, "2 h 1 min"),
        (seconds, None, "-"),
        (probability, 0.0001, "< 0.001"),
        (probability, 0.0123, "0.012"),
        (Measure("accuracy", True).figure, 0.8123, "81.2 %"),
        (Measure("accuracy", True).difference, -0.0312, "-3.1"),
        (Measure("nll", False).figure, 0.4123, "0.412 nats"),
        (Measure("nll", False).difference, 0.0312, "+0.031"),
        (Measure("nll", False).figure, None, "-"),
    ],
)
def test_numbers_as_people_read_them(write, value, shown):
    assert write(value) == shown


def test_intervals_carry_their_unit_once():
    assert Measure("accuracy", True).interval(0.772, 0.852) == "77.2 to 85.2 %"
    assert Measure("nll", False).interval(0.4, 0.5) == "0.400 to 0.500"
    assert Measure("nll", False).interval(None, None) == "-"


def test_a_contrast_in_words():
    row = {"a": "x", "b": "y", "diff": 0.0, "low": -0.1, "high": 0.1, "p": 0.5, "p_adjusted": 0.5, "different": False}
    assert says(Contrast(**row, kind="practically_equal")) == "practically equal"
    assert says(Contrast(**row, note="about 90 more seeds would settle it")) == (
        "open: about 90 more seeds would settle it"
    )

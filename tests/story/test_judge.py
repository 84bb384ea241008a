"""The judge is judged: short forms of its simulations, and what they say of a test that is wrong."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks import judge, judge_recorded
from benchmarks.harness import Settings
from benchmarks.judge import HELD, Case, Limits
from benchmarks.judge_recorded import answers, declared, jackknife, recorded_line
from benchmarks.registry import JUDGES, benchmark
from benchmarks.worlds import Arm, Cell, trials
from scipy.special import ndtr

from tuneoff.core.errors import DataError

QUICK = Settings(quick=True)
STILL = Cell(100, 0.6, (0.0,) * 4, (0.0,) * 4)
MOVED = Cell(300, 0.8, (0.02,) * 4, (0.0,) * 4)
LOOSE = Limits((0.0, 0.08), (0.0, 0.11))  # 150 trials a cell: standard error 1.8 points


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """So many trials of each cell."""
    monkeypatch.setattr(judge, "QUICK", 150)


def records_alone(arms) -> SimpleNamespace:
    """What many do: the means over seeds, tested over records."""
    d_R = arms[0].mean(axis=1) - arms[1].mean(axis=1)
    diff, error = d_R.mean(), d_R.std(ddof=1) / np.sqrt(len(d_R))
    p = 2 * float(ndtr(-abs(diff) / error))
    return SimpleNamespace(diff=diff, p=p, low=diff - 1.96 * error, high=diff + 1.96 * error)


def last(lines) -> dict:
    *_, whole = lines
    return json.loads(json.dumps(whole))


def test_equal_arms_are_declared_different_in_five_percent(monkeypatch):
    monkeypatch.setattr(judge, "aa_cases", lambda: [Case("made", [STILL, MOVED], LOOSE)])
    *cells, whole = judge.judge_aa(QUICK)
    assert whole["passed"]
    assert (whole["cells"], whole["trials"]) == (2, 300)
    assert whole["share"] == pytest.approx(np.mean([line["share"] for line in cells]), abs=1e-4)
    assert whole["worst"]["share"] == max(line["share"] for line in cells)
    for line in cells:
        assert line["error"] == pytest.approx(np.sqrt(line["share"] * (1 - line["share"]) / 150), rel=1e-3)


def test_a_test_over_records_alone_does_not_pass(monkeypatch):
    monkeypatch.setattr(judge, "aa_cases", lambda: [Case("made", [MOVED], LOOSE)])
    monkeypatch.setattr(judge, "pair", records_alone)
    assert not last(judge.judge_aa(QUICK))["passed"]


def test_the_grid_has_what_it_says():
    cases = {case.name: case for case in judge.aa_cases()}
    every = [cell for case in cases.values() for cell in case.cells]
    assert len(every) == len(set(every))
    assert all(max(cell.moves) <= min(0.06, 0.55 * (1 - cell.accuracy)) + 1e-9 for cell in every)
    assert {cell.moves[0] for cell in cases["equal"].cells} == set(judge.MOVES)
    assert all(cell.records * (1 - cell.accuracy) < 15 for cell in cases["few errors"].cells)
    assert all(cell.records * (1 - cell.accuracy) > 14.9 for cell in cases["equal"].cells + cases["unequal"].cells)
    patterns = {tuple(round(m / min(cell.moves)) for m in cell.moves) for cell in cases["unequal"].cells}
    assert patterns == set(judge.PATTERNS)
    assert {len(cell.moves) for cell in cases["eight arms"].cells} == {8}


def test_intervals_hold_the_true_difference(monkeypatch):
    both = judge._both([MOVED])
    assert [cell.below[1] > 0 for cell in both] == [False, True]
    monkeypatch.setattr(judge, "coverage_cases", lambda: [(Case("made", both, HELD), judge._holds_difference)])
    assert last(judge.judge_coverage(QUICK))["share"] > 0.91
    monkeypatch.setattr(judge, "pair", records_alone)
    assert last(judge.judge_coverage(QUICK))["passed"] is False


def test_intervals_hold_an_arms_mean():
    assert judge._holds_mean(MOVED, 150).mean() > 0.91
    one_run = Cell(100, 0.8, (0.0,), (0.0,), seeds=1)
    assert judge._run_holds_mean(one_run, 400).mean() > 0.91
    assert judge._run_holds_mean(Cell(100, 0.8, (0.06,), (0.0,), seeds=1), 400).mean() < 0.91


def test_power_is_told_beside_an_oracles(monkeypatch):
    monkeypatch.setattr(judge, "power_cases", lambda: [(Case("made", [STILL], Limits((0.5, 9.0), (0.3, 9.0))), 0.2)])
    *cells, whole = judge.judge_power(QUICK)
    assert [line["oracle"] for line in cells] == pytest.approx(judge.PLANTED, abs=0.12)
    for line in cells:
        assert line["share"] == pytest.approx(line["found"] / line["oracle"], rel=1e-2)
        assert line["found"] <= line["oracle"] + 0.05
    assert whole["passed"]


def test_cells_with_too_many_false_alarms_say_nothing_of_power(monkeypatch):
    monkeypatch.setattr(judge, "power_cases", lambda: [(Case("made", [MOVED], Limits((0.0, 9.0), (0.0, 9.0))), 0.1)])
    monkeypatch.setattr(judge, "pair", records_alone)
    *cells, whole = judge.judge_power(QUICK)
    assert min(line["aa"] for line in cells) > 0.1
    assert (whole["cells"], whole["share"], whole["passed"]) == (0, None, None)


def test_the_best_arms_are_among_the_winners(monkeypatch):
    monkeypatch.setattr(judge, "QUICK", 60)
    cells = [judge._behind(STILL, below) for below in ((0, 0, 2, 6), (0, 0, 0, 0))]
    monkeypatch.setattr(judge, "winner_cases", lambda: [Case("made", cells)])
    some, none, whole, beside = judge.judge_winners(QUICK)
    assert some["winners"] < 3.3 < none["winners"] <= 4
    assert some["winners"] <= some["holm"]
    assert whole["share"] > 0.85
    assert beside["cells"] == (some["holm"] >= judge.LONG)  # where all arms are equal, many winners are right


def test_arms_are_beaten_as_holm_says():
    x_R = np.tile((0.0, 1.0), 50)
    arms = [np.stack([x_R] * 3, axis=1), np.zeros((100, 3)), np.stack([x_R] * 3, axis=1)]
    assert judge.beaten(judge._compared(arms)) == {"b"}


def test_runs_move_as_far_as_an_arm_says():
    arm = Arm(0.75, 0.05, seeds=40)
    for between in (False, True):
        drawn = [x for (x,) in trials(np.random.default_rng(0), [arm], 2000, 40, between)]
        assert np.mean(drawn) == pytest.approx(0.75, abs=0.01)
        within = 0.0 if between else 0.1 / 2000
        assert np.mean([x.mean(axis=0).var(ddof=1) - within for x in drawn]) ** 0.5 == pytest.approx(0.05, rel=0.06)
    assert set(np.unique(next(trials(np.random.default_rng(0), [arm], 50, 1))[0])) == {0.0, 1.0}


def test_the_standard_error_by_formula_is_the_one_drawn():
    cell = Cell(60, 0.7, (0.02, 0.06), (0.0, 0.0))
    diffs = [a.mean() - b.mean() for a, b in cell.drawn(4000)]
    assert np.std(diffs) == pytest.approx(cell.standard_error(), rel=0.04)
    assert np.mean(diffs) == pytest.approx(0.0, abs=0.004)


def test_a_cell_is_drawn_again_alike_and_has_the_arms_it_names():
    cell = Cell(30, 0.7, (0.02, 0.02), (0.0, 0.1), once=True)
    first, again = ([x for arms in cell.drawn(5) for x in arms] for _ in range(2))
    assert all((x == y).all() for x, y in zip(first, again))
    assert [x.shape for x in first[:2]] == [(30, 3), (30, 1)]
    assert cell.arms()[1] == Arm(0.7 - 0.1, 0.0, 1)


def test_an_arm_that_no_luck_moves_so_far_is_refused():
    with pytest.raises(ValueError, match=r"seeds move an arm at accuracy 0\.99 by .* at most, not by 0\.2"):
        Arm(0.99, 0.2)


def put_recording(folder, seed_sd: float, seeds: int = 24, records: int = 120):
    """What benchmarks/record.py writes, in two parts."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    chance = 1 / (1 + np.exp(-(1 + rng.normal(size=(records, 1)) + seed_sd * rng.normal(size=seeds))))
    right = rng.random((records, seeds)) < chance
    for part in range(2):
        rows = [
            {
                "split": split,
                "record": f"{record:04}",
                "arm": "soft_prompt_after",
                "trial": 0,
                "seed": seed,
                "rung": rung,
                "correct": int(right[record, seed]) if split == "test" else 1,
                "p_right": float(chance[record, seed]),
            }
            for seed in range(part, seeds, 2)
            for split, rung in (("validation", 1), ("test", 1))
            for record in range(records)
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / f"part-{part:02}.parquet")
    return right


def test_recorded_copies_are_seldom_called_different(tmp_path):
    right = put_recording(tmp_path / "aa_made", seed_sd=0.3)
    assert (answers(tmp_path / "aa_made", "correct") == right).all()
    line = recorded_line(tmp_path / "aa_made", "correct", replays=150, halves=6, per_half=50)
    assert (line["records"], line["seeds"]) == (120, 24)
    assert line["passed"]
    assert line["allowed"] == pytest.approx(0.05 + 2 * line["standard_error"], abs=1e-4)


def test_recorded_copies_under_a_wrong_test_do_not_pass(tmp_path, monkeypatch):
    put_recording(tmp_path / "aa_made", seed_sd=1.0)
    monkeypatch.setattr(judge_recorded, "pair", records_alone)
    line = recorded_line(tmp_path / "aa_made", "correct", replays=150, halves=6, per_half=50)
    assert line["share"] > 0.3
    assert not line["passed"]


def test_the_error_of_a_share_follows_the_seeds(monkeypatch):
    """Eight of 24 seeds stand apart: which seeds were recorded matters; else only the noise of the replays does."""

    def half_as_often_as_right(x_RS, rng, replays):
        return rng.binomial(replays, x_RS.mean() / 2) / replays

    monkeypatch.setattr(judge_recorded, "declared", half_as_often_as_right)
    rng, alike, apart = np.random.default_rng(0), np.ones((10, 24)), np.ones((10, 24))
    apart[:, :8] = 0.0
    drawn_without_return = np.sqrt(12 * (1 / 3) * (2 / 3) * (12 / 23)) / 12
    assert jackknife(alike, rng, 400, 2000) < 0.004
    assert jackknife(apart, rng, 400, 2000) == pytest.approx(drawn_without_return / 2, rel=0.1)


def test_two_triples_of_equal_columns_are_seldom_called_different():
    rng = np.random.default_rng(0)
    alike = (rng.random((100, 24)) < 0.7).astype(float)
    assert declared(alike, rng, 100) < 0.15


def test_a_recording_with_a_hole_and_none_at_all_are_said(tmp_path, monkeypatch):
    put_recording(tmp_path / "aa_made", seed_sd=0.3, records=10)
    table = pq.read_table(tmp_path / "aa_made" / "part-00.parquet").to_pylist()
    pq.write_table(pa.Table.from_pylist(table[:-1]), tmp_path / "aa_made" / "part-00.parquet")
    with pytest.raises(DataError, match="1 answers are missing, the first of seed 22"):
        answers(tmp_path / "aa_made", "correct")
    monkeypatch.setattr(judge_recorded, "HERE", tmp_path / "empty")
    with pytest.raises(DataError, match="no recording of copies"):
        next(judge_recorded.judge_aa_recorded(QUICK))


def test_every_judge_has_a_name():
    names = {name for name in JUDGES if name.startswith("judge")}
    assert {benchmark(name).__name__ for name in names} == names

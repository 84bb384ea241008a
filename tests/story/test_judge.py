"""The judge is judged: short forms of its simulations, and what they say of a test that is wrong."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks import judge, judge_recorded
from benchmarks.harness import Settings
from benchmarks.judge_recorded import answers, declared, jackknife, recorded_line
from benchmarks.registry import JUDGES, benchmark
from benchmarks.worlds import Arm, expected, once, trials

from tuneoff.core.errors import DataError
from tuneoff.stats.crossed import UNKNOWN, components
from tuneoff.stats.paired import Paired, paired

QUICK = Settings(quick=True)


@pytest.fixture
def few(monkeypatch):
    """A small corner of the grid."""
    monkeypatch.setattr(judge, "RECORDS", (50, 100, 200))
    monkeypatch.setattr(judge, "ACCURACIES", (0.6, 0.9))
    monkeypatch.setattr(judge, "SPREADS", (0.0, 0.3))
    monkeypatch.setattr(judge, "QUICK", 60)
    monkeypatch.setattr(judge._grid, "__defaults__", ((50, 100, 200), (0.0, 0.3), (0.6, 0.9)))


def record_alone(d_RS, floor=UNKNOWN) -> Paired:
    """What many do: the seeds' mean, tested over records."""
    return paired(d_RS.mean(axis=1, keepdims=True))


def last(lines) -> dict:
    *_, whole = lines
    return json.loads(json.dumps(whole))


def test_equal_arms_are_declared_different_in_five_percent(few):
    lines = list(judge.judge_aa(QUICK))
    wholes = [line for line in lines if line["case"].endswith("all")]
    assert [line["cells"] for line in wholes] == [12, 8]
    assert [line["passed"] for line in wholes] == [True, True]
    assert all(line["low"] <= line["share"] <= line["high"] for line in lines)


def test_a_test_over_records_alone_does_not_pass(few, monkeypatch):
    monkeypatch.setattr(judge, "paired", record_alone)
    assert not last(judge.judge_aa(QUICK))["passed"]


def test_a_family_of_copies_is_seldom_told_apart(monkeypatch):
    monkeypatch.setattr(judge, "_grid", lambda *_, accuracies: [{"records": 200, "accuracy": 0.8, "spread": 0.1}])
    assert last(judge.judge_family(QUICK))["share"] <= 0.15
    monkeypatch.setattr(judge, "holm", lambda p_N: p_N)
    assert last(judge.judge_family(Settings(quick=True)))["share"] > 0.15


def test_intervals_hold_the_true_mean(few):
    three, one = [line for line in judge.judge_coverage(QUICK) if line["case"].endswith("all")]
    assert three["passed"]
    assert one["share"] > 0.92


def test_narrow_intervals_do_not_pass(few, monkeypatch):
    monkeypatch.setattr(judge, "crossed_interval", lambda x_RS: judge.mean_interval(x_RS.mean(axis=1)))
    assert not next(line for line in judge.judge_coverage(QUICK) if line["case"].endswith("all"))["passed"]


def test_planted_differences_are_found_as_theory_says(monkeypatch):
    monkeypatch.setattr(judge, "_grid", lambda *_: [{"records": 200, "accuracy": 0.6, "spread": 0.1}])
    monkeypatch.setattr(judge, "QUICK", 300)
    lines = list(judge.judge_power(QUICK))
    assert [line["planted"] for line in lines[:-1]] == list(judge.PLANTED)
    assert all(abs(line["share"] - line["theory"]) < 0.1 for line in lines[:-1])
    assert lines[0]["theory"] < lines[1]["theory"] < lines[2]["theory"]


def test_the_world_has_the_accuracy_and_the_mean_squares_that_it_says():
    a, b = Arm(0.75, 0.5), Arm(0.7, 0.5)
    drawn = list(trials(np.random.default_rng(0), (a, b), 60, 3000))
    assert np.mean([x for x, _ in drawn]) == pytest.approx(0.75, abs=0.01)
    assert np.mean([y for _, y in drawn]) == pytest.approx(0.70, abs=0.01)
    found = np.mean([components(x - y)[2:] for x, y in drawn], axis=0)
    assert found == pytest.approx(expected(a, b, 60)[2:], rel=0.06)
    assert once(a) == Arm(0.75, 0.0, 1)


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
    line = recorded_line(tmp_path / "aa_made", "correct", replays=300, halves=6)
    assert (line["records"], line["seeds"]) == (120, 24)
    assert line["passed"]
    assert line["allowed"] == pytest.approx(0.05 + 2 * line["standard_error"], abs=1e-4)


def test_recorded_copies_under_a_wrong_test_do_not_pass(tmp_path, monkeypatch):
    put_recording(tmp_path / "aa_made", seed_sd=1.0)
    monkeypatch.setattr(judge, "paired", record_alone)
    line = recorded_line(tmp_path / "aa_made", "correct", replays=300, halves=6)
    assert line["share"] > 0.3
    assert not line["passed"]


def test_the_error_of_a_share_follows_the_seeds(tmp_path):
    """Eight of 24 seeds stand apart: which seeds were recorded matters; else only the noise of the replays does."""
    rng = np.random.default_rng(0)
    alike = (rng.random((100, 24)) < 0.7).astype(float)
    apart = alike.copy()
    apart[:, :8] = 0.0
    assert jackknife(alike, rng, 16, 200) < 0.005
    assert jackknife(apart, rng, 16, 200) > 0.005
    assert 0 <= declared(alike, rng, 50) < 0.2


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

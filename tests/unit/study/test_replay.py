"""The race over recorded curves: what it spends and what it chooses, on curves whose truth is known."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tuneoff.cli.main import app
from tuneoff.core.errors import StudyError
from tuneoff.core.rungs import RUNGS
from tuneoff.study.race import Entry
from tuneoff.study.replay import read_recording, replay, replayed

STEPS = [1, 3, 5, 6, 8, 9]
TOKENS = 900


def recorded(folder, quality, seeds=3, validation=100, test=200):
    """A recording: quality {arm: [final accuracy by trial]}, reached at the third check, records of unlike hardness."""
    random = np.random.default_rng(0)
    rows, jobs = [], []
    hard = random.random(validation + test)
    for arm, trials in quality.items():
        for trial, final in enumerate(trials):
            for seed in range(seeds):
                noise = random.normal(0, 0.05, validation + test)
                for rung in range(1, len(STEPS) + 1):
                    level = final * min(1, (rung + 2) / 5)
                    for record in range(validation):
                        right = hard[record] + noise[record] < level
                        p = min(max(level - hard[record] + 0.5, 0.0), 1.0)
                        rows.append(("validation", f"v{record}", arm, trial, seed, rung, int(right), p))
                for record in range(validation, validation + test):
                    right = hard[record] + noise[record] < final
                    rows.append(("test", f"t{record}", arm, trial, seed, len(STEPS), int(right), 0.5))
                jobs.append({"arm": arm, "trial": trial, "seed": seed, "train_tokens": TOKENS, "steps": STEPS})
    columns = ("split", "record", "arm", "trial", "seed", "rung", "correct", "p_right")
    table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(columns)})
    folder.mkdir(exist_ok=True)
    half = len(jobs) // 2  # in two parts, as large recordings are
    early = {(job["arm"], job["trial"], job["seed"]) for job in jobs[:half]}
    mask = np.array([tuple(row[2:5]) in early for row in rows])
    for number, (own, part) in enumerate(((mask, jobs[:half]), (~mask, jobs[half:]))):
        pq.write_table(table.filter(pa.array(own)), folder / f"part-{number:02}.parquet")
        (folder / f"part-{number:02}.json").write_text(json.dumps(part))
    return folder


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    """One setting is far ahead."""
    quality = {"lora": [0.3, 0.9, 0.2, 0.4], "soft": [0.3, 0.35, 0.2, 0.25], "ia3": [0.5, 0.55, 0.4, 0.2]}
    return recorded(tmp_path_factory.mktemp("clear") / "grid", quality)


def test_a_recording_is_read_whole_from_its_parts(clear):
    held = read_recording(clear)
    assert len(held.curves) == 3 * 4 * 3
    assert held.entries()[0] == Entry("lora", "lora", 4, 3, share=4)
    curve = held.curves["lora", 1, 2]
    assert (curve.correct_CN.shape, curve.test_M.shape, curve.tokens) == ((6, 100), (200,), TOKENS)
    assert [curve.check(rung) for rung in (1, 2, 3)] == [0, 1, 5]
    assert curve.spent(1) == pytest.approx(TOKENS / 9)
    assert curve.correct_CN[-1].mean() == pytest.approx(0.9, abs=0.1)


def test_the_race_finds_the_clear_winner_with_a_part_of_the_tokens(clear):
    held = read_recording(clear)
    runs = [replay(held, number) for number in range(20)]
    assert all(run.won == run.best == ("lora", 1) for run in runs)
    # 12 settings to 1/9, the best two of each method to the end, then two seeds of the leader
    assert all(run.share == pytest.approx((12 / 9 + 6 * 8 / 9 + 2) / 36) for run in runs)


def test_a_method_that_is_not_shown_to_be_worse_gets_all_its_seeds(tmp_path):
    held = read_recording(recorded(tmp_path / "grid", {"lora": [0.6] * 4, "soft": [0.6] * 4}))
    assert replay(held, 0).share == pytest.approx((8 / 9 + 4 * 8 / 9 + 4) / 24)


def test_a_replay_is_settled_by_its_number(clear):
    held = read_recording(clear)
    assert replay(held, 3) == replay(held, 3)
    assert len({replay(held, number).loss for number in range(5)} | {replay(held, 0).share}) > 1


def test_the_steps_of_a_replay_are_what_it_spent(clear):
    held = read_recording(clear)
    race = replayed(held, 3)
    assert [{rung for _, rung in fit} for fit in race.fits] == [{1}, {1}, {2}, {3}, {3}]
    spent = sum(RUNGS[rung - 1] for rung in race.spent.values())
    assert spent / len(held.curves) == pytest.approx(replay(held, 3).share)
    assert {place[:2] for place in race.tested} >= {("lora", 1)}
    assert set(race.tested) <= set(race.spent)


def test_a_slow_starter_that_would_have_won_is_counted_as_lost(tmp_path):
    """A control: curves whose early rungs lie must show a loss, or the figure says nothing."""
    folder = recorded(tmp_path / "grid", {"lora": [0.2, 0.3, 0.4, 0.9]}, seeds=1)
    for part in folder.glob("*.parquet"):
        rows = pq.read_table(part).to_pylist()
        for row in rows:
            if row["trial"] == 3 and row["split"] == "validation" and row["rung"] < 6:
                row["p_right"], row["correct"] = 0.0, 0
        pq.write_table(pa.Table.from_pylist(rows), part)
    run = replay(read_recording(folder), 0)
    assert (run.best, run.won[1] != 3) == (("lora", 3), True)
    assert run.loss > 0.3
    assert not run.tied
    assert run.again_loss == 0


def test_the_verb_prints_what_was_saved_and_missed(clear):
    done = CliRunner().invoke(app, ["replay", str(clear), "--replays", "5"])
    told = json.loads(done.stdout)
    assert (told["jobs"], told["replays"], told["same_or_within_margin"]) == (36, 5, 1.0)
    assert 0.1 < told["token_share_mean"] < 0.3
    assert (told["same_or_tied"], told["grid_again_within_margin"]) == (1.0, 1.0)


def test_where_settings_are_alike_not_even_the_grid_finds_its_choice_again(tmp_path):
    held = read_recording(recorded(tmp_path / "grid", {"lora": [0.6, 0.61, 0.6, 0.62], "soft": [0.6, 0.61, 0.62, 0.6]}))
    runs = [replay(held, number) for number in range(20)]
    assert any(run.again_loss > 0 for run in runs)
    assert np.mean([run.tied for run in runs]) > 0.8


def test_no_recording(tmp_path):
    with pytest.raises(StudyError, match="holds no recording"):
        read_recording(tmp_path)

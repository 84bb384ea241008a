"""How often each measured part is needed: the counts of the race, against those made by hand."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.counts import count, grid_jobs, most_work, races_over
from benchmarks.record import PART, RECORDINGS, plan_of
from benchmarks.usual_sides import Side

from tiny_study import put_rows, rows

ARMS = ("lora", "ia3", "soft_prompt", "soft_prompt_after")
CHECKS = [3, 9, 14, 18, 22, 27]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """The recorded grid over made-up texts, with the checks of a study that says nothing of them."""
    folder = tmp_path_factory.mktemp("texts")
    put_rows(folder / "tweet_eval/emotion_train.jsonl", rows(700))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEOFF_BENCH_DATA", str(folder))
        return plan_of(replace(RECORDINGS["grid_emotion"], checks=4), tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def recorded(plan, tmp_path_factory):
    """A whole recording in which LoRA is right everywhere and nothing else is anywhere."""
    folder = tmp_path_factory.mktemp("recorded")
    jobs = [(arm, trial, seed) for arm in ARMS for trial in range(4) for seed in range(3)]
    for number in range(len(jobs) // PART):
        own = jobs[PART * number : PART * (number + 1)]
        table = [row for job in own for row in answers(*job)]
        pq.write_table(pa.Table.from_pylist(table), folder / f"part-{number:02}.parquet")
        costs = [{"arm": a, "trial": t, "seed": s, "train_tokens": 270, "steps": CHECKS} for a, t, s in own]
        (folder / f"part-{number:02}.json").write_text(json.dumps(costs))
    return folder


def answers(arm, trial, seed):
    right = float(arm == "lora")
    common = {"arm": arm, "trial": trial, "seed": seed, "correct": int(right), "p_right": right}
    for rung in range(1, len(CHECKS) + 1):
        yield from ({"split": "validation", "record": f"v{at}", "rung": rung, **common} for at in range(40))
    yield from ({"split": "test", "record": f"t{at}", "rung": 6, **common} for at in range(20))


def test_the_most_that_the_race_can_run(plan):
    """16 settings to step 3, 8 to step 27, then two more seeds of each method from the start."""
    counts = count(plan, [most_work(plan)])
    assert counts.arm_steps == 16 * 3 + 8 * 24 + 8 * 27
    assert dict(counts.tests) == dict.fromkeys(ARMS, 3)
    # at steps 3, 7, 9, 14, 20 and 27: four to the first, of which two go on, and all of them for each further seed
    assert dict(counts.checks) == dict.fromkeys(ARMS, 4 * 1 + 2 * 5 + 2 * 6)
    assert counts.passes["lora",] == 4 + 2  # first steps
    assert counts.passes["ia3", "ia3", "lora", "lora"] == 24
    assert counts.passes["ia3", "lora"] == 2
    assert counts.passes["ia3", "ia3", "lora", "lora", "soft_prompt", "soft_prompt"] == 26
    assert counts.passes["soft_prompt_after", "soft_prompt_after"] == 24 + 26  # with its like alone


def test_a_whole_recording_is_replayed(plan, recorded):
    source, races = races_over(plan, recorded)
    counts = count(plan, races)
    assert source == f"200 replays of {recorded.name}"
    assert len(races) == 200
    assert counts.arm_steps == 16 * 3 + 8 * 24 + 2 * 27  # the beaten methods run one seed
    assert dict(counts.tests) == {"lora": 3, "ia3": 1, "soft_prompt": 1, "soft_prompt_after": 1}


def test_a_recording_that_is_not_whole_is_no_race(plan, recorded, tmp_path):
    for part in list(recorded.iterdir())[:2]:
        (tmp_path / part.name).write_bytes(part.read_bytes())
    source, races = races_over(plan, tmp_path)
    assert source == "the race in which no method is told from another"
    assert races == [most_work(plan)]


def test_what_stands_in_every_table_is_not_of_the_grid(plan):
    assert {"majority", "tfidf"} < {arm.name for arm in plan.arms}
    assert grid_jobs(plan) == 48


def test_hours_are_units_times_their_seconds():
    side = Side({"step": lambda cycle: 1.0, "record": lambda cycle: 1.0}, {"step": 3600.0, "record": 1800.0})
    assert side.hours({"step": 2.0, "record": 1.0}) == 2.5

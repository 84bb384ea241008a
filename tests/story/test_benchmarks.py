"""Every benchmark on a tiny model and made-up texts: both sides run, say the same, and one whole line comes out."""

import gzip
import json
import math
import random
import string
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from benchmarks.harness import Contest, Settings, Unequal, close, race
from benchmarks.registry import NAMES, benchmark
from benchmarks.slots import asked, lesson, own_tokens
from benchmarks.table import markdown

from tiny_study import environment
from tuneoff.core.errors import DataError
from tuneoff.data.record import Record
from tuneoff.models.load import load_model
from tuneoff.models.tiny import save_tiny

ROOT = Path(__file__).parents[2]
NEEDS = {
    "prompt_tuning_trl": "trl",
    "score_77": "lm_eval",
    "score_4_fewshot": "lm_eval",
    "score_4": "lm_eval",
    "usual_way": "lm_eval",
}
ONE_LINE = {"lora_smollm2", "lora_gemma", "full", "score_4_fewshot", "score_4", "usual_way"}
THREE_LINES = {"prompt_tuning_p20", "limit"}
SIDE = {"value", "unit", "of_ceiling"}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """With room for five demonstrations, one token a byte."""
    folder = save_tiny(tmp_path_factory.mktemp("benchmarks") / "tiny")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 4096}))
    return str(folder)


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Path:
    """The files that the benchmarks read, with the words of nobody."""
    folder = tmp_path_factory.mktemp("texts")
    rng = random.Random(0)

    def words(most: int) -> str:
        return " ".join("".join(rng.choices(string.ascii_lowercase, k=4)) for _ in range(rng.randint(1, most)))

    topics = ("World", "Sports", "Business", "Sci/Tech")
    put(folder / "ag_news/train.jsonl.gz", [{"description": words(9), "label": topics[at % 4]} for at in range(99)])
    tweets = [{"text": words(9), "label": ("anger", "joy")[at % 2]} for at in range(700)]
    put(folder / "tweet_eval/emotion_train.jsonl", tweets)
    labels = [f"{first}{second}" for first in "abcdefg" for second in "hijklmnopqr"]
    put(folder / "banking77/test.jsonl", [{"text": words(6), "label": labels[at % 77]} for at in range(154)])
    told = [{"instruction": words(6), "input": words(2) * (at % 2), "output": words(9)} for at in range(90)]
    put(folder / "alpaca_cleaned_1000/train.jsonl", told)
    put(folder / "plain_text/c4_web.jsonl", [{"text": words(4000)} for _ in range(4)])
    return folder


def put(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir()
    with (gzip.open if path.suffix == ".gz" else open)(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_line_comes_out(name, model, texts, monkeypatch):
    if find_spec(NEEDS.get(name, "torch")) is None:
        pytest.skip(f"{NEEDS[name]} is not installed: pip install -e '.[bench]'")
    monkeypatch.setenv("TUNEOFF_BENCH_DATA", str(texts))
    lines = list(benchmark(name)(Settings(quick=True, cycles=1, model=model)))
    assert len(lines) == (1 if name in ONE_LINE else 3 if name in THREE_LINES else 2)
    for line in lines:
        assert line["name"] == name
        assert 0 < line["low"] <= line["ratio"] <= line["high"] < math.inf
        assert set(line["ours"]) == set(line["ceiling"]) == SIDE
        assert ("theirs" in line) == (name != "limit")
        assert {"tuneoff", "torch", "transformers"} <= set(line["versions"])
        assert line["ceiling"]["of_ceiling"] == 1
        assert len(json.dumps(line).splitlines()) == 1


def test_the_command_prints_one_line_of_json(model, texts):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "limit", "--quick", "--cycles", "1", "--threads", "1", "--model", model],
        cwd=ROOT,
        env={**environment(), "TUNEOFF_BENCH_DATA": str(texts)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["limit"] * 3
    table = markdown(done.stdout.splitlines())
    assert table.count("`limit`") == 3
    assert "1 thread," in table


def test_the_ratio_is_the_median_of_the_cycles(monkeypatch):
    """Ours takes 1, 2 and 4 seconds for what takes them 4; a slot takes no other time."""
    clock = [0.0]
    monkeypatch.setattr("benchmarks.harness.time.perf_counter", lambda: clock[0])

    def taking(*seconds):
        def slot(cycle):
            clock[0] += seconds[cycle] if cycle >= 0 else 100
            return 12

        return slot

    made = Contest(
        name="made",
        case="up",
        unit="tokens/s",
        goal=1,
        against="nobody",
        ours=taking(1, 2, 4),
        theirs=taking(4, 4, 4),
        ceiling=taking(1, 1, 1.2),
    )
    line = race(made, 3, Settings())
    assert (line["ratio"], line["low"], line["high"]) == (2, 1, 4)
    assert (line["ours"]["value"], line["theirs"]["value"]) == (6, 3)
    assert line["ours"]["of_ceiling"] == 0.5
    assert line["steady"] is False
    assert line["ceiling_varied_by"] == 0.2


def test_sides_that_differ_are_no_contest():
    assert close("loss", 1.0, 1.000001, 1e-5)["difference"] < 1e-5
    with pytest.raises(Unequal, match=r"loss: ours 1\.0, theirs 1\.1"):
        close("loss", 1.0, 1.1, 1e-5)
    with pytest.raises(Unequal):
        close("loss", math.nan, 1.0, 1e-5)


def test_both_sides_meet_the_same_records(model):
    rng = random.Random(1)
    records = [Record(fields={"text": "x" * rng.randint(1, 90)}, target="y", id=str(at)) for at in range(320)]
    examples = asked(load_model(model, device="cpu", template="plain").base(), records)
    given = lesson(examples, size=8, steps=4, cycles=3)
    assert len(given.slots) == 3
    ids: dict[str, list[str]] = {}
    padding: dict[str, int] = {}
    for side in ("ours", "theirs"):
        made = [getattr(slot, side) for slot in given.slots]
        assert [len(batch) for slot in made for batch in slot] == [8] * 12
        ids[side] = sorted(example.record.id for slot in made for batch in slot for example in batch)
        padded = [sum(8 * max(len(e.ids.ids) for e in batch) for batch in slot) for slot in made]
        assert max(padded) < 1.1 * min(padded), "no cycle is a side's short one"
        padding[side] = sum(padded)
    assert ids["ours"] == ids["theirs"]
    assert len(set(ids["ours"])) == 96
    assert padding["ours"] < 0.8 * padding["theirs"]


def test_too_few_records_are_said():
    with pytest.raises(DataError, match="too few texts"):
        lesson([], size=8, steps=4, cycles=3)


def test_rows_that_are_too_long_are_left_out_of_both(model):
    base = load_model(model, device="cpu", template="plain").base()
    records = [Record(fields={"text": "x" * length}, target="y") for length in (5, 400)]
    assert [example.record.fields["text"] for example in asked(base, records)] == ["x" * 5]


def test_the_shared_start_counts_once_a_step(model):
    base = load_model(model, device="cpu", template="plain").base()
    examples = asked(base, [Record(fields={"text": "abc" + last}, target="y") for last in "defg"])
    real = sum(len(example.ids.ids) for example in examples)
    assert own_tokens([examples[:2], examples[2:]], 4) == real - 2 * 4

"""The demo's table becomes clean, clearly rated records; the fetched file is the pinned one."""

import json
from collections import Counter

import pytest

from tuneoff.data import demo

TABLE = (
    "id\tsentiment\ttext\n"
    "1\t2.26\tLovely &amp; Amazing, a ''gem''.\n"
    "2\t-0.6\tEffective but too tepid biopic\n"
    "3\t-1.0\tAn edge    which dulls  quickly. \n"
    "4\t1\tFine.\n"
    "5\t0.99\tUnclear.\n"
)


@pytest.fixture
def table(monkeypatch, tmp_path):
    def fetch(parts, target, *, sha256):
        target.parent.mkdir(parents=True)
        target.write_text(TABLE, encoding="utf-8")
        return target

    monkeypatch.setenv("TUNEOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(demo, "fetch", fetch)


@pytest.mark.usefixtures("table")
def test_only_clear_ratings_stay_and_the_old_marks_are_mended():
    assert demo.demo_records() == [
        {"text": 'Lovely & Amazing, a "gem".', "label": "positive"},
        {"text": "An edge which dulls quickly.", "label": "negative"},
        {"text": "Fine.", "label": "positive"},
    ]


@pytest.mark.usefixtures("table")
def test_the_file_holds_one_record_a_line(tmp_path):
    path = demo.write_demo_data(tmp_path / "runs" / "demo")
    assert path == tmp_path / "runs" / "demo" / "reviews.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [row["label"] for row in rows] == ["positive", "negative", "positive"]


@pytest.mark.slow
def test_the_real_table_is_balanced_clean_and_whole():
    records = demo.demo_records()
    assert Counter(record["label"] for record in records) == {"positive": 4598, "negative": 4575}
    assert not any("&amp;" in record["text"] or "''" in record["text"] or "  " in record["text"] for record in records)
    assert all(record["text"] for record in records)

"""Mixtures: many tasks in one list, each record with its own instruction."""

import json

import pytest

from tuneoff.core.errors import ConfigError, DataError
from tuneoff.data.mixture import read_mixture


def put(folder, name, tables):
    (folder / name).write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")


def test_rows_with_their_own_instruction(tmp_path):
    put(tmp_path, "mix.jsonl", [
        {"task": "plural", "instruction": "Write the plural.", "input": "mouse", "output": "mice"},
        {"task": "plural", "instruction": "Write the plural.", "input": "Mouse", "output": "mice"},
        {"instruction": "Name a fruit.", "output": "Apple"},
    ])  # fmt: skip
    got = read_mixture("mix.jsonl", folder=tmp_path)
    assert [(r.task, r.instruction, dict(r.fields), r.target) for r in got] == [
        ("plural", "Write the plural.", {"input": "mouse"}, "mice"),
        ("", "Name a fruit.", {}, "Apple"),
    ]


def test_conversations_need_no_instruction(tmp_path):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    put(tmp_path, "chat.jsonl", [{"messages": turns}])
    assert read_mixture("chat.jsonl", folder=tmp_path)[0].target == "Hello"


def test_rows_without_instruction_are_refused(tmp_path):
    put(tmp_path, "a.jsonl", [{"text": "t", "label": "l"}])
    with pytest.raises(DataError) as error:
        read_mixture("a.jsonl", folder=tmp_path)
    assert "a.jsonl:1" in str(error.value)
    assert "a column `instruction`" in str(error.value)


def test_sources(tmp_path):
    (tmp_path / "sub").mkdir()
    put(tmp_path / "sub", "tickets.jsonl", [{"text": f"t{n}", "label": n % 2} for n in range(40)])
    put(tmp_path / "sub", "fruit.jsonl", [{"instruction": "Name a fruit.", "output": "Apple"}])
    (tmp_path / "sub" / "mix.toml").write_text(
        '[[source]]\npath = "tickets.jsonl"\ninstruction = ["Which?", "What kind?"]\nrecords = 30\n'
        'labels = {0 = "lost", 1 = "found"}\n[[source]]\npath = "fruit.jsonl"\ntask = "fruit"\n'
    )
    got = read_mixture("sub/mix.toml", folder=tmp_path)
    assert [sum(r.task == task for r in got) for task in ("tickets", "fruit")] == [30, 1]
    assert {r.instruction for r in got} == {"Which?", "What kind?", "Name a fruit."}
    assert {r.target for r in got} == {"lost", "found", "Apple"}
    assert read_mixture("sub/mix.toml", folder=tmp_path) == got
    assert len({r.id for r in got}) == 31
    fruit = read_mixture(tmp_path / "sub" / "fruit.jsonl")
    assert [(r.instruction, r.target) for r in fruit] == [("Name a fruit.", "Apple")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[source]]\npth = "a"\n', ["unknown key 'pth'", "[[source]] 1", "did you mean 'path'?"]),
        ('path = "a"\n', ["a mixture file holds [[source]] tables"]),
        ("[[source\n", ["not valid TOML", "line 1"]),
    ],
)
def test_mixture_files_that_are_wrong(tmp_path, text, words):
    (tmp_path / "mix.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        read_mixture("mix.toml", folder=tmp_path)
    assert all(word in str(error.value) for word in words), str(error.value)
    with pytest.raises(ConfigError, match="mixture file not found"):
        read_mixture("none.toml", folder=tmp_path)

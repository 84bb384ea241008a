"""tuneoff new: a study file that reads back, never over another one, and says what to type next."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tuneoff.cli.new import new
from tuneoff.core.errors import ConfigError, DataError
from tuneoff.data.load import load_data
from tuneoff.study.spec import read_spec

TICKETS = [{"text": f"message {n}", "label": ["lost", "refund", "other"][n % 3]} for n in range(900)]


def put(folder, name, tables=TICKETS):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")
    return path


def load(spec):
    return load_data(**spec.data.model_dump(exclude={"too_long"}), folder=spec.folder)


def test_the_study_file_reads_back_and_its_data_load(tmp_path, capsys):
    out = tmp_path / "study.toml"
    new(put(tmp_path, "tickets.jsonl"), out)
    spec = read_spec(out)
    assert (spec.name, spec.data.path, spec.data.input, spec.data.answer) == (
        "tickets",
        "tickets.jsonl",
        ["text"],
        "label",
    )
    assert (spec.data.kind, spec.metric, spec.metrics, spec.seeds) == ("choice", "accuracy", ["macro_f1"], 3)
    assert spec.arms == ["majority", "tfidf", "zero_shot", "few_shot", "soft_prompt_after", "lora"]
    assert load(spec).labels == ("lost", "other", "refund")
    said = capsys.readouterr().out
    assert "columns  text -> label" in said
    assert "a choice of 3 labels" in said
    assert f"tuneoff plan {out}" in said


def test_large_data_get_a_first_look(tmp_path):
    new(
        put(tmp_path, "a.jsonl", [{**row, "text": f"{row['text']} {k}"} for row in TICKETS for k in "ab"]),
        tmp_path / "s.toml",
    )
    assert load(read_spec(tmp_path / "s.toml")).report.sizes["train"] == 500


def test_separate_files_beside_it(tmp_path):
    path = put(tmp_path, "d/train.jsonl")
    put(tmp_path, "d/test.jsonl", [{**row, "text": f"{row['text']}!"} for row in TICKETS])
    new(path, tmp_path / "study.toml")
    data = read_spec(tmp_path / "study.toml").data
    assert (data.path, data.train, data.validation, data.test) == ("", "d/train.jsonl", "", "d/test.jsonl")


def test_data_elsewhere_keep_their_whole_path(tmp_path, monkeypatch):
    path = put(tmp_path, "data/tickets.jsonl")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    new(Path("../data/tickets.jsonl"), Path("study.toml"))
    assert read_spec(Path("study.toml")).data.path == path.as_posix()
    assert load(read_spec(Path("study.toml"))).kind == "choice"


@pytest.mark.parametrize(
    "row",
    [
        lambda n: {"instruction": f"Do {n}.", "input": "", "output": f"Done with {n}, as you asked me to."},
        lambda n: {
            "messages": [{"role": "user", "content": f"Hi {n}"}, {"role": "assistant", "content": f"Hello {n}"}]
        },
        lambda n: {"prompt": f"{n} + 1 =", "completion": str(n + 1)},
        lambda n: {"question": f"{n} + 1?", "answer": f"It is {n + 1}", "context": f"Sums of {n}"},
    ],
    ids=["alpaca", "chat", "prompt", "question"],
)
def test_instruction_shapes(tmp_path, row):
    new(put(tmp_path, "a.jsonl", [row(n) for n in range(80)]), tmp_path / "study.toml")
    spec = read_spec(tmp_path / "study.toml")
    assert (spec.data.kind, spec.arms[0]) == ("text", "zero_shot")
    assert load(spec).kind == "text"


def test_codes_ask_for_words(tmp_path, capsys):
    out = tmp_path / "study.toml"
    new(put(tmp_path, "a.jsonl", [{"text": f"t{n}", "label": n % 2} for n in range(300)]), out)
    assert "write what they mean under [data.labels]" in capsys.readouterr().out
    with pytest.raises(DataError, match="the labels are codes"):
        load(read_spec(out))
    text = out.read_text().replace("# [data.labels]", "[data.labels]")
    out.write_text(text.replace('# 0 = "..."', '0 = "ham"').replace('# 1 = "..."', '1 = "spam"'))
    assert load(read_spec(out)).labels == ("ham", "spam")


def test_trouble_in_the_data_is_told_and_the_file_is_written(tmp_path, capsys):
    out = tmp_path / "study.toml"
    new(put(tmp_path, "a.jsonl", [*TICKETS, {"text": "t", "label": "fraud"}]), out)
    said = capsys.readouterr().out
    assert "this must be fixed" in said
    assert "a.jsonl:901  'fraud'" in said
    assert out.is_file()


def test_an_existing_file_stays(tmp_path):
    out = tmp_path / "study.toml"
    out.write_text("mine")
    with pytest.raises(ConfigError) as error:
        new(put(tmp_path, "a.jsonl"), out)
    assert "the study file is there already" in str(error.value)
    assert "--out" in str(error.value)
    assert out.read_text() == "mine"


def test_a_missing_file_writes_nothing(tmp_path):
    put(tmp_path, "tickets.jsonl")
    with pytest.raises(DataError, match=r"did you mean 'tickets\.jsonl'"):
        new(tmp_path / "tikets.jsonl", tmp_path / "study.toml")
    assert not (tmp_path / "study.toml").exists()


def test_a_hub_id_stays_as_it_is(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets, "load_dataset", lambda name, config: {"train": datasets.Dataset.from_list(TICKETS)})
    new(Path("ann/tickets#train"), tmp_path / "study.toml")
    assert read_spec(tmp_path / "study.toml").data.path == "ann/tickets#train"


def test_on_the_command_line(tmp_path):
    app = typer.Typer()
    app.command()(new)
    result = CliRunner().invoke(app, [str(put(tmp_path, "a.jsonl")), "--out", str(tmp_path / "mine.toml")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "mine.toml").is_file()

"""tuneoff new: labels that are codes, and labels that are written for programs."""

import json

import pytest
from typer.testing import CliRunner

from tuneoff.cli.main import app
from tuneoff.cli.new import new
from tuneoff.data.load import load_data
from tuneoff.study.spec import read_spec


def put(folder, name, tables):
    path = folder / name
    path.write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")
    return path


def load(spec):
    return load_data(**spec.data.model_dump(exclude={"too_long"}), folder=spec.folder)


CODED = [{"text": f"t{n}", "label": n % 2} for n in range(300)]


def test_codes_are_used_and_a_block_to_name_them_is_written(tmp_path, capsys):
    out = tmp_path / "study.toml"
    new(put(tmp_path, "a.jsonl", CODED), out)
    said = capsys.readouterr().out
    assert "look at  the labels 0, 1 are codes and stay as they are; better: name them under [data.labels] in" in said
    assert load(read_spec(out)).labels == ("0", "1")
    text = out.read_text().replace("# [data.labels]", "[data.labels]")
    out.write_text(text.replace('# 0 = "..."', '0 = "ham"').replace('# 1 = "..."', '1 = "spam"'))
    assert load(read_spec(out)).labels == ("ham", "spam")


INTENTS = [{"text": f"t{n}", "intent": ["CancelOrder", "TrackRefund", "OpenAccount"][n % 3]} for n in range(300)]


def test_labels_for_programs_are_written_in_words(tmp_path, capsys):
    out = tmp_path / "study.toml"
    new(put(tmp_path, "a.jsonl", INTENTS), out)
    spec = read_spec(out)
    words = {"CancelOrder": "cancel order", "OpenAccount": "open account", "TrackRefund": "track refund"}
    assert spec.data.labels == words
    assert load(spec).labels == tuple(words.values())
    assert spec.prompt.instruction == "Which intent does the text express?"
    said = capsys.readouterr().out
    assert "labels   2 tokens each to smollm2-135m-instruct" in said
    assert "CancelOrder -> cancel order  2 tokens: cancel| order" in said
    assert 'CancelOrder = "cancel order"  # 2 tokens: cancel| order' in out.read_text()


@pytest.mark.parametrize(
    ("rows", "typed", "labels"),
    [
        (CODED, ["ham", "spam", "yes"], {"0": "ham", "1": "spam"}),
        (CODED, ["", "", "yes"], []),
        (
            INTENTS,
            ["yes"],
            {"CancelOrder": "cancel order", "OpenAccount": "open account", "TrackRefund": "track refund"},
        ),
        (INTENTS, ["what", "no"], []),
        (
            INTENTS,
            ["edit", "stop it", "", "money"],
            {"CancelOrder": "stop it", "OpenAccount": "open account", "TrackRefund": "money"},
        ),
    ],
    ids=["named", "kept", "taken", "refused", "edited"],
)
def test_on_a_terminal_names_are_asked_for(tmp_path, monkeypatch, rows, typed, labels):
    monkeypatch.setattr("tuneoff.cli.new.on_terminal", lambda: True)
    out = tmp_path / "study.toml"
    app_said = CliRunner().invoke(
        app, ["new", str(put(tmp_path, "a.jsonl", rows)), "-o", str(out)], input="\n".join(typed) + "\n"
    )
    assert app_said.exit_code == 0, app_said.output
    assert read_spec(out).data.labels == labels

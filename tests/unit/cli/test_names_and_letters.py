"""Names as they are on every screen, whatever the terminal; places that cannot be written are known first."""

import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import tuneoff
from tiny_study import put_model, put_rows, put_study, rows
from tuneoff.cli import console
from tuneoff.cli.main import app
from tuneoff.core.errors import ResourceError

torch.set_num_threads(1)
ARMS = [{"name": "lora [r=8]", "use": "lora"}, {"name": "shot [/16] :heart:", "use": "zero_shot"}]
LABELS = {"good": "😀 [bold]love[/bold]", "bad": ":heart: “hate”"}
FILE = "data [old].jsonl"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run whose arms, labels and files have names that rich, HTML and cp1252 could trip over."""
    made = tmp_path_factory.mktemp("names")
    put_model(made, max_position_embeddings=2048)
    put_rows(made / FILE, [{**row, "label": LABELS[row["label"]]} for row in rows()])
    put_study(made, ARMS, seeds=1, data={"path": FILE})
    invoke(made, "run", "study.toml", "--out", "r [x]")
    return made


def invoke(folder, *words, charset="utf-8", width=200):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", str(width))
        result = CliRunner(charset=charset).invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "study.toml"),
        ("run", "study.toml", "--out", "again"),
        ("show", "r [x]"),
        ("inspect", "study.toml", "--arm", "lora [r=8]"),
        ("report", "r [x]"),
    ],
    ids=lambda words: words[0],
)
def test_names_are_shown_as_they_are(folder, words):
    said = invoke(folder, *words)
    wanted = {
        "plan": [arm["name"] for arm in ARMS] + list(LABELS.values()),
        "run": [arm["name"] for arm in ARMS],
        "show": [arm["name"] for arm in ARMS],
        "inspect": [FILE, *LABELS.values()],
        "report": ["r [x]/report.html"],
    }[words[0]]
    for name in wanted:
        assert name in said


def test_every_screen_has_the_one_console():
    """rich's own console reads `[r=8]` in a name as markup."""
    cli = Path(console.__file__).parent
    assert [file.name for file in sorted(cli.glob("*.py")) if "Console(" in file.read_text()] == ["console.py"]


def test_names_stand_in_the_report_as_text(folder):
    page = (folder / "r [x]/report.html").read_text(encoding="utf-8")
    for name in ("lora [r=8]", "shot [/16] :heart:"):
        assert f'<th scope="row">{name}' in page


@pytest.mark.parametrize("charset", ["cp1252", "ascii"])
@pytest.mark.parametrize("verb", ["plan", "inspect", "run", "show", "explain"])
def test_letters_that_a_terminal_lacks_end_nothing(folder, verb, charset):
    target = {"plan": ["study.toml"], "inspect": ["study.toml"], "show": ["r [x]"], "explain": []}
    words = target.get(verb, ["study.toml", "--out", "r [x]"])
    said = invoke(folder, verb, *words, charset=charset)
    if verb in ("plan", "inspect"):
        assert "? [bold]love[/bold]" in said


@pytest.mark.parametrize("words", [("--help",), ("inspect", "--help"), ("new", "--help")], ids=" ".join)
def test_help_is_shown_on_any_terminal(tmp_path, words):
    assert "Usage" in invoke(tmp_path, *words, charset="ascii")


def test_answers_are_json_that_any_terminal_can_show(folder):
    put_rows(folder / "new.jsonl", [{"text": "é 日本"}, {"text": "plain"}])
    said = invoke(folder, "predict", "r [x]", "new.jsonl", "--arm", "majority", charset="cp1252")
    first, second = said.splitlines()
    assert "\\u65e5\\u672c" in first
    assert json.loads(first)["text"] == "é 日本"
    assert json.loads(second)["prediction"] in LABELS.values()


def test_files_are_utf8_whatever_the_terminal_is(folder):
    invoke(folder, "predict", "r [x]", FILE, "--arm", "tfidf", "--out", "told.jsonl", charset="ascii")
    lines = (folder / "told.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["prediction"] for line in lines} == set(LABELS.values())
    assert "“hate”" in (folder / "told.jsonl").read_text(encoding="utf-8")


@pytest.fixture
def blocked(folder, tmp_path):
    """A path that no file can have: its folder is a file."""
    (tmp_path / "file").write_text("no folder")
    return tmp_path / "file" / "out.jsonl"


@pytest.mark.parametrize(
    "words",
    [
        ("run", "study.toml", "--out"),
        ("new", FILE, "--out"),
        ("predict", "r [x]", FILE, "--arm", "tfidf", "--out"),
        ("report", "r [x]", "--out"),
        ("demo", "--out"),
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_cannot_be_written_is_an_error_before_the_work(folder, blocked, words, monkeypatch):
    monkeypatch.chdir(folder)
    worked = []
    for name in ("models.load.load_model", "study.predict.open_ready", "cli.new.guess_study", "report.html.facts"):
        monkeypatch.setattr(f"tuneoff.{name}", lambda *_, **__: worked.append("some"))
    result = CliRunner().invoke(app, [*words, str(blocked)])
    assert result.exit_code == 2
    assert re.search(r"error: cannot write here\n  where:   .*\n  found:   Not a directory\n  fix:     ", result.stderr)
    assert not worked


def test_a_cache_that_cannot_be_made_is_an_error(folder, blocked, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TUNEOFF_CACHE", str(blocked))
    result = CliRunner().invoke(app, ["plan", "study.toml"])
    assert result.exit_code == 2
    assert "set TUNEOFF_CACHE to a folder that can be written" in result.stderr


@pytest.mark.parametrize("call", ["compare", "tune"])
def test_the_library_says_it_before_the_work_too(folder, blocked, call, monkeypatch):
    monkeypatch.setattr("tuneoff.models.load.load_model", lambda *_, **__: pytest.fail("the model was opened"))
    arguments = {"model": str(folder / "model"), "out": blocked}
    with pytest.raises(ResourceError, match="cannot write here"):
        getattr(tuneoff, call)(rows(40), **arguments)


def test_an_answer_file_without_a_format_is_an_error_before_the_work(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tuneoff.study.predict.open_ready", lambda *_, **__: pytest.fail("it answered"))
    result = CliRunner().invoke(app, ["predict", "r [x]", FILE, "--out", "told.pdf"])
    assert result.exit_code == 2
    assert "cannot tell the format to write" in result.stderr

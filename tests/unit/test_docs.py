"""The pages of docs/: their tables follow from the code, and what they tell a person to write or type is right."""

import contextlib
import importlib.util
import io
import json
import re
import shlex
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

import tiny_study
from tuneoff.core import plugins
from tuneoff.core.cost import Cost
from tuneoff.data.mixture import Source
from tuneoff.study.arm import parse_arm
from tuneoff.study.spec import StudySpec
from tuneoff.study.verdict.judgement import Change, Contrast, Standing, Verdict

ROOT = Path(__file__).parents[2]
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
CODE = re.compile(r"`([^`\n]+)`")
ARMS = ("zero_shot", "lora", "soft_prompt", "lora + soft_prompt")
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", dict: "object"}


def script() -> ModuleType:
    """scripts/docs_tables.py, which is no package."""
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "scripts" / "docs_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(page: str, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGES[page]) if found == language]


def everywhere(language: str) -> list[tuple[str, str]]:
    return [(page, text) for page in PAGES for text in blocks(page, language)]


@pytest.fixture
def plugin_files(tmp_path, monkeypatch) -> Path:
    """The example files of extending.md, in a folder of their own, which is the working one."""
    for text in blocks("extending", "python"):
        file = tmp_path / text.partition("\n")[0].removeprefix("# ")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    plugins.load.cache_clear()
    yield tmp_path
    plugins.load.cache_clear()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A folder in which the study `tickets` was run on a tiny model."""
    folder = tmp_path_factory.mktemp("docs")
    tiny_study.put_model(folder)
    study = tiny_study.put_study(folder, ARMS, name="tickets", seeds=1)
    done = tiny_study.tuneoff(folder, "run", study)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_up_to_date(page):
    assert script().renewed(PAGES[page]) == PAGES[page], "run: python scripts/docs_tables.py"


def test_an_old_table_is_seen():
    old = PAGES["methods"].replace("peak learning rate", "some rate", 1)
    assert script().renewed(old) == PAGES["methods"]
    assert old != PAGES["methods"]


def test_an_unknown_table_is_an_error():
    with pytest.raises(KeyError):
        script().renewed("<!-- table: gossip -->\n<!-- end -->")


def test_every_method_has_its_section_and_its_knobs():
    sections = {line.removeprefix("## ") for line in PAGES["methods"].splitlines() if line.startswith("## ")}
    assert sections == {*plugins.names("methods"), "Combinations"}
    assert {f"<!-- table: knobs {name} -->" for name in plugins.names("methods")} <= {*PAGES["methods"].splitlines()}


@pytest.mark.parametrize("cls", [Verdict, Standing, Contrast, Change, Cost], ids=lambda cls: cls.__name__)
def test_the_keys_of_the_verdict_are_those_of_the_code(cls):
    page = PAGES["decision" if cls is Change else "verdict_json"]
    lines = page.partition(f"<!-- fields: {cls.__name__} -->\n")[2].split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [row[0] for row in rows] == [f"`{field.name}`" for field in fields(cls)]
    if cls is not Cost:  # of costs, verdict.json holds means
        assert [row[1] for row in rows] == [said(field.type) for field in fields(cls)]


def said(kind: object) -> str:
    text = str(kind)
    if text.startswith("tuple"):
        return "list of text" if "str" in text else "list of objects"
    named = {name.__name__: word for name, word in WORDS.items()}
    return " or ".join(named.get(part, "null") for part in getattr(kind, "__name__", text).split(" | "))


@pytest.mark.parametrize(("page", "text"), everywhere("toml"), ids=lambda value: value[:24].split("\n")[0])
def test_a_study_file_that_is_shown_can_be_read(page, text, plugin_files):
    table = tomllib.loads(text)
    if "source" in table:
        assert [Source.build(source, page).path for source in table["source"]]
        return
    spec = StudySpec.build({"version": 1, **table}, page)
    for entry in spec.arms:
        parse_arm(entry, spec.methods, page)
    for name in filter(None, [spec.metric, *spec.metrics]):
        plugins.load("metrics", name)


@pytest.mark.parametrize("page", PAGES)
def test_a_command_that_is_shown_can_be_typed(page):
    shown = [line for text in blocks(page, "sh") for line in text.splitlines()] + CODE.findall(PAGES[page])
    app = get_command(_app())
    for line in shown:
        verb, *words = shlex.split(line)[1:] if line.startswith("tuneoff ") else [""]
        if verb and verb not in ("VERB", "--help"):
            assert verb in app.commands, line
            if words:  # a verb alone is spoken of, not typed
                app.commands[verb].make_context(verb, words)


def _app():
    from tuneoff.cli.main import app

    return app


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for file, section in LINK.findall(PAGES[page]):
        target = ROOT / "docs" / file if file else ROOT / "docs" / f"{page}.md"
        assert target.is_file(), file
        if section:
            heads = [line.lstrip("# ") for line in target.read_text(encoding="utf-8").splitlines() if line[:1] == "#"]
            assert section in [re.sub(r"[^\w -]", "", head).replace(" ", "-").lower() for head in heads], section


def test_pages_are_of_a_size_to_read():
    assert {page: text.count("\n") for page, text in PAGES.items() if text.count("\n") > 280} == {}


def test_what_artifacts_shows_runs(run, monkeypatch):
    """One block after the other, in one Python, as a reader would type them."""
    monkeypatch.chdir(run)
    names: dict = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        for text in blocks("artifacts", "python"):
            exec(compile(text, "artifacts.md", "exec"), names)
    answers = json.loads(out.getvalue().splitlines()[-1].replace("'", '"'))
    assert set(answers) <= set(tiny_study.LABELS)
    assert len(answers) == 2
    import torch

    with torch.no_grad(), names["ready"].tuned.worn(names["ready"].base) as worn:
        from tuneoff.engine.score import score_choices

        ours = score_choices(worn, [names["ids"]], [(token,) for token in range(names["logits"].shape[0])])[0]
    torch.testing.assert_close(names["logits"].log_softmax(-1).double(), ours, atol=1e-4, rtol=0)


def test_what_artifacts_says_of_the_folder(run):
    folder = run / "runs" / "tickets"
    assert {"study.toml", "verdict.json", "report.html", "ledger.sqlite", "jobs"} <= {p.name for p in folder.iterdir()}
    rows = json.loads((folder / "verdict.json").read_text())["standings"]
    both = next(folder / row["artifact"] for row in rows if row["arm"] == "lora + soft_prompt")
    assert {p.name for p in both.iterdir()} == {
        "bundle.json", "prompt.json", "part-0-lora.safetensors", "part-1-soft_prompt.safetensors", "peft"
    }  # fmt: skip
    assert {p.name for p in (both / "peft").iterdir()} == {"lora", "soft_prompt"}
    for key in json.loads((both / "bundle.json").read_text())["base"]:
        assert f"`{key}`" in PAGES["artifacts"]


def test_what_verdict_says_of_its_facts(run):
    told = json.loads((run / "runs" / "tickets" / "verdict.json").read_text())
    row = next(line for line in PAGES["verdict_json"].splitlines() if line.startswith("| `facts`"))
    assert set(CODE.findall(row)) - {"facts"} == set(told["facts"])


def test_predict_as_shown(run):
    (run / "new.jsonl").write_text('{"text": "v w !! 4"}\n{"text": "v w ?? 4"}\n')
    done = tiny_study.tuneoff(run, "predict", "runs/tickets", "new.jsonl", "--arm", "lora", "--out", "answers.jsonl")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (run / "answers.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["v w !! 4", "v w ?? 4"]
    assert {line["prediction"] for line in lines} <= set(tiny_study.LABELS)


def test_own_plugins_run_as_shown(plugin_files):
    """The method, the prompt, the metric and the format of extending.md in one study on a tiny model."""
    tiny_study.put_model(plugin_files)
    gain, short = "mine/gain.py:Gain", "mine/short.py:Short"
    arms = ["zero_shot", short, "lora", gain, {"name": "both", "use": f"lora + {gain}"}]
    own = {"path": "tickets.sqlite", "format": "mine/sqlite.py:Sqlite"}
    metric = "mine/first_word.py:FirstWord"
    plugins.load("formats", own["format"])().write(plugin_files / own["path"], tiny_study.rows())
    study = tiny_study.put_study(plugin_files, arms, data=own, metrics=[metric], seeds=1, methods={gain: {"lr": 0.02}})
    done = tiny_study.tuneoff(plugin_files, "run", study, "--out", "run")
    assert done.returncode == 0, done.stderr
    rows = {row["arm"]: row for row in json.loads((plugin_files / "run" / "verdict.json").read_text())["standings"]}
    assert {short, gain, "both"} <= set(rows)
    for name in (short, gain, "both"):
        assert rows[name]["status"] == "tested", rows[name]["why"]
        assert metric in rows[name]["others"]
    assert rows[gain]["cost"]["trainable"] == 2 * 2 * 32  # two sites in each of two layers, 32 wide
    bundle = plugin_files / "run" / rows["both"]["artifact"]
    from safetensors.torch import load_file

    tensors = load_file(next(bundle.glob("part-1-*.safetensors")))
    assert any((tensor != 1).any() for tensor in tensors.values())


def test_own_plugins_pass_the_kits(plugin_files):
    from tuneoff.testing import formats, metrics

    metric = plugins.load("metrics", "mine/first_word.py:FirstWord")
    for check in metrics.CHECKS:
        check(metric())
    kind = plugins.load("formats", "mine/sqlite.py:Sqlite")
    for check in formats.CHECKS:
        if check is not formats.check_light_import:
            folder = plugin_files / check.__name__
            folder.mkdir()
            check(kind, folder)


def test_the_shown_test_file_runs(plugin_files, capsys):
    assert pytest.main(["-q", "-p", "no:cacheprovider", str(plugin_files / "mine" / "test_mine.py")]) == 0
    sys.modules.pop("test_mine", None)

"""Every word can be explained, and nothing in the words is out of date."""

import io
import re
import tomllib

import pytest
from rich.console import Console

from tuneoff.core.errors import ConfigError
from tuneoff.core.plugins import names
from tuneoff.report.glossary import entries, look_up, paint_all, paint_entry


def painted(paint, *parts):
    out = io.StringIO()
    paint(*parts, Console(file=out, width=80, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.word)
def test_each_word_is_found_and_painted(entry):
    for name in (entry.word, *entry.also, entry.word.upper()):
        assert look_up(name) is entry
    text = painted(paint_entry, entry)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith(entry.word)
    assert not entry.short.endswith(".")


@pytest.mark.parametrize("entry", [entry for entry in entries() if entry.arms], ids=lambda entry: entry.word)
def test_what_to_type_is_toml_with_methods_that_exist(entry):
    arms = tomllib.loads(entry.arms)["arms"]
    texts = [arm if isinstance(arm, str) else arm["use"] for arm in arms]
    used = {name for text in texts for name in re.findall(r"\w+", text)}
    assert used <= set(names("methods"))
    for arm in arms:
        if isinstance(arm, dict):
            assert arm["use"] in arm


@pytest.mark.parametrize("entry", [entry for entry in entries() if entry.paper], ids=lambda entry: entry.word)
def test_papers_have_author_year_and_title(entry):
    for paper in entry.paper:
        assert re.match(r"[A-Z(].* \d{4}, .+, (arXiv \d{4}\.\d{5}|[A-Z].*\d.*)$", paper)


def test_no_name_has_two_entries():
    all_names = [name.lower() for entry in entries() for name in (entry.word, *entry.also)]
    assert len(all_names) == len(set(all_names))


def test_every_method_can_be_explained_by_its_plugin_name():
    explained = set()
    for entry in entries():
        explained |= {name.replace("_", " ").replace("-", " ").lower() for name in (entry.word, *entry.also)}
        explained |= {name.replace("_", " ") for name in re.findall(r"\w+", entry.arms)}
    missing = {name for name in names("methods") if name.replace("_", " ") not in explained}
    assert missing == set()


def test_the_confusion_is_settled():
    assert "no weight" in look_up("soft_prompt").changes
    assert look_up("hard prompt").word == "prompting"
    assert "prompt tuning" in look_up("prompting").confused


def test_unknown_word_names_the_nearest():
    with pytest.raises(ConfigError, match="no entry for 'loar'") as caught:
        look_up("loar")
    assert "did you mean 'lora'?" in str(caught.value)
    with pytest.raises(ConfigError, match="tuneoff explain lists all words"):
        look_up("zzzzzz")


def test_the_list_holds_every_word():
    text = painted(paint_all)
    assert all(entry.word in text for entry in entries())
    assert max(map(len, text.splitlines())) <= 80

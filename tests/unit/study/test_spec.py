"""The study file: read, checked, and what in it may change under a run."""

import pytest

from tuneoff.core.errors import ConfigError
from tuneoff.study.spec import StudySpec, read_spec

MINIMAL = 'version = 1\n[data]\npath = "d.jsonl"\n'


def read(folder, text):
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    return read_spec(file)


def message(folder, text):
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return str(caught.value)


def spec(**more):
    return StudySpec.build({"version": 1, **more}, "here")


def test_defaults(tmp_path):
    made = read(tmp_path, MINIMAL)
    assert made.arms == ["zero_shot", "few_shot", "soft_prompt_after", "lora"]
    assert (made.seeds, made.trials, made.margin, made.model.name) == (3, 1, 0.01, "smollm2-135m-instruct")
    assert made.folder == str(tmp_path)


def test_all_tables(tmp_path):
    text = """
version = 1
arms = ["lora", {name = "wide", use = "lora", lora = {rank = 64}}]
[model]
name = "m"
[data]
path = "d.jsonl"
labels = {0 = "bad", 1 = "good"}
[prompt]
instruction = "Which?"
[train]
epochs = 1
[methods.lora]
rank = 4
"""
    made = read(tmp_path, text)
    assert made.arms[1]["lora"] == {"rank": 64}
    assert made.data.labels == {"0": "bad", "1": "good"}
    assert made.methods == {"lora": {"rank": 4}}
    assert (made.prompt.instruction, made.train.epochs, made.train.batch_size) == ("Which?", 1.0, 8)


def test_a_folder_stands_for_its_study_file(tmp_path):
    read(tmp_path, MINIMAL)
    assert read_spec(tmp_path) == read_spec(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 1\nseeds == 3\n", ["not valid TOML: ", "(at line 2, column", "fix that line"]),
        ("[data]\n", ["the study file has no version", "add the line: version = 1"]),
        ('version = 1\nfolder = "x"\n', ["unknown key 'folder'", "remove it"]),
        ("version = 2\n", ["version: input should be 1", "found:   2"]),
        ("version = 1\nsedes = 3\n", ["unknown key 'sedes'", "did you mean 'seeds'?", "allowed: arms, budget, "]),
        ("version = 1\n[trian]\nepochs = 1\n", ["unknown key 'trian'", "did you mean 'train'?"]),
        ("version = 1\n[train]\nepoch = 1\n", ["unknown key 'train.epoch'", "did you mean 'epochs'?"]),
        ("version = 1\n[measure]\nrewordings = 9\n", ["measure.rewordings: ", "4 are built in; write your own"]),
        ("version = 1\nseeds = 0\n", ["seeds: input should be greater than or equal to 1", "found:   0"]),
        ('version = 1\n[data]\nkind = "words"\n', ["data.kind: input should be 'auto', 'choice' or 'text'"]),
        ('version = 1\narms = "lora"\n', ["arms: input should be a valid list", "found:   'lora'"]),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, said):
    told = message(tmp_path, text)
    for words in [*said, str(tmp_path / "study.toml")]:
        assert words in told


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError) as caught:
        read_spec(tmp_path / "none.toml")
    assert "study file not found" in str(caught.value)
    assert "tuneoff new YOUR_DATA writes one" in str(caught.value)


def test_a_file_that_is_not_utf8(tmp_path):
    (tmp_path / "study.toml").write_bytes('version = 1\nname = "é"\n'.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        read_spec(tmp_path / "study.toml")
    assert "not UTF-8" in str(caught.value)


@pytest.mark.parametrize(
    "free",
    [
        {"arms": ["lora"]},
        {"seeds": 9},
        {"trials": 4},
        {"methods": {"lora": {"rank": 2}}},
        {"name": "other"},
        {"margin": 0.2},
        {"train": {"epochs": 3}},
        {"measure": {"rewordings": 0}},
        {"folder": "/elsewhere"},
    ],
)
def test_what_may_grow_is_not_in_the_fingerprint(free):
    assert spec(**free).fingerprint() == spec().fingerprint()


@pytest.mark.parametrize(
    "fixed",
    [
        {"seed": 1},
        {"metric": "macro_f1"},
        {"model": {"name": "other"}},
        {"data": {"path": "e.jsonl"}},
        {"data": {"test_records": 7}},
        {"prompt": {"instruction": "Which one?"}},
        {"train": {"batch_size": 3}},
    ],
)
def test_what_must_stay_is(fixed):
    assert spec(**fixed).fingerprint() != spec().fingerprint()


def test_a_spec_survives_json():
    made = spec(arms=["lora", {"use": "few_shot"}], data={"labels": {"0": "no"}}, folder="/somewhere")
    again = StudySpec.build(StudySpec.model_validate_json(made.model_dump_json()).model_dump(), "ledger")
    assert again.model_copy(update={"folder": made.folder}) == made


@pytest.mark.parametrize(
    ("labels", "texts"),
    [("[1, 5]", ["1", "5"]), ("[1.0, 2.5]", ["1", "2.5"]), ("[true, false]", ["true", "false"]),
     ('[1, "many"]', ["1", "many"]), ("{0 = 1, 1 = true}", {"0": "1", "1": "true"})],
)  # fmt: skip
def test_labels_written_as_numbers(tmp_path, labels, texts):
    (tmp_path / "study.toml").write_text(f'version = 1\n[data]\npath = "a.jsonl"\nlabels = {labels}\n')
    assert read_spec(tmp_path / "study.toml").data.labels == texts

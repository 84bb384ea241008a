"""Everything that people get wrong: each is a message that says what to do, with status 2 and no traceback.

The command line is called in this process (its frame in a process of its own is tested at the end), because each
start of a Python with torch in it takes seconds.
"""

import json

import pytest
import torch
from filelock import FileLock
from typer.testing import CliRunner

from tiny_study import put_model, put_rows, put_study, rows, tuneoff
from tuneoff.cli.main import app

torch.set_num_threads(1)
RUN = CliRunner()
EVERYTHING = {"train_records": 0, "validation_records": 0, "test_records": 0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def mistake(*words):
    """What is said on stderr; the status is 2 and nothing looks like a bug."""
    result = RUN.invoke(app, [str(word) for word in words])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: "), result.stderr
    assert "Traceback" not in result.output
    return result.stderr


def says(said, *lines):
    for line in lines:
        assert line in said, said


def test_no_data_file(folder):
    put_study(folder, data={"path": "dta.jsonl"})
    said = mistake("run", "study.toml")
    says(said, "error: file not found", f"where:   {folder / 'dta.jsonl'}", "fix:     did you mean 'data.jsonl'?")
    says(mistake("plan", "study.toml"), "file not found")


def test_an_empty_file(folder):
    (folder / "data.jsonl").write_text("")
    put_study(folder)
    says(mistake("run", "study.toml"), "error: no records in it", "data.jsonl", "check that it is the right file")


def test_a_broken_line_has_its_number(folder):
    lines = [json.dumps(row) for row in rows(20)]
    lines[6] = lines[6][:-3]
    (folder / "data.jsonl").write_text("\n".join(lines))
    put_study(folder)
    said = mistake("run", "study.toml")
    says(said, "error: 1 of 20 rows cannot be used", "data.jsonl:7  ", "correct or remove them")


def test_all_bad_rows_are_told_together(folder):
    tables = rows(20)
    tables[2], tables[9] = {"text": "  ", "label": "good"}, {"text": "x", "label": None}
    put_rows(folder / "data.jsonl", tables)
    put_study(folder)
    said = mistake("run", "study.toml")
    says(said, "error: 2 of 20 rows cannot be used")
    says(said, "data.jsonl:3  the text is empty (column 'text')", "data.jsonl:10  column 'label' is null")


@pytest.mark.parametrize("key", ["answer", "group"])
def test_an_unknown_column(folder, key):
    put_study(folder, data={key: "lable"})
    said = mistake("run", "study.toml")
    says(said, "error: unknown column 'lable'", "found:   columns 'text', 'label'", "did you mean 'label'?")


def test_an_unknown_input_column(folder):
    put_study(folder, data={"input": ["txt"], "answer": "label"})
    says(mistake("run", "study.toml"), "error: unknown column 'txt'", "did you mean 'text'?")


def test_a_label_seen_once(folder):
    put_rows(folder / "data.jsonl", [*rows(), {"text": "odd one", "label": "ugly"}])
    put_study(folder)
    said = mistake("run", "study.toml")
    says(said, "error: 1 label is seen once in all: too few to learn from and test", "data.jsonl:121  'ugly'")
    says(said, "add a second record with that label, remove the record, or join it to another label")


def test_one_class_only(folder):
    put_rows(folder / "data.jsonl", [{**row, "label": "good"} for row in rows()])
    put_study(folder)
    said = mistake("run", "study.toml")
    says(said, "error: all 120 records have the same answer 'good'", "a choice needs at least two labels")


def test_a_record_longer_than_the_context(folder):
    put_model(folder, max_position_embeddings=160)
    put_rows(folder / "data.jsonl", [*rows(), {"text": "far too long " * 20, "label": "good"}])
    put_study(folder, data=EVERYTHING)
    said = mistake("run", "study.toml", "--out", "out")
    says(said, "error: 1 of 121 records is longer than the model can read", "data.jsonl:121  ")
    says(said, "tokens with its prompt", "allowed: 160 tokens", 'write too_long = "truncate_right"')
    put_study(folder, ["zero_shot"], seeds=1, data={**EVERYTHING, "too_long": "truncate_right"})
    fixed = RUN.invoke(app, ["run", "study.toml", "--out", "out"])
    assert fixed.exit_code == 0, fixed.output


@pytest.mark.parametrize(
    ("arms", "more", "lines"),
    [
        (["lroa"], {}, ["error: unknown method 'lroa'", "allowed: ", "did you mean 'lora'?"]),
        (["lora"], {"methods": {"lora": {"rnk": 4}}}, ["unknown key 'rnk'", "[methods.lora]", "did you mean 'rank'?"]),
        (["lora"], {"methods": {"lora": {"rank": 0}}}, ["rank: input should be greater than or equal to 1"]),
        (["lora"], {"sedes": 3}, ["error: unknown key 'sedes'", "study.toml", "did you mean 'seeds'?"]),
        (["lora"], {"train": {"epoch": 3}}, ["error: unknown key 'train.epoch'", "did you mean 'epochs'?"]),
        (["full + lora"], {}, ["a method that trains the model's weights trains alone"]),
        (["mine.py:Mine"], {}, ["error: plugin file not found", "the form is path/to/file.py:Class"]),
        (["lora"], {"metric": "acuracy"}, ["error: unknown metric 'acuracy'", "did you mean 'accuracy'?"]),
    ],
)
def test_words_that_are_not_known(folder, arms, more, lines):
    put_study(folder, arms, **more)
    says(mistake("run", "study.toml"), *lines)


def test_toml_that_is_broken_has_its_line(folder):
    study = put_study(folder)
    study.write_text("version = 1\nseeds = = 3\n")
    said = mistake("run", "study.toml")
    says(said, "error: not valid TOML: ", "(at line 2, column", "fix that line", "study.toml")


def test_no_study_file(folder):
    said = mistake("run", "studdy.toml")
    says(said, "error: study file not found", "where:   studdy.toml", "tuneoff new YOUR_DATA writes one")


def test_the_out_folder_is_in_use(folder):
    put_study(folder)
    (folder / "out").mkdir()
    with FileLock(folder / "out" / ".lock"):
        said = mistake("run", "study.toml", "--out", "out")
    says(said, "error: another process is running this study", "wait for it, or give --out another folder")


def test_the_out_folder_is_a_file(folder):
    put_study(folder)
    (folder / "out").write_text("a file")
    says(mistake("run", "study.toml", "--out", "out"), "error: cannot write here", "name another run folder")


@pytest.mark.parametrize("verb", [("show",), ("report",), ("predict", "data.jsonl")])
def test_a_folder_without_a_run(folder, verb):
    put_study(folder)
    (folder / "empty").mkdir()
    says(mistake(verb[0], "empty", *verb[1:]), "error: this folder holds no run", "tuneoff run study.toml")


@pytest.mark.parametrize("verb", ["show", "report"])
def test_no_such_run_folder(folder, verb):
    (folder / "runs").mkdir()
    says(mistake(verb, "rusn"), "error: run folder not found", "did you mean 'runs'?")


def test_a_model_that_is_not_there(folder):
    put_study(folder, model={"name": "smollm2-135m-instruc"})
    said = mistake("run", "study.toml", "--out", "out")
    says(said, "'smollm2-135m-instruc'", "did you mean 'smollm2-135m-instruct'?")


def test_a_folder_without_a_model(folder):
    (folder / "model").mkdir()
    (folder / "model" / "notes.txt").write_text("nothing here")
    put_study(folder)
    said = mistake("run", "study.toml", "--out", "out")
    says(said, "holds no model", "config.json", "notes.txt", str(folder / "model"))


def test_pickled_weights_are_refused(folder):
    model = put_model(folder)
    (model / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(2)}, model / "pytorch_model.bin")
    put_study(folder)
    said = mistake("run", "study.toml", "--out", "out")
    says(said, "opens no pickle", "pytorch_model.bin", "if you trust where it came from")


def test_a_run_that_is_not_finished(folder):
    put_model(folder, max_position_embeddings=160)
    put_rows(folder / "data.jsonl", [*rows(), {"text": "far too long " * 20, "label": "good"}])
    put_study(folder, data=EVERYTHING)
    mistake("run", "study.toml", "--out", "out")
    said = mistake("predict", "out", "data.jsonl")
    says(said, "error: this run has no verdict yet", "tuneoff run study.toml finishes it")
    says(mistake("show", "out"), "error: ", "no verdict")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    made = tmp_path_factory.mktemp("finished")
    put_model(made)
    put_study(made, ["zero_shot"], seeds=1)
    done = tuneoff(made, "run", "study.toml", "--out", "out")
    assert done.returncode == 0, done.stderr
    return made


def test_an_unknown_arm(finished):
    said = mistake("predict", finished / "out", finished / "data.jsonl", "--arm", "zero_shto")
    says(said, "error: no finished arm 'zero_shto'", "allowed: ", "did you mean 'zero_shot'?")


def test_the_study_file_changed_under_a_finished_run(finished):
    put_study(finished, ["zero_shot"], seeds=1, prompt={"instruction": "Well?"})
    said = mistake("run", finished / "study.toml", "--out", finished / "out")
    says(said, "error: the study file changed since this run began", "undo the change (arms, seeds, trials may grow)")
    put_study(finished, ["zero_shot"], seeds=1)


def test_the_data_changed_under_a_finished_run(finished):
    before = (finished / "data.jsonl").read_text()
    put_rows(finished / "data.jsonl", rows(140))
    said = mistake("run", finished / "study.toml", "--out", finished / "out")
    (finished / "data.jsonl").write_text(before)
    says(said, "error: the data changed since this run began", "bring the data back as it was")


def test_the_frame_in_a_process_of_its_own(folder):
    put_study(folder, ["lroa"])
    done = tuneoff(folder, "run", "study.toml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: unknown method 'lroa'\n")
    assert "Traceback" not in done.stderr

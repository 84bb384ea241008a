"""tuneoff new: a study file that reads back, never over another one, and says what to type next."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tiny_study import put_model, put_rows, put_study, rows
from tuneoff.cli.main import app
from tuneoff.cli.new import new
from tuneoff.cli.new_model import count_long
from tuneoff.core.budget import parse_budget
from tuneoff.core.errors import ConfigError, DataError, ResourceError
from tuneoff.data.load import load_data
from tuneoff.study.budget.first_look import LIMIT_S
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
    assert spec.arms == ["majority", "tfidf", "linear_probe", "zero_shot", "few_shot", "soft_prompt_after", "lora"]
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


@pytest.fixture
def three(tmp_path, monkeypatch):
    """A folder with the three files of one data set, and the working folder beside it."""
    for mark, name in enumerate(("train.jsonl", "validation.jsonl", "test.jsonl")):
        put(tmp_path, f"d/{name}", [{**row, "text": f"{row['text']} {'!' * mark}"} for row in TICKETS])
    monkeypatch.chdir(tmp_path)
    return tmp_path / "d"


FILES = ("d/train.jsonl", "d/validation.jsonl", "d/test.jsonl")


def files_of(study="study.toml"):
    data = read_spec(Path(study)).data
    return data.train, data.validation, data.test


@pytest.mark.parametrize("typed", ["d", "./d", "d/", "d/train.jsonl"])
def test_a_folder_works_like_its_files(three, typed):
    new(Path(typed))
    assert files_of() == FILES


def test_the_folder_one_stands_in(three, monkeypatch):
    monkeypatch.chdir(three)
    new(Path("."))
    assert files_of() == ("train.jsonl", "validation.jsonl", "test.jsonl")
    assert read_spec(Path("study.toml")).name == "d"


@pytest.mark.parametrize("name", ["{}-00000-of-00002.jsonl", "{}/{}.jsonl"], ids=["parts", "sub-folders"])
def test_a_folder_of_parts(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for mark, split in enumerate(("train", "test")):
        for part in range(2):
            file = name.format(split, part).replace("00000", f"0000{part}")
            put(tmp_path, f"d/{file}", [{**row, "text": f"{row['text']} {mark}{part}"} for row in TICKETS])
    new(Path("d"))
    assert files_of() == ("d#train", "", "d#test")
    assert load(read_spec(Path("study.toml"))).report.read == {"d#train": 1800, "d#test": 1800}


def test_files_named_outright(three, capsys):
    put(three, "held.jsonl", [{**row, "text": f"{row['text']} ?"} for row in TICKETS])
    new(Path("d"), validation="d/held.jsonl")
    assert files_of() == ("d/train.jsonl", "d/held.jsonl", "d/test.jsonl")
    new(Path("d/validation.jsonl"), Path("other.toml"), test="d/held.jsonl")
    assert files_of("other.toml") == ("d/validation.jsonl", "", "d/held.jsonl")


def test_the_training_file_is_no_test_file(three):
    with pytest.raises(ConfigError, match="--test names the file that is trained on"):
        new(Path("d/train.jsonl"), test="./d/train.jsonl")


def test_a_format_is_written_down(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "export.dat")
    new(Path("export.dat"), format="jsonl")
    assert read_spec(Path("study.toml")).data.format == "jsonl"
    assert load(read_spec(Path("study.toml"))).kind == "choice"


def test_several_sets_in_a_folder_are_named_with_what_to_type(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("irony_train.jsonl", "irony_test.jsonl", "mood train.jsonl"):
        put(tmp_path, f"d/{name}", [{**row, "text": f"{row['text']} {name}"} for row in TICKETS])
    with pytest.raises(DataError, match="2 data sets are in this folder") as error:
        new(Path("d"), Path("mine.toml"))
    commands = [line.strip() for line in str(error.value).splitlines() if "tuneoff new" in line]
    assert commands == [
        "tuneoff new d/irony_train.jsonl --out mine.toml", "tuneoff new 'd/mood train.jsonl' --out mine.toml",
    ]  # fmt: skip
    typed(commands[0])
    assert read_spec(Path("mine.toml")).data.test == "d/irony_test.jsonl"


def typed(command):
    """Run a command that a message says to type."""
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output


def test_a_folder_without_data(tmp_path):
    (tmp_path / "notes.docx").write_text("x")
    with pytest.raises(DataError, match="no data file in this folder") as error:
        new(tmp_path, tmp_path / "study.toml")
    assert "notes.docx" in str(error.value)


UNCLEAR = [{"a b": f"text {n}", "b": f"other {n}", "c": f"third {n}"} for n in range(60)]


def test_where_columns_tell_nothing_the_command_to_type_is_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "x.jsonl", UNCLEAR)
    with pytest.raises(DataError, match="cannot tell the input columns from the answer") as error:
        new(Path("x.jsonl"), Path("mine.toml"))
    assert "a b: text 0; text 1" in str(error.value)
    command = str(error.value).splitlines()[-1].strip()
    assert command == "tuneoff new x.jsonl --input 'a b' --answer b --out mine.toml"
    assert not Path("mine.toml").exists()
    typed(command)
    data = read_spec(Path("mine.toml")).data
    assert (data.input, data.answer) == (["a b"], "b")


@pytest.mark.parametrize(
    ("said", "input", "answer"),
    [("\n\n", ["a b"], "b"), ("c\nb,a b\n", ["b", "a b"], "c"), ("9\n3\n3\n1\n", ["a b"], "c")],
    ids=["Enter", "names", "numbers, two of them wrong"],
)
def test_on_a_terminal_the_columns_are_asked_for(tmp_path, monkeypatch, said, input, answer):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tuneoff.cli.new.on_terminal", lambda: True)
    put(tmp_path, "x.jsonl", UNCLEAR)
    result = CliRunner().invoke(app, ["new", "x.jsonl"], input=said)
    assert result.exit_code == 0, result.output
    assert "text 0; text 1" in result.output
    data = read_spec(Path("study.toml")).data
    assert (data.input, data.answer) == (input, answer)


def test_on_a_terminal_the_set_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tuneoff.cli.new.on_terminal", lambda: True)
    for name in ("irony_train.jsonl", "mood_train.jsonl"):
        put(tmp_path, f"d/{name}")
    result = CliRunner().invoke(app, ["new", "d"], input="2\n")
    assert result.exit_code == 0, result.output
    assert read_spec(Path("study.toml")).data.path == "d/mood_train.jsonl"


def test_nothing_is_asked_where_nobody_sits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "x.jsonl", UNCLEAR)
    result = CliRunner().invoke(app, ["new", "x.jsonl"], input="c\na b\n")
    assert result.exit_code == 2


def test_a_doubtful_answer_is_said_with_the_other_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tables = [{"page": f"a text about {n}", "size": ["s", "m"][n % 2] * 3, "kind": str(n % 3) * 3} for n in range(90)]
    put(tmp_path, "x.jsonl", tables)
    new(Path("x.jsonl"))
    said = capsys.readouterr().out
    assert "look at  the answer was guessed: size, and not kind" in said
    (command,) = [line.partition("another: ")[2] for line in said.splitlines() if "another: " in line]
    typed(command)
    assert read_spec(Path("study-2.toml")).data.answer == "kind"


def test_columns_named_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "x.jsonl", [{**row, "who": n % 20} for n, row in enumerate(UNCLEAR)])
    typed("tuneoff new x.jsonl --input c --input 'a b' --answer b --group who")
    data = read_spec(Path("study.toml")).data
    assert (data.input, data.answer, data.group) == (["c", "a b"], "b", "who")


def test_a_test_file_without_answers_is_left_out(three, capsys):
    put(three, "test.jsonl", [{"text": f"message {n}?"} for n in range(20)])
    new(Path("d"))
    data = read_spec(Path("study.toml")).data
    assert (data.path, data.train, data.validation, data.test) == ("d/train.jsonl", "", "d/validation.jsonl", "")
    said = capsys.readouterr().out
    assert "d/test.jsonl has no answers (column label): it is no test set" in said
    assert "tuneoff predict" in said


def test_rows_of_many_records_come_with_the_commands_that_cut_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "x.jsonl", [{"instances": [{"input": f"{n} {k}", "output": f"it is {n} {k}"} for k in range(9)]}
                              for n in range(9)])  # fmt: skip
    with pytest.raises(DataError, match="each row holds many records") as error:
        new(Path("x.jsonl"))
    *_, write, take = (line.strip() for line in str(error.value).splitlines())
    program = shlex.split(write)
    assert program[:2] == ["python", "-c"]
    subprocess.run([sys.executable, *program[1:]], check=True)
    typed(take)
    assert load(read_spec(Path("study.toml"))).report.read == {"x_rows.jsonl": 81}


def test_columns_that_are_not_used_are_named(tmp_path, capsys):
    new(put(tmp_path, "a.jsonl", [{**row, "id": n} for n, row in enumerate(TICKETS)]), tmp_path / "study.toml")
    assert "columns not used: id" in capsys.readouterr().out


def test_records_that_the_model_cannot_read_are_counted_by_its_tokenizer(tmp_path):
    put_model(tmp_path)
    (tmp_path / "model" / "model.safetensors").write_bytes(b"not tensors")
    put_rows(tmp_path / "data.jsonl", [{"text": "far too long " * 50, "label": "good"}, *rows()])
    whole = {"train_records": 0, "validation_records": 0, "test_records": 0}
    long = count_long(put_study(tmp_path, ("zero_shot", "soft_prompt"), data=whole))
    assert (long.count, long.of, long.limit) == (1, 121, 492)  # 512, of which 20 are learned positions
    assert 650 < long.longest < 800


def test_lengths_that_cannot_be_found_out_are_said(tmp_path, capsys, monkeypatch):
    def absent(study):
        raise ResourceError("the model is not on this machine")

    monkeypatch.setattr("tuneoff.cli.new.count_long", absent)
    new(put(tmp_path, "a.jsonl", [{**row, "text": f"{row['text']} {'x' * 5000}"} for row in TICKETS]), tmp_path / "s")
    said = capsys.readouterr().out
    assert "whether the model can read the longest was not found out: the model is not on this machine" in said


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


def test_the_budget_is_what_the_sizes_are_chosen_for(tmp_path):
    new(put(tmp_path, "a.jsonl"), tmp_path / "study.toml")
    assert parse_budget(read_spec(tmp_path / "study.toml").budget).seconds == LIMIT_S


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
    result = CliRunner().invoke(app, ["new", str(put(tmp_path, "a.jsonl")), "--out", str(tmp_path / "mine.toml")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "mine.toml").is_file()


QUESTIONS = [
    {"question": f"What is {n} plus {n + 1}?", "answer": f"{n} plus {n + 1} is {2 * n + 1}."} for n in range(2000)
]


@pytest.mark.parametrize(
    ("token_s", "sizes", "takes"),
    [
        (1e-5, (500, 150, 400), "# enough for a first look, about 1 min on this machine; 0 uses all, and takes longer"),
        (5e-3, (100, 30, 80), "# enough for a first look, about 17 min on this machine; 0 uses all, and takes longer"),
        (0.2, (60, 20, 40), "on this machine in full; the budget leaves out what does not fit: write a longer one, or"),
    ],
)
def test_a_first_study_of_free_text_fits_half_an_hour_of_this_machine(
    tmp_path, monkeypatch, capsys, token_s, sizes, takes
):
    monkeypatch.setattr("tuneoff.study.budget.first_look.forward_s_here", lambda: token_s)
    new(put(tmp_path, "sums.jsonl", QUESTIONS), tmp_path / "s.toml")
    data = read_spec(tmp_path / "s.toml").data
    assert data.kind == "text"
    assert (data.train_records, data.validation_records, data.test_records) == sizes
    assert takes in (tmp_path / "s.toml").read_text()
    said = capsys.readouterr().out
    assert "time     about" in said
    assert f"{sizes[0]} train, {sizes[1]} validation, {sizes[2]} test records" in said


def test_a_choice_that_takes_longer_says_so_and_keeps_its_records(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tuneoff.study.budget.first_look.forward_s_here", lambda: 0.2)
    new(put(tmp_path, "tickets.jsonl"), tmp_path / "s.toml")
    said = capsys.readouterr().out
    assert "on this machine in full; the budget leaves out what does not fit: write a longer one, or fewer" in said
    assert "write a longer one, or fewer records" in (tmp_path / "s.toml").read_text()
    assert load(read_spec(tmp_path / "s.toml")).report.sizes["train"] > 300

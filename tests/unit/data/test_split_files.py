"""Which files of a folder are one data set, by their names."""

import pytest

from tuneoff.data.split_files import DataSet, data_sets, name_of, set_of


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def found(folder):
    return [{split: name.rpartition("/")[2] for split, name in each.files.items()} for each in data_sets(folder)]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train.jsonl", "validation.jsonl", "test.jsonl"),
        ("train.csv", "dev.csv", "test.csv"),
        ("train.jsonl.gz", "valid.jsonl", "test.jsonl.gz"),
        ("emotion_train.jsonl", "emotion_val.jsonl", "emotion_test.jsonl"),
        ("train-v2.json", "dev-v2.json", "test-v2.json"),
        ("Training.tsv", "Development.tsv", "Testing.tsv"),
        ("my.train.parquet", "my.val.parquet", "my.heldout.parquet"),
        ("train-00000-of-00001.parquet", "validation-00000-of-00001.parquet", "test-00000-of-00001.parquet"),
    ],
)
def test_the_three_files_of_one_set(tmp_path, train, validation, test):
    put(tmp_path, train, validation, test, "SOURCE.md", "schema.csv", "notes")
    assert found(tmp_path) == [{"train": train, "validation": validation, "test": test}]
    whole = set_of(tmp_path / train)
    assert whole.main == (tmp_path / train).as_posix()
    assert list(whole.neighbours) == ["validation", "test"]


def test_several_sets_stay_apart(tmp_path):
    put(tmp_path, "irony_train.jsonl", "irony_test.jsonl", "emotion_train.jsonl", "hate_test.jsonl")
    assert found(tmp_path) == [
        {"train": "emotion_train.jsonl"}, {"train": "irony_train.jsonl", "test": "irony_test.jsonl"},
    ]  # fmt: skip


def test_a_word_inside_another_names_no_split(tmp_path):
    put(tmp_path, "trainers.csv", "latest.csv", "devices.csv")
    assert found(tmp_path) == [{"": "devices.csv"}, {"": "latest.csv"}, {"": "trainers.csv"}]


@pytest.mark.parametrize(
    ("names", "main"),
    [(["dev.jsonl", "test.jsonl"], "dev.jsonl"), (["test.jsonl"], "test.jsonl"), (["tickets.csv"], "tickets.csv")],
)
def test_without_a_training_file(tmp_path, names, main):
    put(tmp_path, *names)
    (each,) = data_sets(tmp_path)
    assert each.main.endswith(f"/{main}")


def test_a_file_that_is_not_for_training_stands_alone(tmp_path):
    put(tmp_path, "train.jsonl", "dev.jsonl", "test.jsonl")
    assert set_of(tmp_path / "test.jsonl").files == {"": (tmp_path / "test.jsonl").as_posix()}


def test_a_split_in_parts_is_read_through_its_folder(tmp_path):
    put(tmp_path, *(f"train-0000{n}-of-00002.parquet" for n in range(2)), "test-00000-of-00001.parquet")
    (each,) = data_sets(tmp_path)
    assert each.main == f"{tmp_path.as_posix()}#train"


def test_parts_that_name_no_split_are_one_set(tmp_path):
    put(tmp_path, "part-0.jsonl", "part-1.jsonl")
    assert data_sets(tmp_path) == [DataSet({"": tmp_path.as_posix()})]


def test_sub_folders_that_are_called_by_their_split(tmp_path):
    put(tmp_path, "train/0.jsonl", "train/1.jsonl", "test/0.jsonl")
    (each,) = data_sets(tmp_path)
    assert each.files == {split: f"{tmp_path.as_posix()}#{split}" for split in ("test", "train")}


def test_the_folder_data_is_looked_into(tmp_path):
    put(tmp_path, "README.md", "data/train.csv", "data/test.csv")
    assert found(tmp_path) == [{"train": "train.csv", "test": "test.csv"}]


def test_a_saved_dataset_is_named_by_its_parts(tmp_path):
    put(tmp_path, "dataset_dict.json", "train/state.json", "validation/state.json", "test/state.json")
    (each,) = data_sets(tmp_path)
    assert each.main == f"{tmp_path.as_posix()}#train"
    assert list(each.neighbours) == ["validation", "test"]


def test_a_folder_without_data(tmp_path):
    put(tmp_path, "README.md", "notes.docx")
    assert data_sets(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [("tickets.jsonl", "tickets"), ("d/train.jsonl", "d"), ("d/emotion_train.jsonl.gz", "emotion"), ("d/data.csv", "d"),
     ("d/v1.2.csv", "v1"), ("ann/tickets#train", "tickets")],
)  # fmt: skip
def test_what_the_data_is_called(path, name):
    assert name_of(path) == name


def test_a_folder_is_called_by_its_own_name(tmp_path, monkeypatch):
    (tmp_path / "support").mkdir()
    monkeypatch.chdir(tmp_path / "support")
    assert name_of(".") == "support"

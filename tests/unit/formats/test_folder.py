"""A folder of files is read as one: files may differ, splits are told by names, rows know their file."""

import json

import pyarrow as pa
import pyarrow.parquet
import pytest

from tuneoff.core import plugins
from tuneoff.core.errors import DataError
from tuneoff.data.folder import data_files, is_of_files
from tuneoff.data.read import read_records


@pytest.fixture
def put(tmp_path):
    def write(name, *tables, text=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(table) + "\n" for table in tables) if text is None else text)
        return tmp_path

    return write


def read(path):
    return list(plugins.load("formats", "folder")().read(path))


def message(path):
    with pytest.raises(DataError) as error:
        read(path)
    return str(error.value)


def test_shards_may_differ_in_columns_and_types(put):
    put("shards/part-0.jsonl", {"text": "a", "label": 1})
    folder = put("shards/part-1.jsonl", {"text": "b", "label": "1", "source": "mail"})
    records = read_records("shards", folder=folder)
    assert [(record.source, record.target) for record in records] == [
        ("shards/part-0.jsonl:1", "1"),
        ("shards/part-1.jsonl:1", "1"),
    ]


def test_parquet_shards_may_differ(tmp_path):
    pa.parquet.write_table(pa.table({"text": ["a"], "label": pa.array([4.4], pa.float32())}), tmp_path / "0.parquet")
    pa.parquet.write_table(pa.table({"label": ["4.4"], "text": ["b"], "n": [1]}), tmp_path / "1.parquet")
    assert [record.target for record in read_records(str(tmp_path))] == ["4.4", "4.4"]


def test_bad_rows_are_named_by_their_file(put):
    put("shards/part-0.jsonl", {"text": "a", "label": "x"}, {"text": "b"})
    folder = put("shards/part-1.jsonl", text='{"text": "b", "label": "y"}\n{"text": \n')
    with pytest.raises(DataError) as error:
        read_records("shards", folder=folder)
    assert "shards/part-0.jsonl:2  column 'label' is missing" in str(error.value)
    assert "shards/part-1.jsonl:2  not valid JSON" in str(error.value)


def test_the_working_folder(put, monkeypatch):
    monkeypatch.chdir(put("a.jsonl", {"text": "a", "label": "x"}))
    assert [record.source for record in read_records(".")] == ["a.jsonl:1"]


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["b.jsonl", "a.jsonl.gz"], {"": ["a.jsonl.gz", "b.jsonl"]}),
        (["train.jsonl", "dev.jsonl", "test_set.jsonl", "schema.csv"],
         {"train": ["train.jsonl"], "validation": ["dev.jsonl"], "test": ["test_set.jsonl"], "": ["schema.csv"]}),
        (["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
         {"train": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]}),
        (["README.md", "data/train/0.csv", "data/test/0.csv"],
         {"train": ["data/train/0.csv"], "test": ["data/test/0.csv"]}),
        (["a.csv", "runs/x/data.jsonl", ".hidden.csv", "dataset_infos.json", "notes.txt"], {"": ["a.csv"]}),
        (["trainers.csv", "latest.csv"], {"": ["latest.csv", "trainers.csv"]}),
    ],
)  # fmt: skip
def test_files_and_splits(put, tmp_path, names, splits):
    for name in names:
        put(name, text="x")
    found = data_files(tmp_path)
    assert {key: [file.relative_to(tmp_path).as_posix() for file in files] for key, files in found.items()} == splits


def test_a_split_is_named(put):
    for name in ("train-0", "train-1", "dev"):
        folder = put(f"a/{name}.jsonl", {"text": name, "label": "x"})
    assert [row.table["text"] for row in read(f"{folder / 'a'}#train")] == ["train-0", "train-1"]
    for name in ("validation", "dev"):
        assert [row.table["text"] for row in read(f"{folder / 'a'}#{name}")] == ["dev"]
    text = message(folder / "a")
    assert "the folder holds several splits" in text
    assert "train: train-0.jsonl, train-1.jsonl" in text
    assert 'such as "a#' in text
    assert "did you mean 'train'?" in message(f"{folder / 'a'}#trian")


def test_a_folder_without_split_names_is_its_train_split(put):
    folder = put("a/part.jsonl", {"text": "a"})
    assert read(f"{folder / 'a'}#train") == read(folder / "a")
    assert "no split 'test' in the folder" in message(f"{folder / 'a'}#test")


def test_files_of_several_formats_are_not_mixed(put):
    put("a/data.csv", text="text,label\na,x\n")
    folder = put("a/data.jsonl", {"text": "a", "label": "x"})
    text = message(folder / "a")
    assert "files of several formats" in text
    assert "data.csv, data.jsonl" in text
    assert 'name the one that is meant, such as "a/data.csv"' in text


def test_a_folder_without_data(put):
    text = message(put("notes.txt", text="x"))
    assert "no data files in the folder" in text
    assert "notes.txt" in text


def test_what_the_datasets_library_knows_better(put, tmp_path):
    put("saved/state.json", text="{}")
    put("card/README.md", text="---\nlicense: mit\nconfigs:\n- config_name: a\n---\n")
    put("plain/README.md", text="---\nlicense: mit\n---\nconfigs: none\n")
    assert [is_of_files(str(tmp_path / name)) for name in ("saved", "card", "plain", "plain#a/train", "none")] == [
        False, False, True, False, False,
    ]  # fmt: skip
    hub = plugins.load("formats", "hf_dataset")
    assert [hub.accepts(str(tmp_path / name)) for name in ("saved", "card", "plain")] == [True, True, False]


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ([0, 1, 0, 1], ["good", "good", "bad", "bad"], True),
        (["0", "1", "0", "1"], ["good", "good", "bad", "bad"], True),
        ([0, 1, 0, 1], ["0", "1", "1", "0"], False),
        ([0, 1, 2, 3], ["an answer", "and another", "a third", "a fourth"], False),
        ([True, False] * 2, ["true", "false"] * 2, False),
    ],
)
def test_labels_that_are_numbers_in_one_file_and_words_in_another(put, first, second, refused):
    put("shards/part-0.jsonl", *({"text": f"a{n}", "label": label} for n, label in enumerate(first)))
    folder = put("shards/part-1.jsonl", *({"text": f"b{n}", "label": label} for n, label in enumerate(second)))
    if not refused:
        assert len(read_records("shards", folder=folder)) == 8
        return
    with pytest.raises(DataError) as error:
        read_records("shards", folder=folder)
    assert "column 'label' holds numbers in some files and words in others" in str(error.value)
    assert f"{first[0]!r} in part-0.jsonl, 'good' in part-1.jsonl" in str(error.value)
    codes = {"0": "bad", "1": "good", "good": "good", "bad": "bad"}
    assert {record.target for record in read_records("shards", folder=folder, labels=codes)} == {"good", "bad"}

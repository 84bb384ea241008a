"""What each format does on its own: lines, separators, encodings, broken rows, splits."""

import gzip
import json
import sys

import pytest

from tuneoff.core import plugins
from tuneoff.core.errors import DataError, MissingExtra


def read(name, path):
    return list(plugins.load("formats", name)().read(path))


def put(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_byte_order_mark_and_gzip(tmp_path):
    data = '\ufeff{"a": "é"}\n'.encode()
    (tmp_path / "a.jsonl").write_bytes(data)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data))
    assert read("jsonl", tmp_path / "a.jsonl") == read("jsonl", tmp_path / "a.jsonl.gz")
    assert read("jsonl", tmp_path / "a.jsonl")[0].table == {"a": "é"}


def test_another_encoding_is_named_with_its_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nhi,x\ncafé,y\n".encode("cp1252"))
    with pytest.raises(DataError) as error:
        read("csv", path)
    assert f"{path}:3" in str(error.value)
    assert "not UTF-8" in str(error.value)
    assert "0xe9" in str(error.value)
    assert "iconv -f WINDOWS-1252 -t UTF-8" in str(error.value)


def test_utf16_is_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\n".encode("utf-16"))
    with pytest.raises(DataError, match="iconv -f UTF-16"):
        read("csv", path)


def test_a_broken_gzip_is_a_data_error(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 99)[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read("jsonl", tmp_path / "a.jsonl.gz")


def test_parquet_counts_rows_over_batches(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"n": list(range(7))}), tmp_path / "a.parquet", row_group_size=2)
    assert [(row.line, row.table["n"]) for row in read("parquet", tmp_path / "a.parquet")] == [
        (n + 1, n) for n in range(7)
    ]


class TestHfDataset:
    @pytest.fixture(autouse=True)
    def _cache(self, tmp_path, monkeypatch):
        import datasets

        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    @pytest.fixture
    def saved(self, tmp_path):
        import datasets

        names = datasets.ClassLabel(names=["ham", "spam"])
        features = datasets.Features({"text": datasets.Value("string"), "label": names})
        rows = {"train": [("a", 0), ("b", 1)], "test": [("c", 1), ("d", -1)]}
        parts = {
            split: datasets.Dataset.from_dict({"text": [t for t, _ in part], "label": [n for _, n in part]}, features)
            for split, part in rows.items()
        }
        datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
        return tmp_path / "saved"

    def test_class_numbers_become_names(self, saved):
        assert [row.table["label"] for row in read("hf_dataset", f"{saved}#train")] == ["ham", "spam"]
        assert [row.table["label"] for row in read("hf_dataset", f"{saved}#test")] == ["spam", None]

    def test_several_splits_must_be_chosen_from(self, saved):
        with pytest.raises(DataError) as error:
            read("hf_dataset", saved)
        assert "the dataset has several splits" in str(error.value)
        assert "train, test" in str(error.value)
        assert f'"{saved}#train"' in str(error.value)
        with pytest.raises(DataError, match="did you mean 'train'"):
            read("hf_dataset", f"{saved}#trian")

    def test_a_folder_of_files_with_splits(self, tmp_path):
        folder = tmp_path / "files"
        folder.mkdir()
        for split in ("train", "test"):
            put(folder, f"{split}.jsonl", json.dumps({"text": split, "label": "x"}) + "\n")
        assert read("hf_dataset", f"{folder}#test")[0].table == {"text": "test", "label": "x"}

    def test_a_folder_of_parquet_files(self, tmp_path):
        folder = tmp_path / "files"
        folder.mkdir()
        plugins.load("formats", "parquet")().write(folder / "train.parquet", [{"text": "a"}, {"text": "b"}])
        assert [row.table["text"] for row in read("hf_dataset", folder)] == ["a", "b"]

    def test_an_empty_folder(self, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataError, match="the dataset cannot be loaded"):
            read("hf_dataset", tmp_path / "empty")

    def test_hub_id_and_configuration_are_handed_on(self, monkeypatch):
        import datasets

        asked = []

        def fake(name, config):
            asked.append((name, config))
            raise datasets.exceptions.DatasetNotFoundError("Dataset 'ann/nothing' doesn't exist")

        monkeypatch.setattr(datasets, "load_dataset", fake)
        with pytest.raises(DataError, match="check the id"):
            read("hf_dataset", "ann/nothing#small/train")
        assert asked == [("ann/nothing", "small")]

    def test_the_missing_package_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "datasets", None)
        with pytest.raises(MissingExtra, match=r"pip install 'tuneoff\[hub\]'"):
            read("hf_dataset", tmp_path)

    @pytest.mark.parametrize(
        ("name", "taken"),
        [("ann/tickets", True), ("ann/tickets#train", True), ("ann/v1.0#a/b", True), ("tickets.jsnl", False),
         ("data/tickets.jsnl", False), ("tickets", False), ("/ann/tickets", False), ("../ann", False)],
    )  # fmt: skip
    def test_which_names_are_hub_ids(self, name, taken):
        assert plugins.load("formats", "hf_dataset").accepts(name) is taken

    def test_what_an_exception_was_raised_from_is_shown(self, tmp_path):
        folder = tmp_path / "files"
        folder.mkdir()
        put(folder, "part-0.jsonl", '{"text": "a"}\n')
        put(folder, "part-1.jsonl", '{"text": "a", "source": "mail"}\n')
        with pytest.raises(DataError) as error:
            read("hf_dataset", folder)
        assert "source" in str(error.value)
        assert "An error occurred while generating the dataset" not in str(error.value)

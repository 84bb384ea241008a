"""Text files that a person hands over: a mark before the first letter is dropped, another encoding is named."""

import codecs

import pytest

from tuneoff.core.errors import ConfigError, DataError, TuneoffError
from tuneoff.core.text import decode, read_text
from tuneoff.data.general import general_text
from tuneoff.data.mixture import read_mixture
from tuneoff.methods.prompt_file import PromptFile
from tuneoff.study.spec import read_spec

MIXTURE = '[[source]]\npath = "a.jsonl"\ninstruction = "Größe?"\n'
STUDY = 'version = 1\nname = "Größe"\narms = ["zero_shot"]\n\n[data]\npath = "a.jsonl"\n'
READERS = {
    "study": (STUDY, lambda file: read_spec(file).name, "Größe"),
    "mixture": (MIXTURE, lambda file: read_mixture(file.name, folder=file.parent)[0].instruction, "Größe?"),
    "prompt": ("Größe?\n{text}\n", lambda file: PromptFile(path=file.name).read(file.parent).text, "Größe?\n{text}"),
    "general": ("Größe\n\nzwei\n", general_text, ["Größe", "zwei"]),
}


@pytest.fixture(params=READERS)
def case(request, tmp_path):
    """(file, its text, how it is read, what that gives)."""
    (tmp_path / "a.jsonl").write_text('{"text": "t", "label": "l"}\n')
    file = tmp_path / ("mine.txt" if request.param in ("prompt", "general") else "mine.toml")
    return file, *READERS[request.param]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_mark_and_the_line_ends_change_nothing(case, encoding, end):
    file, text, read, wanted = case
    file.write_bytes(text.replace("\n", end).encode(encoding))
    assert read(file) == wanted


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-16", "found:   UTF-16\n"), ("utf-32", "found:   UTF-32\n"), ("utf-16-le", "found:   UTF-16LE\n"),
     ("utf-16-be", "found:   UTF-16BE\n"), ("cp1252", "the byte 0xf6, which no UTF-8 text has there")],
)  # fmt: skip
def test_another_encoding_is_named(case, encoding, named):
    file, text, read, _ = case
    file.write_bytes(text.encode(encoding))
    with pytest.raises(TuneoffError) as error:
        read(file)
    assert isinstance(error.value, ConfigError | DataError)
    assert "is not UTF-8 text" in str(error.value)
    assert named in str(error.value)
    assert f"{file}:" in str(error.value)
    assert "iconv -f" in str(error.value)


def test_the_line_of_the_first_bad_byte():
    with pytest.raises(ConfigError) as error:
        decode("version = 1\nname = 'é'\n".encode("latin-1"), "study.toml", "the study file", ConfigError)
    assert "the study file is not UTF-8 text" in str(error.value)
    assert "study.toml:2" in str(error.value)


def test_text_with_a_few_zero_bytes_is_no_other_encoding():
    assert decode(b"a\0b and more", "a.txt", "the file", DataError) == "a\0b and more"
    assert decode(b"", "a.txt", "the file", DataError) == ""
    assert decode(codecs.BOM_UTF8, "a.txt", "the file", DataError) == ""


def test_a_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(ConfigError) as error:
        read_text(tmp_path, "the study file")
    assert str(error.value).startswith("the study file cannot be read")
    assert "Is a directory" in str(error.value)

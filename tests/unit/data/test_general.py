"""General text: its passages, and pieces as long as a person's own texts."""

import pytest

from tuneoff.core.errors import DataError
from tuneoff.data.general import cut, general_text


def test_the_passages_that_come_with_it():
    passages = general_text()
    assert len(passages) == 10
    assert all(500 <= len(passage.encode()) <= 800 for passage in passages)
    assert all("\n" not in passage for passage in passages)
    assert passages[0].startswith("When in the Course of human events")
    assert sum(map(len, passages)) > 5000


def test_a_file_of_ones_own(tmp_path):
    (tmp_path / "mine.txt").write_text("one\ntwo\n\n\nthree  four\n")
    assert general_text(tmp_path / "mine.txt") == ["one two", "three four"]


@pytest.mark.parametrize("content", [None, b"\n \n", b"\xff\xfe"])
def test_a_file_that_is_none(tmp_path, content):
    file = tmp_path / "mine.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match="general text") as error:
        general_text(file)
    assert "mine.txt" in str(error.value)


def test_pieces_are_as_long_as_asked_in_whole_words():
    assert cut(["one two three four five six"], [(7, 5)]) == [("one two", " three")]
    assert cut(["one two three four five six"], [(7, 5), (4, 4)]) == [("one two", " three"), ("four", " five")]


def test_no_word_is_used_twice_and_all_are_in_order():
    passages = general_text()
    pieces = cut(passages, [(60, 20)] * 200)
    words = " ".join(first + rest for first, rest in pieces).split()
    assert 50 < len(pieces) < 200
    left = iter(" ".join(passages).split())
    assert all(word in left for word in words)  # a subsequence: what does not fit at a passage's end is left out


def test_lengths_are_near_what_was_asked():
    for first, rest in cut(general_text(), [(100, 30)] * 20):
        assert 85 <= len(first) <= 100
        assert 10 <= len(rest) <= 31


def test_a_pair_longer_than_a_passage_is_shrunk():
    pieces = cut(general_text(), [(5000, 1000)] * 64)
    assert len(pieces) >= 5
    assert all(400 < len(first) < 550 and 60 < len(rest) < 100 for first, rest in pieces)


def test_a_short_answer_gets_at_least_a_word():
    assert all(rest.strip() for _, rest in cut(general_text(), [(80, 1)] * 30))


def test_a_passage_of_one_word_gives_nothing():
    assert cut(["alone"], [(5, 3)]) == []

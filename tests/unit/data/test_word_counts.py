"""Words of every script: runs of letters where words are spaced, characters where they are not."""

import pytest

from tuneoff.data.words import count_words, pieces, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't panic, (ok)!", ["Don", "t", "panic", "ok"]),
        ("snake_case and 2.5", ["snake", "case", "and", "2", "5"]),
        ("水壶 is 好用。", ["水", "壶", "is", "好", "用"]),
        ("iPhoneは高い", ["iPhone", "は", "高", "い"]),
        ("นี่ดี", ["นี่", "ดี"]),  # vowel signs and tone marks stay on their letters
        ("ထမင်း", ["ထ", "မ", "င်း"]),
        ("བོད་ཡིག", ["བོ", "ད", "ཡི", "ག"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("cafe\u0301 café", ["café", "café"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("한국어 좋아", ["한국어", "좋아"]),
        ("3 + 5 =", ["3", "+", "5", "="]),
        ("-5 < 5 %", ["-", "5", "<", "5", "%"]),
        ("well-known -5 a-b", ["well", "known", "-", "5", "a", "b"]),
        ("**bold** a*b", ["bold", "a", "*", "b"]),
        ("so happy 😀", ["so", "happy", "😀"]),
        (":) ?!", [":)", "?!"]),  # no words at all: its pieces
        (" ", []),
    ],
)
def test_words(text, found):
    assert words(text) == found


def test_pieces_are_what_stands_between_spaces_and_characters_without():
    assert pieces("Don't pay 水壶!") == ["Don't", "pay", "水", "壶", "!"]
    assert pieces("a\u00a0b\tc\n") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("one two three", 3),
        ("well - done", 2),
        ("这个水壶非常好用我很满意", 6),
        ("这个水壶，很好。", 3),
        ("", 0),
        ("iPhone 很好", 2),
    ],
)
def test_two_characters_are_counted_as_a_word(text, count):
    assert count_words(text) == count

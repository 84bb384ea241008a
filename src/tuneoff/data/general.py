"""Plain English to hold a person's texts against: how hard is their language for a model, next to everyday text?

general_text.txt holds ten passages of about 600 bytes, parted by empty lines. Four are in the public domain: the
openings of the US Declaration of Independence (1776), Jane Austen's Pride and Prejudice (1813), Charles Darwin's On the
Origin of Species (1859) and Lewis Carroll's Alice's Adventures in Wonderland (1865). Models may know those by heart, so
the other six were written for this file.

A short text is hard for want of context alone. So the passages are cut into pieces as long as the person's own texts:

    cut(["one two three four five six"], [(7, 5)]) == [("one two", " three")]
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tuneoff.core.errors import DataError
from tuneoff.core.text import read_text

__all__ = ["cut", "general_text"]


def general_text(file: Path | None = None) -> list[str]:
    """The passages, each in one line. file: the person's own text instead. Raises DataError where it cannot be read."""
    file = file or Path(__file__).parent / "general_text.txt"
    text = read_text(file, "the general text", DataError)
    passages = [" ".join(passage.split()) for passage in text.split("\n\n")]
    if not any(passages):
        raise DataError("the general text is empty", where=file, fix="give it some paragraphs of plain text")
    return [passage for passage in passages if passage]


def cut(passages: Sequence[str], sizes: Iterable[tuple[int, int]]) -> list[tuple[str, str]]:
    """Pieces of (about so many bytes, and so many right behind them), in whole words, each byte used at most once.

    A pair is shrunk where most passages could not hold it. There are fewer pieces than sizes where the text runs out.
    """
    lengths = sorted(len(passage.encode()) for passage in passages)
    room = lengths[len(lengths) // 4]
    left = [passage.split(" ") for passage in passages]
    pieces = []
    for first, second in sizes:
        share = min(1.0, room / max(first + second, 1))
        while left and _bytes(left[0]) < share * (first + second) - 1:
            left.pop(0)
        if not left:
            break
        pieces.append((_take(left[0], share * first), _take(left[0], share * second)))
    return [(start, f" {rest}") for start, rest in pieces if start and rest]


def _take(words: list[str], size: float) -> str:
    """At least one word off the front, until there are so many bytes."""
    taken = words[:1]
    del words[:1]
    while words and _bytes([*taken, words[0]]) <= size:
        taken.append(words.pop(0))
    return " ".join(taken)


def _bytes(words: Sequence[str]) -> int:
    """Of the words with spaces between them."""
    return sum(len(word.encode()) + 1 for word in words) - 1

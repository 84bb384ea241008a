"""The texts that both sides meet: real ones, with the lengths that people's data have.

They are read from the folder that TUNEOFF_BENCH_DATA names, else from ../shared/data beside the repository; each
file that is not there is replaced by the demo's film reviews, cut and joined to like lengths. One line of
ag_news/train.jsonl.gz, and what becomes of it:

    {"label": "Sci/Tech", "title": "...", "description": "Intel Corp. this week is expected to ...", "text": "..."}
    Record(fields={"text": "Intel Corp. this week is expected to ..."}, target="Sci/Tech")

Each function returns where its texts are from, and the records.
"""

import gzip
import json
import os
from pathlib import Path

from tuneoff.core.errors import DataError
from tuneoff.data.demo import demo_records
from tuneoff.data.record import Record
from tuneoff.models.base import Base

__all__ = ["bank_questions", "documents", "feelings", "instructions", "news"]

FOLDER = "TUNEOFF_BENCH_DATA"
BESIDE = Path(__file__).parents[2] / "shared" / "data"

Rows = list[dict[str, str]]


def feelings() -> tuple[str, list[Record]]:
    """Tweets (mean 25 SmolLM2 tokens) with one of four emotions."""
    rows = _rows("tweet_eval/emotion_train.jsonl")
    if rows is None:
        return _reviews()
    return "tweet_eval emotion", [Record(fields={"text": row["text"]}, target=row["label"]) for row in rows]


def news() -> tuple[str, list[Record]]:
    """Short texts (mean 45 tokens) with one of four topics."""
    rows = _rows("ag_news/train.jsonl.gz")
    if rows is None:
        return _reviews()
    return "ag_news", [Record(fields={"text": row["description"]}, target=row["label"]) for row in rows]


def bank_questions() -> tuple[str, list[Record]]:
    """Questions to a bank (mean 13 tokens) with one of 77 intents."""
    rows = _rows("banking77/test.jsonl")
    if rows is not None:
        return "banking77", [Record(fields={"text": row["text"]}, target=row["label"]) for row in rows]
    source, reviews = _reviews()
    labels = sorted({" ".join(each.fields["text"].split()[:4]) for each in reviews})[:77]
    return source, [Record(fields=each.fields, target=labels[at % 77]) for at, each in enumerate(reviews)]


def instructions() -> tuple[str, list[Record]]:
    """Instructions of every kind with the response that was wanted."""
    rows = _rows("alpaca_cleaned_1000/train.jsonl")
    if rows is not None:
        return "alpaca_cleaned", [_instruction(row) for row in rows]
    source, reviews = _reviews()
    return source, [_second_half(each.fields["text"]) for each in reviews]


def documents(base: Base, tokens: int, count: int) -> tuple[str, list[Record]]:
    """Pieces of running text that take `tokens` tokens with all that stands around them, asked for a yes or no.

    base: asked in plain text."""
    rows = _rows("plain_text/c4_web.jsonl")
    source, texts = ("c4", [row["text"] for row in rows]) if rows is not None else _running_reviews()
    ids = base.tokenizer("\n\n".join(texts), add_special_tokens=False, verbose=False).input_ids
    size = tokens - len(base.chat.prompt_ids(())) - 3  # the answer, its end, and the line break before it
    pieces = [ids[at : at + size] for at in range(0, count * size, size)]
    if len(pieces[-1]) < size:
        raise DataError("too little text for this benchmark", found=f"{len(ids)} tokens", allowed=f"{count * size}")
    return source, [
        Record(fields={"text": base.tokenizer.decode(piece)}, target=("yes", "no")[at % 2])
        for at, piece in enumerate(pieces)
    ]


def _rows(name: str) -> Rows | None:
    path = Path(os.environ.get(FOLDER) or BESIDE) / name
    if not path.is_file():
        return None
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _reviews() -> tuple[str, list[Record]]:
    return "film reviews", [Record(fields={"text": row["text"]}, target=row["label"]) for row in demo_records()]


def _running_reviews() -> tuple[str, list[str]]:
    source, reviews = _reviews()
    return source, [each.fields["text"] for each in reviews]


def _instruction(row: dict[str, str]) -> Record:
    fields = {"input": row["input"]} if row["input"] else {}
    return Record(instruction=row["instruction"], fields=fields, target=row["output"])


def _second_half(text: str) -> Record:
    words = text.split()
    middle = max(1, len(words) // 2)
    return Record(fields={"text": " ".join(words[:middle])}, target=" ".join(words[middle:]) or text)

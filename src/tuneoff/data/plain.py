"""A text as answers are compared: SQuAD's normalisation (Rajpurkar et al., EMNLP 2016, section 6), and what it loses.

    plain("The  Eiffel Tower!") == "eiffel tower"       plain("about $1,000.50.") == "about $1000.50"
    plain("age<30") == "age < 30"                       plain("C++, not C") == "c++ not c"

On prose (letters, whole numbers, spaces, and the marks . , : ; ! ? ' " ( ) ` - *) it gives what SQuAD's gives: lower
case, no punctuation, no English articles. Further:

    numbers   marks inside them stay (3.5, 10-12, 1e-5, -5, 3:30); commas between thousands go, as in SQuAD
    signs     stay (%, $, +, /, #, &, _): 5 % is not 5, and C# is not C
    code      a text with = < > { } \\ or an arithmetic sign between operands keeps all its characters, one space around
              each sign
    others    punctuation of other scripts goes like that of ASCII; accents are composed, invisible characters go

What still falls together: case, articles, and the marks of prose. The metric strict_match tells all of it apart.
"""

import re
from collections.abc import Iterable
from functools import cache

from tuneoff.data.spelling import look
from tuneoff.data.words import marks_of_sentences

__all__ = ["fall_together", "plain"]

CODE = re.compile(r"[=<>{}\\]|(?<=\w)( ?)[+*^](?=\1\w)")
CODE_TOKEN = re.compile(r"\w+(?:\.\d+)?|[^\w\s]")
MINUS = re.compile(r"[\u2212\u2010\u2011\u2013](?=\.?\d)")
THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
UNIT = re.compile(r"(?<=\d)\s+(?=%)|(?<=[$€£¥])\s+(?=\d)")
ARTICLES = re.compile(r"(?<!\S)(?:an?|the)(?!\S)")
INSIDE_NUMBERS = (
    r"(?<=\d)[^\w\s()](?=\d)"  # 3.5, 10-12, 3:30
    r"|(?<=\d\s)-(?=\s\d)"  # 10 - 12
    r"|(?<=\d[e])-(?=\d)"  # 1e-5
    r"|(?<![\w.)\]-])-(?=[$€£¥]?\.?\w)"  # -5
    r"|(?<![\w.])\.(?=\d)"  # .5
)


def plain(text: str) -> str:
    """The text in lower case, without what makes no difference to what it says; see above."""
    text = MINUS.sub("-", look(text.lower()))
    if CODE.search(text):
        return " ".join(CODE_TOKEN.findall(text.strip(" `.;")))
    text = THOUSANDS.sub(lambda number: number[0].replace(",", ""), text)
    bare = _marks().sub(lambda mark: mark["kept"] or "", UNIT.sub("", text))
    return " ".join(ARTICLES.sub(" ", bare).split())


def fall_together(answers: Iterable[str]) -> list[tuple[str, ...]]:
    """Different answers that are equal once they are plain, each group in order of appearance."""
    groups: dict[str, dict[str, None]] = {}
    for answer in answers:
        groups.setdefault(plain(answer), {})[answer] = None
    return [tuple(group) for group in groups.values() if len(group) > 1]


@cache
def _marks() -> re.Pattern:
    return re.compile(f"(?P<kept>{INSIDE_NUMBERS})|[{marks_of_sentences()}]")

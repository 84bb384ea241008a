"""A text as answers are compared: SQuAD's normalisation (Rajpurkar et al., EMNLP 2016, section 6).

plain("The  Eiffel Tower!") == "eiffel tower"
"""

import re
import string

__all__ = ["plain"]

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and doubled white space, in that order."""
    bare = text.lower().translate(PUNCTUATION)
    return " ".join(ARTICLES.sub(" ", bare).split())

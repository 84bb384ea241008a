"""What white space around a text is kept: the indentation of its first line, which in code is part of what it says.

"\\n    y = x + 1\\n    return y\\n"     "    y = x + 1\\n    return y"
"""

import re

__all__ = ["indented", "trimmed"]

ONE_SPACE = re.compile(r" \S")
EMPTY_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")


def trimmed(text: str) -> str:
    """A text without empty lines before it and white space behind it; its first line keeps its indentation.

    One space before a line that stands alone is none: it parts an answer from its prompt in many files.
    """
    own = EMPTY_LINES.sub("", text.rstrip())
    return own[1:] if ONE_SPACE.match(own) and "\n" not in own else own


def indented(text: str) -> str:
    """The same where there are lines for the first one to stand in line with; one line alone begins with a word."""
    own = trimmed(text)
    return own if "\n" in own else own.strip()

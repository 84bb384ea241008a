"""A question with options: which columns hold them, how they are shown, and which one an answer means.

    {"question": "2 + 2?", "A": "3", "B": "4", "answer": "B"}             letters
    {"question": "2 + 2?", "option_a": "3", "option_b": "4", "answer": "4"}   the text of one
    {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1}            a number, counted from 0 or from 1

all become the fields {"question": "2 + 2?", "A": "3", "B": "4"} and the target "B".
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Any, Literal

from tuneoff.core.errors import DataError
from tuneoff.data.record import Unusable
from tuneoff.data.values import json_value

__all__ = ["OPTION_ANSWERS", "Options", "options_among"]

LISTS = ("choices", "options", "endings", "alternatives")
CORRECT = ("answerKey", "answer_key", "correct", "correct_answer", "correct_option", "cop", "gold")
OPTION_ANSWERS = ("answer", *CORRECT, "label", "target")
STEM = re.compile(r"(?:(option|opt|op|choice|answer|ans|ending|solution|sol|alternative)[ _-]?)?([A-Ja-j]|\d)")
FIRST = ("A", "a", "0", "1")
Coding = Literal["", "letter", "text", "number"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """columns: one an option, or the one that holds a list of them. coding: how the answers name an option, once
    the rows were looked at (see settle); "" where they name none. first: what numbers count from.
    """

    columns: tuple[str, ...]
    coding: Coding = ""
    first: int = 0

    def texts(self, table: Mapping[str, Any], text: Callable[[Any], str]) -> dict[str, str]:
        """Letter to option, of one row; empty ones are left out. Raises Unusable where there are none."""
        values = [json_value(table.get(name)) for name in self.columns]
        if len(self.columns) == 1:
            values = _listed(values[0], self.columns[0])
        found = {letter: text(value) for letter, value in zip(ascii_uppercase, values) if value not in (None, "")}
        if not found:
            raise Unusable(f"there are no options (column {', '.join(map(repr, self.columns))})")
        return found

    def letter(self, answer: str, texts: Mapping[str, str]) -> str:
        """The letter of the option that an answer names. Raises Unusable where it names none."""
        found = self._letter(answer, texts)
        if not found:
            raise Unusable(f"the answer {answer!r} is none of the options {', '.join(texts)}")
        return found

    def _letter(self, answer: str, texts: Mapping[str, str]) -> str:
        if self.coding == "text":
            return next((letter for letter, text in texts.items() if text == answer), "")
        if self.coding == "letter":
            letter = answer.strip("().: ").upper()
        else:
            at = int(answer) - self.first if answer.isdecimal() else -1
            letter = ascii_uppercase[at] if 0 <= at < len(ascii_uppercase) else ""
        return letter if letter in texts else ""

    def settle(self, rows: Sequence[tuple[str, Mapping[str, str]]], where: str) -> "Options":
        """With the coding under which most (answer, options) rows name an option; as it is where none does.

        Raises DataError where answers are numbers that may count from 0 as well as from 1.
        """
        known = [(replace(self, coding="letter"), True), (replace(self, coding="text"), True)]
        known += [(replace(self, coding="number", first=first), False) for first in (0, 1)]
        fits = {each: sum(bool(each._letter(*row)) for row in rows) for each, _ in known}
        best = max(fits, key=fits.get)
        if not rows or fits[best] <= len(rows) / 2:
            return self
        if best.coding == "number" and fits[replace(best, first=0)] == fits[replace(best, first=1)]:
            raise DataError(
                "the answers are numbers of options, and may count from 0 as well as from 1",
                where=where,
                found=", ".join(sorted({answer for answer, _ in rows})),
                fix="write letters (A, B, ...) or the options' texts in the answer column",
            )
        return best


def options_among(columns: Collection[str]) -> Options | None:
    """The options among some columns: A, B, C; option_a, option_b; choice1, choice2; or one list, `choices`."""
    families: dict[tuple[str, str], list[str]] = {}
    for name in columns:
        match = STEM.fullmatch(name)
        if match and (match[1] or match[2].isalpha()):
            kind = "0" if match[2].isdigit() else "a" if match[2].islower() else "A"
            families.setdefault((match[1] or "", kind), []).append(name)
    for names in families.values():
        run = _run(names)
        if len(run) > 1:
            return Options(columns=run)
    lists = [name for name in columns if name in LISTS]
    return Options(columns=(lists[0],)) if lists else None


def _run(names: Sequence[str]) -> tuple[str, ...]:
    """The names whose marks follow each other from A, a, 0 or 1."""
    marked = {STEM.fullmatch(name)[2]: name for name in names}
    at = next((ord(first) for first in FIRST if first in marked), 0)
    run = []
    while chr(at) in marked:
        run.append(marked[chr(at)])
        at += 1
    return tuple(run)


def _listed(value: Any, column: str) -> Sequence[Any]:
    """A list of options; of {"text": [...], "label": [...]}, as ARC has it, the texts."""
    if isinstance(value, Mapping):
        value = value.get("text")
    if not isinstance(value, list | tuple):
        raise Unusable(f"column {column!r} holds no list of options")
    return value

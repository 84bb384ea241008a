"""A first study from a look at the data: columns, answer kind, labels, metric, wording.

    tickets.jsonl, {"text": "card not arrived yet", "intent": "card_arrival"}, 4,000 rows, 20 labels
    ->  input = ["text"], answer = "intent", kind = "choice", metric = "accuracy",
        instruction = "Which intent does the text have?"

Every guess is written into the study file with its reason, for the person to change.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from string import ascii_uppercase
from typing import Any, NamedTuple

from tuneoff.core.errors import DataError
from tuneoff.data.choice_wording import Wording
from tuneoff.data.columns import Column, look_at
from tuneoff.data.format import Row
from tuneoff.data.label_names import AS_THEY_ARE, Names, name_labels
from tuneoff.data.labels import LONGEST_LABEL, guess_kind, refuse_label_sets
from tuneoff.data.parts import Parts, find_parts, one_label
from tuneoff.data.plain import fall_together
from tuneoff.data.read import columns_of, read_rows, read_shape, to_records
from tuneoff.data.record import Record
from tuneoff.data.shapes import Shape
from tuneoff.data.spelling import one_spelling
from tuneoff.data.wording import tells_truth, word
from tuneoff.data.words import count_words

__all__ = ["Guess", "Named", "guess_study"]

FEW_A_LABEL = 10
FEW_ALIKE = 0.01
LONG = 30  # words
OWN_INSTRUCTION = ("chat", "Alpaca", "prompt and completion")


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """files: [data] keys path, or train, validation and test, to file names. rows: of each. shape: its name. named:
    whether the file must name input and answer. input: all that is shown, options included. labels: what was found,
    sorted, for a choice. listed: whether the file must list them. names: what they are called in words.
    several: each answer is a list of right texts. others: further columns that could be the answer, with their number
    of values. groups: columns whose equal values may have to stay together, likewise. unsure: whether the answer
    column is doubtful. doubts: all that is to be looked at, a sentence each.
    """

    files: dict[str, str]
    rows: dict[str, int]
    columns: tuple[str, ...]
    shape: str
    named: bool
    input: tuple[str, ...]
    answer: str
    group: str
    format: str
    kind: str
    labels: tuple[str, ...]
    listed: bool
    names: Names
    several: bool
    others: dict[str, int]
    groups: dict[str, int]
    metric: str
    metrics: tuple[str, ...]
    wording: Wording
    unsure: bool
    doubts: tuple[str, ...]

    @property
    def data(self) -> dict[str, object]:
        """The keys of [data], as load_data takes them."""
        table: dict[str, object] = {**self.files}
        if self.format != "auto":
            table["format"] = self.format
        if self.named:
            table |= {"input": self.input, "answer": self.answer}
        if self.group:
            table["group"] = self.group
        table["kind"] = self.kind
        if self.names.renamed:
            return table | {"labels": dict(self.names.words)}
        return table | ({"labels": self.labels} if self.listed else {})

    def with_names(self, words: Mapping[str, str], title: str) -> "Guess":
        """The same with the names that the person gives all labels."""
        asked = word(self.input, self.answer, tuple(words.values()), several=self.several, title=title)
        return replace(self, names=Names(words), wording=asked)


class Named(NamedTuple):
    """What the person says of the files: columns, and how they are written."""

    input: tuple[str, ...] = ()
    answer: str = ""
    group: str = ""
    format: str = "auto"


NOTHING = Named()


def guess_study(
    files: Mapping[str, str], *, folder: str | Path = ".", named: Named = NOTHING, title: str = ""
) -> Guess:
    """Look at the first of `files`, which is trained on, and at the others: are they labelled alike? Then guess.

    files: train, or "" for one that names no split, then validation and test, to paths. title: what the data is
    called. Raises DataError as reading does, Unclear where nothing tells the answer, Nested where rows hold several.
    """
    (_, path), *others = files.items()
    rows = list(read_rows(path, folder=folder, format=named.format))
    columns = look_at(rows)
    if not columns:
        read_shape(rows, path)  # reports the rows that are broken
    parts = find_parts(columns, [row.table for row in rows], path, input=named.input, answer=named.answer)
    neighbours = {split: list(read_rows(name, folder=folder, format=named.format)) for split, name in others}
    labelled = {split: found for split, found in neighbours.items() if _labelled(found, parts.shape)}
    kept = {split: files[split] for split in labelled}
    doubts = [_unlabelled(files[split], split, parts.shape) for split in neighbours if split not in labelled]
    answers = _answers(rows, columns, parts, path, named.group, title)
    doubts += _alike(answers.pop("alike"))
    return Guess(
        files={"train" if "test" in kept else "path": path, **kept},
        rows={"train": len(rows), **{split: len(found) for split, found in labelled.items()}},
        columns=tuple(columns),
        shape=parts.shape.name,
        named=parts.named,
        input=shown_columns(parts.shape),
        answer=parts.shape.answer,
        group=named.group,
        format=named.format,
        others={name: columns[name].distinct for name in parts.others},
        groups={name: column.distinct for name, column in columns.items() if column.groups and name != named.group},
        unsure=bool(parts.doubts),
        doubts=(*parts.doubts, *doubts),
        **answers,
    )


def _answers(
    rows: Sequence[Row], columns: Mapping[str, Column], parts: Parts, path: str, group: str, title: str
) -> dict[str, Any]:
    """What the answers say: kind, labels, metrics, wording; alike: answers that only strict_match tells apart."""
    shape = parts.shape
    several = bool(shape.answer) and columns[shape.answer].lists
    if several:
        _check_sets(rows, path, shape.answer)
    named = {"input": shown_columns(shape), "answer": shape.answer} if parts.named else {}
    records = to_records(rows, path, group=group, **named)
    targets = [record.target for record in records]
    coded = bool(shape.options and shape.options.coding)
    asked = bool(shape.turns or shape.instruction)
    kind = "text" if several else "choice" if coded else _kind(targets, asked)
    labels = tuple(sorted(set(targets) - one_spelling(targets).keys())) if kind == "choice" else ()
    listed = bool(labels) and not coded and _letters_in_text(labels, records)
    plain = bool(labels) and not coded and not listed and shape.name not in OWN_INSTRUCTION
    names = name_labels(labels, holds=tells_truth(shape.answer)) if plain else AS_THEY_ARE
    alike = _too_alike(targets) if kind == "text" else []
    metric, metrics = _metrics(kind, targets, strict=bool(alike))
    return {
        "kind": kind,
        "labels": labels,
        "listed": listed,
        "names": names,
        "several": several,
        "alike": alike,
        "metric": metric,
        "metrics": metrics,
        "wording": _wording(shape, _called(labels, names), coded or listed, several, title),
    }


def _called(labels: Sequence[str], names: Names) -> tuple[str, ...]:
    return tuple(names.words.values()) if names.renamed else tuple(labels)


def shown_columns(shape: Shape) -> tuple[str, ...]:
    """What [data] input must name for this shape."""
    options = shape.options.columns if shape.options else ()
    return tuple(name for name in (shape.system, shape.history, *shape.input, *options) if name)


def _check_sets(rows: Sequence[Row], path: str, answer: str) -> None:
    """Raise Nested, with how to keep the rows of one label, where the answers are sets of labels."""
    try:
        refuse_label_sets([row.table.get(answer) for row in rows], "auto", path)
    except DataError as error:
        raise one_label(error.problem, path, answer) from None


def _labelled(rows: Sequence[Row], shape: Shape) -> bool:
    """Whether a neighbour has what is shown, and the answer to it, in some row."""
    names = {shape.turns or shape.answer, *shape.input} - {*shape.optional, ""}
    there = columns_of(rows)
    return all(name in there and any(row.table.get(name) not in (None, "", []) for row in rows) for name in names)


def _unlabelled(path: str, split: str, shape: Shape) -> str:
    answer = shape.turns or shape.answer
    what = {"test": "no test set", "validation": "not used to choose settings"}[split]
    return f"{path} has no answers (column {answer}): it is {what}. After the study: tuneoff predict RUN {path}"


def _letters_in_text(labels: Sequence[str], records: Sequence[Record]) -> bool:
    """Whether the labels are letters of options that the text itself lists: (A) ..., B. ..."""
    if tuple(labels) != tuple(ascii_uppercase[: len(labels)]) or len(labels) < 2:
        return False
    marks = [re.compile(rf"(^|\W){letter}[).:]") for letter in labels[:2]]
    listing = sum(all(mark.search(record.text) for mark in marks) for record in records)
    return listing > 0.8 * len(records)


def _kind(targets: Sequence[str], instructed: bool) -> str:
    """As load_data guesses; with more or longer labels, a choice still where each stands often enough."""
    short = all(len(target) <= 2 * LONGEST_LABEL for target in targets)
    often = len(targets) / len(set(targets)) >= FEW_A_LABEL
    return "choice" if guess_kind(targets) == "choice" or (short and often and not instructed) else "text"


def _metrics(kind: str, targets: Sequence[str], strict: bool) -> tuple[str, tuple[str, ...]]:
    if kind == "choice":
        return "accuracy", ("macro_f1",)
    words = median(count_words(target) for target in targets)
    if strict:
        return "strict_match", ("exact_match", "token_f1")
    if words <= 3:
        return "exact_match", ("token_f1",)
    return ("token_f1", ("rouge_l",)) if words <= LONG else ("rouge_l", ("token_f1", "chrf"))


def _too_alike(targets: Sequence[str]) -> list[tuple[str, ...]]:
    """Answers that exact_match takes for equal, where more than 1 in 100 are; in long ones it is a matter of style."""
    if median(count_words(target) for target in targets) > LONG:
        return []
    groups = fall_together(targets)
    return groups if sum(len(group) - 1 for group in groups) > FEW_ALIKE * len(set(targets)) else []


def _alike(groups: Sequence[Sequence[str]]) -> list[str]:
    """Why the strict metric was chosen."""
    if not groups:
        return []
    shown = " and ".join(map(repr, groups[0][:2]))
    more = f", and {len(groups) - 1} more" if len(groups) > 1 else ""
    return [f"exact_match would take different answers for equal ({shown}{more}): strict_match tells them apart"]


def _wording(shape: Shape, labels: Sequence[str], optioned: bool, several: bool, title: str) -> Wording:
    if shape.name in OWN_INSTRUCTION:
        return Wording("")
    if optioned:
        return Wording("Choose the right option.")
    return word(shape.input, shape.answer, labels, several=several, title=title)

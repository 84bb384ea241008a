"""A first study from a look at the data: columns, answer kind, labels, metric, split, wording.

    tickets.jsonl, {"text": "card not arrived yet", "label": "card_arrival"}, 4,000 rows, 20 labels
    ->  input = ["text"], answer = "label", kind = "choice", metric = "accuracy",
        instruction = "Read the text and choose its label."

Every guess is written into the study file with its reason, for the person to change.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tuneoff.core.errors import DataError
from tuneoff.data.format import Row
from tuneoff.data.labels import LONGEST_LABEL, are_codes, guess_kind
from tuneoff.data.plain import fall_together
from tuneoff.data.read import columns_of, read_records, read_rows, read_shape
from tuneoff.data.shapes import ANSWERS, Shape
from tuneoff.data.words import count_words

__all__ = ["Guess", "guess_study"]

SIBLINGS = {"validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
FEW_A_LABEL = 10
FEW_ALIKE = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class Guess:
    """files: [data] keys path, or train, validation and test, to file names. shape: its name. labels: what was
    found, sorted, for a choice. codes: whether they are codes that need words. others: further columns that could
    be the answer, with their number of values. rows: in the first file.
    """

    files: dict[str, str]
    rows: int
    columns: tuple[str, ...]
    shape: str
    input: tuple[str, ...]
    answer: str
    kind: str
    labels: tuple[str, ...]
    codes: bool
    others: dict[str, int]
    metric: str
    metrics: tuple[str, ...]
    instruction: str

    @property
    def named(self) -> dict[str, object]:
        """The [data] keys input and answer; empty where the shape is recognised without them (Alpaca, chat)."""
        return {"input": self.input, "answer": self.answer} if self.input and self.shape != "Alpaca" else {}


def guess_study(path: str, *, folder: str | Path = ".") -> Guess:
    """Look at a file, its neighbours named train / validation / test, and guess. Raises DataError as reading does."""
    rows = list(read_rows(path, folder=folder))
    shape = _shape(rows, path)
    named = shape.name == "named columns"
    columns = {"input": shape.input, "answer": shape.answer} if named else {}
    records = read_records(path, folder=folder, **columns)
    targets = [record.target for record in records]
    kind = _kind(targets, bool(shape.turns or shape.instruction))
    labels = tuple(sorted(set(targets))) if kind == "choice" else ()
    metric, metrics = _metrics(kind, targets)
    return Guess(
        files=_files(path, Path(folder)),
        rows=len(rows),
        columns=tuple(columns_of(rows)),
        shape=shape.name,
        input=shape.input,
        answer=shape.answer,
        kind=kind,
        labels=labels,
        codes=bool(labels) and are_codes(labels),
        others=_others(rows, shape),
        metric=metric,
        metrics=metrics,
        instruction=_instruction(shape, kind),
    )


def _shape(rows: Sequence[Row], path: str) -> Shape:
    """By the columns' names; where they say too little, by the values: the answer repeats, the input is long."""
    try:
        return read_shape(rows, path)
    except DataError:
        texts = _texts(rows)
        answers = [
            name for name, values in texts.items() if len(set(values)) > 1 and (name in ANSWERS or _repeats(values))
        ]
        answers.sort(key=lambda name: (name not in ANSWERS, len(set(texts[name]))))
        if not answers and len(texts) == 2:  # {"en": "Good day", "deu": "Guten Tag"}: the second tells the first
            answers = list(texts)[1:]
        inputs = {name: sum(map(len, values)) for name, values in texts.items() if name not in answers[:1]}
        if not answers or not inputs:
            raise
        return Shape(name="named columns", input=(max(inputs, key=inputs.get),), answer=answers[0])


def _texts(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The columns that hold a text or a number in every good row."""
    looked = [row.table for row in rows if not row.broken]
    columns = {name: [table.get(name) for table in looked] for name in columns_of(rows)}
    return {
        name: [str(value) for value in values]
        for name, values in columns.items()
        if all(isinstance(value, str | int | float) and value != "" for value in values)
    }


def _repeats(values: Sequence[str]) -> bool:
    return guess_kind(values) == "choice"


def _others(rows: Sequence[Row], shape: Shape) -> dict[str, int]:
    used = {*shape.input, shape.answer, shape.instruction, shape.task}
    texts = _texts(rows)
    return {
        name: len(set(values))
        for name, values in texts.items()
        if name not in used and len(set(values)) > 1 and _repeats(values)
    }


def _kind(targets: Sequence[str], instructed: bool) -> str:
    """As load_data guesses; with more or longer labels, a choice still where each stands often enough."""
    short = all(len(target) <= 2 * LONGEST_LABEL for target in targets)
    often = len(targets) / len(set(targets)) >= FEW_A_LABEL
    return "choice" if guess_kind(targets) == "choice" or (short and often and not instructed) else "text"


def _metrics(kind: str, targets: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    if kind == "choice":
        return "accuracy", ("macro_f1",)
    words = median(count_words(target) for target in targets)
    if words <= 30 and _alike(targets):
        return "strict_match", ("exact_match", "token_f1")
    if words <= 3:
        return "exact_match", ("token_f1",)
    return ("token_f1", ("rouge_l",)) if words <= 30 else ("rouge_l", ("token_f1", "chrf"))


def _alike(targets: Sequence[str]) -> bool:
    """Whether case, articles or marks, which exact_match leaves out, tell some of the answers apart (1 in 100)."""
    fallen = sum(len(group) - 1 for group in fall_together(targets))
    return fallen > FEW_ALIKE * len(set(targets))


def _instruction(shape: Shape, kind: str) -> str:
    if shape.turns or shape.instruction or shape.name == "prompt and completion":
        return ""
    inputs = " and the ".join(_words(name) for name in shape.input)
    if shape.name == "question and answer" and kind == "text":
        return "Answer the question." if len(shape.input) == 1 else f"Read the {inputs}, and answer the question."
    return f"Read the {inputs} and {'choose' if kind == 'choice' else 'write'} the {_words(shape.answer)}."


def _words(column: str) -> str:
    return re.sub(r"[\W_]+", " ", column).strip().lower() or column


def _files(path: str, folder: Path) -> dict[str, str]:
    """path alone, or train with the neighbours whose names differ from it in that one word."""
    full = Path(folder, path)
    stem = re.fullmatch(r"(.*?)train(.*)", full.name)
    if not stem or not full.is_file():
        return {"path": path}
    found = {}
    for split, words in SIBLINGS.items():
        names = (f"{stem[1]}{word}{stem[2]}" for word in words)
        name = next((name for name in names if full.with_name(name).is_file()), None)
        if name:
            found[split] = Path(path).with_name(name).as_posix()
    return {"train" if "test" in found else "path": path, **found}

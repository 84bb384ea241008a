"""Many tasks in one list of records, each with its own instruction: what instruction tuning learns from.

Either one file whose rows carry their instruction (the Alpaca shape, or conversations), with a column `task` if
there is one:

    {"task": "plural", "instruction": "Write the plural of the word.", "input": "mouse", "output": "mice"}

or a TOML file that puts data files together. An instruction with several wordings is dealt out by record:

    [[source]]
    path = "tickets.jsonl"
    task = "tickets"
    instruction = ["Which kind of ticket is this?", "Name the kind of this support ticket."]
    records = 500
"""

import tomllib
from dataclasses import replace
from pathlib import Path

from pydantic import field_validator

from tuneoff.core.config import Knobs, knob
from tuneoff.core.errors import ConfigError, DataError
from tuneoff.core.seeds import stream
from tuneoff.core.text import read_text
from tuneoff.data.dedup import drop_duplicates
from tuneoff.data.read import read_records
from tuneoff.data.record import Record
from tuneoff.data.shapes import label_texts
from tuneoff.data.split import in_order

__all__ = ["Source", "read_mixture"]


class Source(Knobs):
    """One [[source]] of a mixture file."""

    path: str = knob("", "a data file, folder or hub id; a relative path starts at the mixture file")
    task: str = knob("", "what to call it; empty: the file's name")
    instruction: str | list[str] = knob("", "one wording or several; empty: each row has its own")
    input: list[str] = knob([], "input columns; empty: recognised by name")
    answer: str = knob("", "the answer column; empty: recognised by name")
    labels: dict[str, str] | list[str] = knob([], "allowed labels, or code = word")
    records: int = knob(0, "how many to take, in hash order; 0: all", ge=0)

    _labels_as_answers_are_read = field_validator("labels", mode="before")(label_texts)


def read_mixture(path: str | Path, *, folder: str | Path = ".") -> list[Record]:
    """The records of a mixture, exact duplicates dropped; all have an instruction, a conversation before them, or both.

    folder: where a relative path starts. Raises DataError or ConfigError with the line or key to fix.
    """
    file = Path(folder, path)
    records = _from_sources(file) if file.suffix == ".toml" else read_records(str(path), folder=folder)
    for record in records:
        if not record.instruction and not record.turns:
            raise DataError(
                "a mixture's record has no instruction",
                where=record.source,
                fix="give the file a column `instruction`, or name the file in a mixture.toml with an instruction",
            )
    return drop_duplicates(records).records


def _from_sources(file: Path) -> list[Record]:
    if not file.is_file():
        raise ConfigError("mixture file not found", where=file, fix="check the path")
    try:
        table = tomllib.loads(read_text(file, "the mixture file"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=file, fix="fix that line") from None
    tables = table.get("source")
    if set(table) != {"source"} or not isinstance(tables, list):
        raise ConfigError("a mixture file holds [[source]] tables", where=file, found=list(table), allowed="[[source]]")
    sources = [Source.build(table, f"{file} [[source]] {at}") for at, table in enumerate(tables, start=1)]
    return [record for source in sources for record in _records(source, file.parent)]


def _records(source: Source, folder: Path) -> list[Record]:
    found = read_records(source.path, folder=folder, input=source.input, answer=source.answer, labels=source.labels)
    found = in_order(found, stratified=False)[: source.records or None]
    wordings = [source.instruction] if isinstance(source.instruction, str) else source.instruction
    task = source.task or Path(source.path).stem
    return [
        replace(record, task=record.task or task, instruction=record.instruction or _dealt(wordings, record), id="")
        for record in found
    ]


def _dealt(wordings: list[str], record: Record) -> str:
    return wordings[stream(0, "wording", record.id) % len(wordings)] if wordings else ""

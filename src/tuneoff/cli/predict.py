"""tuneoff predict runs/tickets new.jsonl: records in, answers out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["predict"]


class TooLong(StrEnum):
    """What becomes of a record that is longer than the model can read."""

    error = "error"
    truncate_left = "truncate_left"
    truncate_right = "truncate_right"


def predict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder, or the folder of one artifact")],
    records: Annotated[str, typer.Argument(help="a file of records; - for JSON lines on standard input")] = "-",
    arm: Annotated[str, typer.Option("--arm", "-a", help="the arm that answers; default: the recommended one")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="a file to write; default: standard output")] = None,
    model: Annotated[str, typer.Option("--model", help="the folder of the base model, if it was moved")] = "",
    too_long: Annotated[
        TooLong | None, typer.Option("--too-long", help="records too long to read; default: as in the study")
    ] = None,
) -> None:
    """Answer records with an arm of a finished run: each row as it came, with an added column `prediction`, and where
    [data.labels] names the labels, `prediction_code`: the label as the data write it.

    The file's ending says its format: .jsonl, .csv, .parquet and the others that tuneoff reads.
    """
    from tuneoff.data.read import write_rows
    from tuneoff.study.predict import open_ready, read_questions

    if out is not None:
        _check_output(out)
    questions = read_questions(folder, records, arm)
    ready = open_ready(folder, arm, model=model, too_long=too_long and too_long.value)
    answers = ready.ask(questions.records)
    if answers.shortened:
        typer.echo(answers.shortened, err=True)
    rows = [{**row, **_answered(answer, ready.codes)} for row, answer in zip(questions.rows, answers.texts)]
    if out is None:
        typer.echo("\n".join(_line(row) for row in rows))
    else:
        write_rows(out, rows)
        typer.echo(f"wrote {len(rows)} answers to {out}", err=True)


def _answered(answer: str, codes: dict[str, str]) -> dict[str, str]:
    """The columns that are added to a row."""
    return {"prediction": answer, "prediction_code": codes[answer]} if codes else {"prediction": answer}


def _check_output(out: Path) -> None:
    """Before any record is answered."""
    from tuneoff.core.errors import DataError
    from tuneoff.core.files import check_writable
    from tuneoff.data.read import format_to_write

    if out.exists():
        raise DataError("the output file exists", where=out, fix="remove it, or give --out another name")
    format_to_write(out)
    check_writable(out, fix="give --out another folder")


def _line(row: dict[str, Any]) -> str:
    """A row as JSON; letters that the output's encoding lacks are written as JSON writes them in ASCII."""
    import json
    import sys

    text = json.dumps(row, ensure_ascii=False, default=str)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(row, default=str)
    return text

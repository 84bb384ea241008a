"""tuneoff predict runs/tickets new.jsonl: records in, answers out."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["predict"]


def predict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder, or one bundle's folder")],
    records: Annotated[str, typer.Argument(help="a file of records; - for JSON lines on standard input")] = "-",
    arm: Annotated[str, typer.Option("--arm", "-a", help="who answers; else the recommended arm")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="a file to write; else standard output")] = None,
) -> None:
    """Answer records with an arm of a finished run: each row as it came, with an added column `prediction`.

    The file's ending says its format: .jsonl, .csv, .parquet and the others that tuneoff reads.
    """
    import json

    from tuneoff.core.errors import DataError
    from tuneoff.data.read import write_rows
    from tuneoff.study.predict import answer_records, read_questions

    if out is not None and out.exists():
        raise DataError("the output file exists", where=out, fix="remove it, or give --out another name")
    questions = read_questions(folder, records)
    answers = answer_records(folder, arm, questions.records)
    rows = [{**row, "prediction": answer} for row, answer in zip(questions.rows, answers)]
    if out is None:
        typer.echo("\n".join(json.dumps(row, ensure_ascii=False, default=str) for row in rows))
    else:
        write_rows(out, rows)
        typer.echo(f"wrote {len(rows)} answers to {out}", err=True)

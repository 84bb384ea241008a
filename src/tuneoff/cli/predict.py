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
    """Answer records with an arm of a finished run; one JSON line each, with an added key `answer`."""
    import json

    from tuneoff.core.errors import DataError
    from tuneoff.core.files import write_text
    from tuneoff.study.predict import answer_records, read_questions

    if out is not None and out.exists():
        raise DataError("the output file exists", where=out, fix="remove it, or give --out another name")
    questions = read_questions(folder, records)
    answers = answer_records(folder, arm, questions)
    lines = [
        json.dumps({**question.fields, "answer": answer}, ensure_ascii=False)
        for question, answer in zip(questions, answers)
    ]
    if out is None:
        typer.echo("\n".join(lines))
    else:
        write_text(out, "\n".join(lines) + "\n")
        typer.echo(f"wrote {len(lines)} answers to {out}", err=True)

"""tuneoff report runs/tickets: the verdict with its evidence as one web page."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder, as tuneoff run wrote it")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="where to write it; default: DIR/report.html")] = None,
) -> None:
    """Write report.html: one file that opens in any browser, with all figures, curves and examples."""
    from tuneoff.core.errors import DataError
    from tuneoff.core.files import check_writable
    from tuneoff.report.folder import PAGE, read_verdict, validation_texts
    from tuneoff.report.html import write_report

    read_verdict(folder)
    check_writable(out or folder / PAGE, fix="name another place with --out")
    try:
        texts = validation_texts(folder)
    except DataError as error:
        texts = {}
        typer.echo(f"the examples are without their texts: {error}", err=True)
    typer.echo(f"wrote {write_report(folder, texts, out)}")

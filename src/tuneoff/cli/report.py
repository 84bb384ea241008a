"""tuneoff report runs/tickets: the verdict with its evidence as one web page."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder, as tuneoff run wrote it")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="where to write it; else DIR/report.html")] = None,
) -> None:
    """Write report.html: one file that opens in any browser, with all figures, curves and examples."""
    from tuneoff.report.html import write_report

    typer.echo(f"wrote {write_report(folder, out=out)}")

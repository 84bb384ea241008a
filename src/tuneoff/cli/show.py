"""tuneoff show runs/tickets: the verdict in the terminal."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["show"]


def show(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder, as tuneoff run wrote it")],
    everything: Annotated[
        bool, typer.Option("--all", help="with costs, latency, drift, differences, and what would change it")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="print verdict.json instead")] = False,
) -> None:
    """Show the verdict of a run: which arm is best, by how much, at what cost."""
    from tuneoff.cli.console import open_console
    from tuneoff.report.details import paint_details
    from tuneoff.report.facts import facts
    from tuneoff.report.folder import VERDICT, open_ledger, read_verdict
    from tuneoff.report.text import paint

    verdict = read_verdict(folder)
    if json:
        typer.echo((folder / VERDICT).read_text(encoding="utf-8").rstrip())
        return
    ledger = open_ledger(folder)
    shown, console = facts(verdict, ledger, folder=folder), open_console()
    ledger.close()
    if everything:
        paint_details(shown, console)
    paint(shown, console)

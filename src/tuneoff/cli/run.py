"""tuneoff run study.toml: the race, from where it stands to its verdict."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["run"]


def run(
    study: Annotated[Path, typer.Argument(help="the study file")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="the run folder; default: runs/NAME")] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="the race and its verdict alone: nothing is measured before training or after the test"
        ),
    ] = False,
    retry: Annotated[bool, typer.Option("--retry-failed", help="try failed jobs again")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="stop where something fails unexpectedly, instead of going on without it")
    ] = False,
) -> None:
    """Run a study, go on with an interrupted one, or say that all is done."""
    from tuneoff.cli.progress import race

    race(study, out, retry=retry, strict=strict, quick=quick)

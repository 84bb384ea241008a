"""The command line: `tuneoff VERB ...`, one small file a verb.

cli/show.py exports one function, `show`; it becomes `tuneoff show`. Those files import nothing heavy at their top,
so that `tuneoff --help` is there at once. A mistake that the person can fix (TuneoffError) is printed without a
traceback, with status 2; anything else is a bug and keeps its traceback.
"""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tuneoff import __version__
from tuneoff.cli.library_warnings import held_back
from tuneoff.core.errors import TuneoffError

__all__ = ["app"]

VERBS = ("new", "plan", "run", "show", "report", "predict", "inspect", "explain", "stats", "replay", "doctor", "demo")
INTERRUPTED = "interrupted; nothing finished is lost; type the same command to go on"


class Verbs(TyperGroup):
    """The group of verbs, which turns mistakes into messages."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace")  # a letter that the terminal lacks must not end a run
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            with held_back(say):
                return super().invoke(ctx)
        except TuneoffError as error:
            say("error:", str(error))
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            say("stopped:", INTERRUPTED)
            raise typer.Exit(130) from None


def say(word: str, text: str) -> None:
    """To stderr: a red word, then the text as it is."""
    typer.echo(f"{typer.style(word, fg=typer.colors.RED, bold=True)} {text}", err=True, color=sys.stderr.isatty())


def version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tuneoff {__version__}")
        raise typer.Exit


app = typer.Typer(cls=Verbs, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def tuneoff(
    wanted: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="print the version and leave")
    ] = False,
) -> None:
    """Prompt it, prompt-tune it, instruction-tune it or fine-tune it? A fair race on your own data."""


for verb in VERBS:
    module = import_module(f"tuneoff.cli.{verb}")
    app.command(verb)(getattr(module, verb))

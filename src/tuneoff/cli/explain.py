"""tuneoff explain "prompt tuning": what a word means, in the terminal, with the paper."""

from typing import Annotated

import typer

__all__ = ["explain"]


def explain(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORD]", help="a word; none: list them all")] = None,
) -> None:
    """Settle the words that people mix up: prompting, prompt tuning, instruction tuning, fine-tuning, and more."""
    from tuneoff.cli.console import open_console
    from tuneoff.report.glossary import look_up, paint_all, paint_entry

    console = open_console()
    if words:
        paint_entry(look_up(" ".join(words)), console)
    else:
        paint_all(console)

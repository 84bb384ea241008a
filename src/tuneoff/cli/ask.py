"""Questions on a terminal, asked where a file leaves something open; nowhere else is anything asked."""

import sys
from collections.abc import Collection, Mapping, Sequence

import typer

from tuneoff.data.columns import Column

__all__ = ["ask_columns", "ask_names", "ask_one", "on_terminal"]

MOST_LABELS = 30  # that are shown, or asked for one by one


def on_terminal() -> bool:
    """Whether somebody sits there: both standard input and standard output are terminals."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask_one(question: str, choices: Sequence[str]) -> str:
    """One of the choices, by its number or its text."""
    for number, choice in enumerate(choices, start=1):
        typer.echo(f"  {number:>2}  {choice}")
    while True:
        said = typer.prompt(question).strip()
        chosen = _chosen(said, choices)
        if chosen:
            return chosen
        typer.echo(f"type a number from 1 to {len(choices)}, or a name")


def ask_columns(columns: Mapping[str, Column], input: Sequence[str], answer: str) -> tuple[tuple[str, ...], str]:
    """(input columns, answer column) as the person chooses them; Enter takes what is proposed."""
    names = list(columns)
    for number, (name, column) in enumerate(columns.items(), start=1):
        typer.echo(f"  {number:>2}  {name:<20} {'; '.join(column.examples) or '(empty)'}")
    while True:
        said = typer.prompt("the column that holds the wanted answer", default=answer or None).strip()
        answer = _chosen(said, names)
        if answer:
            break
        typer.echo(f"type a number from 1 to {len(names)}, or a name")
    rest = [name for name in names if name != answer]
    proposed = ",".join(name for name in input if name != answer) or rest[0]
    while True:
        said = typer.prompt("the columns that are shown, separated by commas", default=proposed)
        chosen = [_chosen(part.strip(), names) for part in said.split(",")]
        if chosen and all(name in rest for name in chosen):
            return tuple(dict.fromkeys(chosen)), answer
        typer.echo(f"type names or numbers of these columns: {', '.join(rest)}")


def ask_names(words: Mapping[str, str], opaque: Collection[str]) -> dict[str, str]:
    """A name for every label: as proposed, as typed, or the label itself. opaque: labels without a proposal."""
    named = dict(words)
    for label in opaque if len(opaque) <= MOST_LABELS else ():
        named[label] = typer.prompt(f"what the label {label} means (Enter keeps it)", default=label, show_default=False)
    for label, name in list(named.items())[:MOST_LABELS]:
        typer.echo(f"  {label} -> {name}")
    if len(named) > MOST_LABELS:
        typer.echo(f"  and {len(named) - MOST_LABELS} more")
    said = typer.prompt("use these names: yes, no (the labels stay as they are), edit (name each)", default="yes")
    while said.strip().lower()[:1] not in ("y", "n", "e"):
        said = typer.prompt("type yes, no or edit", default="yes")
    match said.strip().lower()[:1]:
        case "n":
            return {label: label for label in words}
        case "e":
            return {label: typer.prompt(f"{label}", default=name).strip() for label, name in named.items()}
    return named


def _chosen(said: str, choices: Sequence[str]) -> str:
    if said in choices:
        return said
    return choices[int(said) - 1] if said.isdecimal() and 1 <= int(said) <= len(choices) else ""

"""tuneoff new tickets.jsonl: look at a person's data and write a commented study.toml."""

import os
from pathlib import Path
from typing import Annotated

import typer

from tuneoff.core.errors import ConfigError, DataError
from tuneoff.core.files import check_writable, write_text
from tuneoff.data.draft import draft
from tuneoff.data.guess import Guess, guess_study
from tuneoff.data.load import load_data

__all__ = ["new"]


def new(
    path: Annotated[Path, typer.Argument(help="a data file, a folder, or a Hugging Face dataset (owner/name#split)")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the study file to write")] = Path("study.toml"),
) -> None:
    """Look at your data and write a study file with a first guess at everything."""
    if out.exists():
        raise ConfigError(
            "the study file is there already", where=out, fix="name another with --out, or remove this one"
        )
    check_writable(out)
    name = _from(out.parent, path)
    guess = guess_study(name, folder=out.parent)
    write_text(out, draft(guess, _title(path)))
    for line in [*_found(guess), *_tried(guess, out)]:
        typer.echo(line)


def _from(folder: Path, path: Path) -> str:
    """The path as the study file shall name it: relative where the data lies beside or below, else absolute."""
    if not Path(str(path).partition("#")[0]).expanduser().exists() and not path.parent.is_dir():
        return path.as_posix()  # a hub id
    full, base = Path(os.path.abspath(path.expanduser())), Path(os.path.abspath(folder))
    return full.relative_to(base).as_posix() if full.is_relative_to(base) else full.as_posix()


def _title(path: Path) -> str:
    stem = path.name.partition(".")[0].partition("#")[0]
    return f"{path.absolute().parent.name} {stem}".strip() if stem in ("train", "data") else stem


def _found(guess: Guess) -> list[str]:
    if guess.named:
        columns = f"{', '.join(guess.input)} -> {guess.answer}"
    else:
        columns = f"{guess.shape} rows ({', '.join(guess.columns)})"
    labels = f"a choice of {len(guess.labels)} labels" if guess.kind == "choice" else "free text"
    files = ", ".join(f"{key} {file}" for key, file in guess.files.items())
    return [f"data     {files}", f"columns  {columns}", f"answers  {labels}", f"metric   {guess.metric}"]


def _tried(guess: Guess, out: Path) -> list[str]:
    """What comes of loading the data as guessed, and what to type next."""
    if guess.codes:
        next_step = f"The labels are codes: write what they mean under [data.labels] in {out}, then type"
        return ["", next_step, f"  tuneoff plan {out}"]
    try:
        data = load_data(**guess.files, **guess.named, kind=guess.kind, folder=out.parent)
    except DataError as error:
        return [
            "",
            f"Wrote {out}. Before it can run, this must be fixed:",
            str(error),
            "Then type",
            f"  tuneoff plan {out}",
        ]
    return [f"records  {line}" for line in data.report.summary()] + [
        "",
        f"Wrote {out}. Look it over, then type",
        f"  tuneoff plan {out}",
    ]

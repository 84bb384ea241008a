"""tuneoff new tickets.jsonl: look at a person's data and write a commented study.toml."""

import json
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from tuneoff.cli.ask import ask_columns, ask_names, ask_one, on_terminal
from tuneoff.cli.new_model import check_cut, count_long, read_labels
from tuneoff.core.errors import ConfigError, DataError, ModelError, ResourceError
from tuneoff.core.files import check_writable, write_text
from tuneoff.data.draft import First, Long, draft, limits
from tuneoff.data.guess import Guess, Named, guess_study
from tuneoff.data.load import Data, load_data
from tuneoff.data.parts import Nested, Unclear
from tuneoff.data.split_files import DataSet, data_sets, name_of, set_of

__all__ = ["new"]

STUDY = Path("study.toml")
MOST_SHOWN = 20
MOST_CODES = 5
LONG_TEXT_BYTES = 4000  # a token takes at least one: shorter texts fit any model


def new(
    path: Annotated[Path, typer.Argument(help="a data file, a folder, or a Hugging Face dataset (owner/name#split)")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the study file to write")] = STUDY,
    *,
    input: Annotated[list[str] | None, typer.Option("--input", help="a column that is shown; may be repeated")] = None,
    answer: Annotated[str, typer.Option("--answer", help="the column that holds the wanted answer")] = "",
    group: Annotated[str, typer.Option("--group", help="a column whose equal values stay in one split")] = "",
    validation: Annotated[str, typer.Option("--validation", help="the file that settings are chosen on")] = "",
    test: Annotated[str, typer.Option("--test", help="the file of the sealed test")] = "",
    format: Annotated[str, typer.Option("--format", help="the format, where the file's name does not say")] = "auto",
) -> None:
    """Look at your data and write a study file with a first guess at everything."""
    if out.exists():
        raise ConfigError(
            "the study file is there already", where=out, fix="name another with --out, or remove this one"
        )
    check_writable(out)
    asked = Asked(path.as_posix(), out, Named(tuple(input or ()), answer, group, format), validation, test)
    found, asked = _data_set(asked)
    guess, asked = _guess(found, asked)
    name = name_of(asked.path)
    guess = _named(guess, name)
    write_text(out, draft(guess, name))
    for line in [*_found(guess, found, asked), *_tried(guess, name, out)]:
        typer.echo(line)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    path: str
    out: Path
    named: Named
    validation: str = ""
    test: str = ""

    @property
    def command(self) -> str:
        """The command that asks for this."""
        said = [("--input", name) for name in self.named.input]
        said += [("--answer", self.named.answer), ("--group", self.named.group)]
        said += [("--validation", self.validation), ("--test", self.test)]
        said += [("--format", "" if self.named.format == "auto" else self.named.format)]
        said += [("--out", "" if self.out == STUDY else str(self.out))]
        return shlex.join(["tuneoff", "new", self.path, *(word for pair in said if pair[1] for word in pair)])


def _data_set(asked: Asked) -> tuple[DataSet, Asked]:
    """The files, by their split. Raises DataError for a folder of several data sets, and for one of none."""
    place = Path(asked.path).expanduser()
    if place.is_dir():
        sets = data_sets(place)
        if not sets:
            raise _nothing(place)
        if len(sets) > 1:
            asked = _one_of(sets, asked)
            return _data_set(asked)
        found = sets[0]
    else:
        found = set_of(place)
    chosen = {split: file for split, file in (("validation", asked.validation), ("test", asked.test)) if file}
    twice = [split for split, file in chosen.items() if Path(file) == Path(found.main)]
    if twice:
        raise ConfigError(
            f"--{twice[0]} names the file that is trained on",
            found=found.main,
            fix=f"name another, or leave --{twice[0]} out: it is then cut from {found.main}",
        )
    return DataSet({found.trained: found.main, **found.neighbours, **chosen}), asked


def _one_of(sets: Sequence[DataSet], asked: Asked) -> Asked:
    files = [found.main for found in sets]
    if on_terminal():
        typer.echo(f"{len(files)} data sets in {asked.path}")
        return replace(asked, path=ask_one("which one", files))
    commands = [replace(asked, path=file).command for file in files]
    more = [f"and {len(files) - MOST_SHOWN} more"] if len(files) > MOST_SHOWN else []
    raise DataError(
        f"{len(files)} data sets are in this folder, and a study is of one",
        where=asked.path,
        found=[Path(file).name for file in files[:MOST_SHOWN]] + more,
        fix="\n".join(["name one:", *commands[:MOST_SHOWN]]),
    )


def _nothing(folder: Path) -> DataError:
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    return DataError(
        "no data file in this folder",
        where=folder,
        found=names[:MOST_SHOWN] or "an empty folder",
        fix="name a file; where its ending does not say how it is written, add --format csv (or jsonl, json, parquet)",
    )


def _guess(found: DataSet, asked: Asked) -> tuple[Guess, Asked]:
    """The guess, with what the person says on a terminal. Elsewhere an error ends with the command to type."""
    files = {found.trained: found.main, **found.neighbours}
    paths = {split: _from(asked.out.parent, file) for split, file in files.items()}
    try:
        return guess_study(paths, folder=asked.out.parent, named=asked.named, title=name_of(asked.path)), asked
    except Unclear as unclear:
        if on_terminal() and unclear.answer:
            input, answer = ask_columns(unclear.columns, unclear.input, unclear.answer)
            return _guess(found, replace(asked, named=asked.named._replace(input=input, answer=answer)))
        named = asked.named._replace(input=unclear.input, answer=unclear.answer)
        raise unclear.with_command(replace(asked, named=named).command, found.main) from None
    except Nested as nested:
        raise nested.with_commands(*_rewritten(nested, found.main, asked)) from None


def _named(guess: Guess, title: str) -> Guess:
    """With the labels as the person names them, on a terminal; elsewhere as they were read from the labels."""
    names = guess.names
    if not (names.renamed or names.opaque) or not on_terminal():
        return guess
    words = ask_names(names.words, names.opaque)
    return guess if words == names.words else guess.with_names(words, title)


def _rewritten(nested: Nested, file: str, asked: Asked) -> tuple[str, str]:
    """The command that writes a file of one record a row, and the command that takes it."""
    made = f"{name_of(file)}_rows.jsonl"
    rows = nested.rows.replace("FILE", json.dumps(file, ensure_ascii=False))
    code = f"from tuneoff.data.read import read_rows, write_rows; write_rows({json.dumps(made)}, {rows})"
    return shlex.join(["python", "-c", code]), Asked(made, asked.out, Named()).command


def _from(folder: Path, path: str) -> str:
    """The path as the study file shall name it: relative where the data lies beside or below, else absolute."""
    file, mark, part = path.partition("#")
    if not Path(file).expanduser().exists() and not Path(path).parent.is_dir():
        return path  # a hub id
    if Path(path).exists():
        file, mark, part = path, "", ""
    full, base = Path(os.path.abspath(Path(file).expanduser())), Path(os.path.abspath(folder))
    name = full.relative_to(base).as_posix() if full.is_relative_to(base) else full.as_posix()
    return f"{name}{mark}{part}"


def _found(guess: Guess, found: DataSet, asked: Asked) -> list[str]:
    shown = f"{', '.join(guess.input)} -> {guess.answer}"
    columns = shown if guess.named else f"{guess.shape} rows ({', '.join(guess.columns)})"
    if guess.kind == "choice":
        answers = f"a choice of {len(guess.labels)} labels"
    else:
        answers = "free text, several right ones a record" if guess.several else "free text"
    files = ", ".join(f"{key} {file}" for key, file in guess.files.items())
    lines = [f"data     {files}", f"columns  {columns}", f"answers  {answers}", f"metric   {guess.metric}"]
    if found.trained in ("validation", "test"):
        lines.append(f"look at  no training file: {found.main} is trained on")
    doubts = [*guess.doubts, *_codes(guess, asked.out)]
    return [*lines, *(f"look at  {line}" for line in doubts), *_another(guess, asked)]


def _codes(guess: Guess, out: Path) -> list[str]:
    """On labels that nobody but the person can name."""
    codes = guess.names.opaque
    if not codes:
        return []
    some = f"{', '.join(codes[:MOST_CODES])}{' and others' if len(codes) > MOST_CODES else ''}"
    if len(codes) == 1:
        return [f"the label {some} is a code and stays as it is; better: name it under [data.labels] in {out}"]
    return [f"the labels {some} are codes and stay as they are; better: name them under [data.labels] in {out}"]


def _another(guess: Guess, asked: Asked) -> list[str]:
    """How to choose another answer column, where the one that was taken is a guess."""
    if not guess.unsure or not guess.others or asked.named.answer:
        return []
    other = asked.named._replace(input=guess.input if guess.named else (), answer=next(iter(guess.others)))
    out = asked.out.with_name(f"{asked.out.stem}-2{asked.out.suffix}")
    return [f"         another: {replace(asked, named=other, out=out).command}"]


def _tried(guess: Guess, name: str, out: Path) -> list[str]:
    """What comes of loading the data as guessed, and what to type next."""
    plan = f"  tuneoff plan {shlex.quote(str(out))}"
    try:
        load_data(**guess.data, **limits(guess), folder=out.parent)
        first, takes = _first_look(out)
        write_text(out, draft(guess, name, first=first))
        data: Data = load_data(**guess.data, **limits(guess, first), folder=out.parent)
        tokens, read = read_labels(guess, out)
        write_text(out, draft(guess, name, first=first, tokens=tokens))
        long = _long_ones(data, out, lambda long: draft(guess, name, long, first, tokens))
        lines = [*read, *(f"records  {line}" for line in [*data.report.summary(), *long]), f"time     {takes}"]
    except DataError as error:
        return ["", f"Wrote {out}. Before it can run, this must be fixed:", str(error), "Then type", plan]
    edit = [] if guess.wording.sure else [f"The instruction is a guess. Edit it in {out}: {guess.wording.instruction}"]
    return [*lines, "", *edit, f"Wrote {out}. Look it over, then type", plan]


def _first_look(study: Path) -> tuple[First, str]:
    """What fits into the budget here, with its comment for the file and its line for the screen. A choice is not made
    smaller; what takes longer is told with the lines to change."""
    from tuneoff.report.words import seconds
    from tuneoff.study.budget.first_look import LIMIT_S, first_look, forward_s_here
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import read_spec

    look = first_look(make_plan(read_spec(study)), forward_s_here())
    about = f"about {seconds(max(60, 60 * round(look.seconds / 60)))} on this machine"
    if look.seconds > LIMIT_S:
        takes = f"{about} in full; the budget leaves out what does not fit: write a longer one, or fewer records"
        return First(look.records, takes), takes
    return First(look.records, f"enough for a first look, {about}; 0 uses all, and takes longer"), about


def _long_ones(data: Data, out: Path, redraft: Callable[[Long], str]) -> list[str]:
    """Count the records that the model cannot read whole, and write the line that cuts them. Raises DataError where
    cutting does not help. The model's tokenizer is looked at only where some text is long."""
    records = [*data.train, *data.validation, *data.test]
    if max(len(record.text.encode()) for record in records) < LONG_TEXT_BYTES:
        return []
    try:
        long = count_long(out)
    except (ModelError, ResourceError) as error:
        return [f"whether the model can read the longest was not found out: {error.problem}"]
    if not long.count:
        return []
    write_text(out, redraft(long))
    check_cut(out)
    return [f"{long.words}: too_long says what becomes of them"]

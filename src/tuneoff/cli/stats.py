"""tuneoff stats FILE.csv: compare arms on scores that something else measured; any table that a study can read."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuneoff.core.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from tuneoff.stats import Comparison

__all__ = ["stats"]

COLUMNS = ("arm", "seed", "record", "score")


def stats(
    file: Annotated[Path, typer.Argument(help="a table with the columns arm, seed, record and score")],
    margin: Annotated[float, typer.Option(help="differences inside it are practically equal")] = 0.01,
    deterministic: Annotated[
        list[str] | None, typer.Option(help="an arm without randomness; may be given several times")
    ] = None,
    every_pair: Annotated[bool, typer.Option("--all", help="every pair, not only those of the best arm")] = False,
) -> None:
    """Say which arm is best, which others may be, and how sure each difference is. Scores lie between 0 and 1."""
    from tuneoff.stats import compare

    scores = read_scores(file)
    try:
        found = compare(
            scores, margin=margin, deterministic=deterministic or (), pairs="all" if every_pair else "decision"
        )
    except ValueError as error:
        raise DataError(
            str(error),
            where=file,
            fix="scores lie between 0 and 1 (0.75, not 75), and --deterministic takes a name of the column arm",
        ) from None
    for line in lines_of(found):
        typer.echo(line)


def read_scores(file: Path) -> dict[str, "np.ndarray"]:
    """[records, seeds] by arm, the records in one order. Raises DataError for tables that leave a cell open."""
    import numpy as np

    from tuneoff.data.read import read_rows

    cells: dict[str, dict[tuple[str, str], float]] = {}
    for row in read_rows(str(file)):
        where = f"{file}:{row.line}"
        missing = [name for name in COLUMNS if not str(row.table.get(name, "")).strip()]
        if row.broken or missing:
            found = row.broken or f"nothing under {', '.join(missing)}"
            raise DataError(
                "a row does not say arm, seed, record and score",
                where=where,
                found=found,
                allowed=f"columns {', '.join(COLUMNS)}, one row a score",
                fix="name the columns so in the first line, and fill every cell",
            )
        arm, seed, record, score = (str(row.table[name]).strip() for name in COLUMNS)
        if (record, seed) in cells.setdefault(arm, {}):
            raise DataError(
                f"{arm!r} has two scores for record {record!r} and seed {seed!r}",
                where=where,
                fix="give each run of an arm a seed of its own",
            )
        cells[arm][record, seed] = _number(score, where)
    records = sorted({record for own in cells.values() for record, _ in own})
    return {arm: np.array(_table(arm, own, records, file)) for arm, own in cells.items()}


def _number(score: str, where: str) -> float:
    try:
        return float(score)
    except ValueError:
        fix = "write a number between 0 and 1, such as 0.75, with a point"
        raise DataError("a score is not a number", where=where, found=score, fix=fix) from None


def _table(arm: str, own: dict[tuple[str, str], float], records: list[str], file: Path) -> list[list[float]]:
    seeds = sorted({seed for _, seed in own})
    gaps = [(record, seed) for record in records for seed in seeds if (record, seed) not in own]
    if gaps:
        record, seed = gaps[0]
        raise DataError(
            f"{arm!r} lacks {len(gaps)} scores, the first of record {record!r} and seed {seed!r}",
            where=file,
            fix="give every arm a score for each record and each of its seeds, or leave the record out for all arms",
        )
    return [[own[record, seed] for seed in seeds] for record in records]


def lines_of(found: "Comparison") -> Iterable[str]:
    """The comparison as a person reads it."""
    for name, figure in found.arms.items():
        star = "*" if name in found.winners else " "
        doubt = "  one seed: records alone count" if name in found.unknown else ""
        yield f"{star} {name:<24} {figure.mean:7.4f}  95 % from {figure.low:.4f} to {figure.high:.4f}{doubt}"
    yield f"best as measured: {found.best}; may be the best (*): {', '.join(found.winners)}"
    for row in found.contrasts:
        size = f"{row.diff:+.4f}  95 % from {row.low:+.4f} to {row.high:+.4f}"
        yield f"{row.a} minus {row.b}: {size}  p {row.p:.3g}, adjusted {row.p_adjusted:.3g}: {_words(row.decision)}"


def _words(decision: str) -> str:
    return decision.replace("_", " ")

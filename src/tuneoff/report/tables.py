"""The tables of the page as plain values: heads, and a row for each arm. The template draws all of them alike; on a
narrow screen a row becomes a card, in which each figure stands behind the head of its column.

    Grid("Results", ("accuracy", "95 % interval"), (Line("lora", mark="recommended", cells=(Cell("81.2 %"), ...)),))
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuneoff.report.beside import FIGURES, BesideTable
from tuneoff.report.facts import Facts, Row
from tuneoff.report.words import COSTS, DASH, kind, probability, seconds
from tuneoff.study.verdict.judgement import Contrast, Verdict

__all__ = ["Cell", "Grid", "Line", "tables"]

RESULT_COSTS = ("prompt_tokens", "artifact_bytes", "train_s")
CHIPS = {"recommended": "recommended", "winner": "may be the best"}
SPEED = (
    "first_token_ms_1",
    "first_token_ms_16",
    "tokens_per_s_1",
    "tokens_per_s_16",
    "cache_bytes_1",
    "cache_bytes_16",
)


@dataclass(frozen=True, slots=True)
class Cell:
    """small: lines below the figure, in small print. text: words, which begin at the left."""

    shown: str
    small: tuple[str, ...] = ()
    text: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """mark: as of a Row. chip: a word in a badge. below: a line under the name. note: stands in the place of cells."""

    name: str
    cells: tuple[Cell, ...] = ()
    mark: str = ""
    chip: str = ""
    below: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """first: the head of the column of names. heads: of the cells."""

    caption: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    first: str = "arm"


def tables(facts: Facts) -> dict[str, Grid]:
    """All tables of a page, by name; those that have no rows are left out."""
    made = {
        "results": _results(facts),
        "more": _more(facts),
        "costs": _costs(facts),
        "speed": _measurements(facts.beside, "Speed and memory of one request and of 16 at once", SPEED),
        "behaviour": _measurements(facts.beside, "Drift, robustness and memorisation", set(FIGURES) - set(SPEED)),
        "differences": _differences(facts, facts.decisive),
        "pairs": _differences(facts, [one for one in facts.verdict.contrasts if one not in facts.decisive]),
        "errors": _errors(facts),
        "forecast": _forecast(facts),
    }
    return {name: grid for name, grid in made.items() if grid.lines and grid.heads}


def _results(facts: Facts) -> Grid:
    measure = facts.measure
    weighed = any(row.standing.score is not None for row in facts.rows)
    heads = [measure.title, "95 % interval", *["score"] * weighed, *(COSTS[key].title for key in RESULT_COSTS), "seeds"]
    lines = [_result(row, facts, weighed=weighed) for row in facts.rows]
    caption = f"{measure.title[0].upper()}{measure.title[1:]} on the sealed test set; {measure.better}"
    return Grid(caption, tuple(heads), tuple(lines))


def _result(row: Row, facts: Facts, *, weighed: bool) -> Line:
    one, measure = row.standing, facts.measure
    if row.mark == "out":
        checked = "" if one.validation is None else f" (on validation: {measure.figure(one.validation)})"
        return Line(one.arm, mark=row.mark, below=one.family, note=f"{_status(one.status)}: {one.why}{checked}")
    doubt = ("one seed only",) if one.seed_spread == "unknown" else ()
    score = [Cell(DASH if one.score is None else f"{one.score:.2f}")] * weighed
    cells = [Cell(measure.figure(one.mean)), Cell(measure.interval(one.low, one.high), doubt), *score]
    cells += [Cell(COSTS[key].write(one.cost.get(key))) for key in RESULT_COSTS]
    return Line(one.arm, (*cells, Cell(str(one.seeds))), row.mark, _chip(row, facts.verdict), one.family)


def _chip(row: Row, verdict: Verdict) -> str:
    so_far = " so far" if row.mark == "recommended" and verdict.so_far else ""
    return ", ".join(filter(None, (CHIPS.get(row.mark, "") + so_far, "unfinished" * row.standing.unfinished)))


def _status(status: str) -> str:
    return {"ruled out": "over a limit", "dropped": "stopped early"}.get(status, status)


def _more(facts: Facts) -> Grid:
    """What else is known of each arm's test."""
    heads = ["test records", "settings tried", "unreadable answers", "score of the saved artifact"]
    heads += [f"{one.title} ({one.better})" for one in facts.further]
    return Grid("", tuple(heads), tuple(_further(row, facts) for row in facts.judged))


def _further(row: Row, facts: Facts) -> Line:
    one = row.standing
    shown = [str(one.n_test), str(one.trials), f"{100 * one.unreadable:.0f} %", facts.measure.figure(one.artifact_mean)]
    shown += [other.figure(one.others.get(other.metric)) for other in facts.further]
    return Line(one.arm, tuple(map(Cell, shown)), row.mark)


def _costs(facts: Facts) -> Grid:
    front = facts.axes[0].front
    lines = [
        Line(
            row.standing.arm,
            tuple(Cell(words.write(row.standing.cost.get(key))) for key, words in COSTS.items()),
            row.mark,
            "Pareto front" if row.standing.arm in front else "",
        )
        for row in facts.judged
    ]
    return Grid("Mean over the seeds of an arm", tuple(words.title for words in COSTS.values()), tuple(lines))


def _measurements(measured: BesideTable, caption: str, names: Iterable[str]) -> Grid:
    columns = [name for name in measured.columns if name in names]
    lines = [Line(arm, tuple(_measured(measured, arm, name) for name in columns)) for arm in measured.figures]
    kept = [line for line in lines if any(cell.shown != DASH for cell in line.cells)]
    return Grid(caption, tuple(FIGURES[name].title for name in columns), tuple(kept))


def _measured(measured: BesideTable, arm: str, name: str) -> Cell:
    small = (measured.interval(arm, name), measured.counted(arm, name))
    return Cell(measured.value(arm, name), tuple(line for line in small if line))


def _differences(facts: Facts, contrasts: Sequence[Contrast]) -> Grid:
    measure = facts.measure
    heads = (f"difference, {measure.difference_unit}", "95 % interval", "p", "p, adjusted", "result")
    lines = [
        Line(
            f"{one.a} minus {one.b}",
            (
                Cell(measure.difference(one.diff)),
                Cell(measure.between(one.low, one.high)),
                Cell(probability(one.p)),
                Cell(probability(one.p_adjusted)),
                Cell(kind(one), (one.note,) if one.note else (), text=True),
            ),
        )
        for one in contrasts
    ]
    return Grid("", heads, tuple(lines), first="arms")


def _errors(facts: Facts) -> Grid:
    missed = facts.errors.missed if facts.errors else ()
    lines = [
        Line(one.label, (Cell(f"{one.right} of {one.asked}"), Cell(_instead(one.instead), text=True))) for one in missed
    ]
    return Grid("", ("answered right", "most often answered instead"), tuple(lines), first="right answer")


def _instead(answers: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{answer or '(nothing)'} {times}" for answer, times in answers)


def _forecast(facts: Facts) -> Grid:
    lines = [
        Line(one.name, tuple(Cell(seconds(each)) for each in (one.low_s, one.high_s, one.took_s)))
        for one in facts.forecast
    ]
    return Grid("", ("at best", "at worst", "took"), tuple(lines), first="phase")

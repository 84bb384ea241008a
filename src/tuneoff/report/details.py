"""What stands behind the verdict, in the terminal: `tuneoff show --all`, at 80 columns.

Costs                  trainable    training  prompt  artifact      peak
arm            trials  parameters       time  tokens      size    memory
lora                1      922 k  3 min 20 s      31    3.7 MB      1 GB
"""

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from tuneoff.report.beside import FIGURES, BesideTable
from tuneoff.report.facts import Facts
from tuneoff.report.sizes import crossings
from tuneoff.report.text import STYLES, bullets, open_table
from tuneoff.report.words import COSTS, kind, probability, seconds, tried
from tuneoff.study.budget.spending import PhaseTime

__all__ = ["paint_details"]

CORRECTED = (
    "p is adjusted for the number of arms, the intervals are not: an interval may leave out 0 while the pair is open."
)


def paint_details(facts: Facts, console: Console) -> None:
    """Print costs, measurements, differences, and what would change the recommendation."""
    for title, part in _parts(facts):
        console.print(Text(f"\n{title}", style="bold"))
        console.print(part)


def _parts(facts: Facts) -> Iterator[tuple[str, RenderableType]]:
    verdict, table = facts.verdict, facts.beside
    yield "Costs, mean over seeds", _costs(facts)
    yield "Settings tried, by family", bullets(tried(verdict.facts["trials"]))
    if table.columns:
        yield "Latency, drift, robustness and memorisation of each saved artifact", _measurements(table)
        yield "What these stand on", bullets([*table.alarms, f"{table.stands_on(_short(table))}", *table.missing])
    if facts.decisive:
        yield f"Differences in {facts.measure.difference_unit}, on the same records", _differences(facts)
        yield "Notes", bullets([CORRECTED, *_notes(facts)])
    if facts.changes:
        yield "What would change the recommendation", bullets(facts.changes)
    if facts.advised and facts.advised.outcome:
        yield "The recommendation before training", bullets(facts.advised.outcome)
    if facts.forecast:
        yield "Forecast and actual time", _forecast(facts.forecast)
    if lines := [*crossings(verdict.facts["sizes"]), *facts.spent.failures, *facts.spent.remarks]:
        yield "Also", bullets(lines)
    yield "Commands", Text("\n".join(f"{command.line}\n    {command.purpose}" for command in facts.commands))


def _costs(facts: Facts) -> RenderableType:
    table = open_table("\ntrials", *(words.short for words in COSTS.values()), arms="\narm")
    for row in facts.judged:
        cells = [words.write(row.standing.cost.get(key)) for key, words in COSTS.items()]
        table.add_row(Text(row.standing.arm), str(row.standing.trials), *cells, style=STYLES[row.mark])
    return table


def _measurements(measured: BesideTable) -> RenderableType:
    names, unit = _short(measured), f" {measured.measure.difference_unit}"
    table = open_table(*(FIGURES[name].short for name in names), arms="\narm")
    for arm in measured.figures:
        table.add_row(Text(arm), *(measured.value(arm, name).removesuffix(unit) for name in names))
    return table


def _short(measured: BesideTable) -> list[str]:
    return [name for name in measured.columns if FIGURES[name].short]


def _differences(facts: Facts) -> RenderableType:
    measure = facts.measure
    table = open_table(measure.difference_unit, "95 % interval", "p", "", arms="first minus second")
    for one in facts.decisive:
        cells = [
            measure.difference(one.diff),
            measure.between(one.low, one.high),
            probability(one.p_adjusted),
            kind(one),
        ]
        table.add_row(Text(f"{one.a}\n  minus {one.b}"), *cells, style="bold" if one.different else "")
    return table


def _notes(facts: Facts) -> list[str]:
    return [f"{one.a} minus {one.b}: {one.note}." for one in facts.decisive if one.note]


def _forecast(phases: Sequence[PhaseTime]) -> RenderableType:
    table = open_table("at best", "at worst", "took", arms="")
    for one in phases:
        table.add_row(Text(one.name), *(seconds(each) for each in (one.low_s, one.high_s, one.took_s)))
    return table

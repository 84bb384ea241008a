"""The verdict in the terminal: readable at 80 columns, and with no colour at all."""

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tuneoff.report.facts import Facts, Row
from tuneoff.report.words import COSTS, MARKS, Measure, count, probability, says, seconds

__all__ = ["paint"]

SIGNS = {"recommended": ">", "winner": "*", "tested": " ", "out": "x"}
STYLES = {"recommended": "bold green", "winner": "green", "tested": "", "out": "dim"}


def paint(facts: Facts, console: Console) -> None:
    """Print the verdict: its words first, then the figures that they stand on."""
    console.print(_words(facts))
    console.print(_standings(facts))
    console.print(_legend(facts))
    console.print(_costs(facts))
    if facts.decisive:
        console.print(_contrasts(facts))
    console.print(_commands(facts))


def _words(facts: Facts) -> Panel:
    verdict = facts.verdict
    pick = Text.assemble("Recommended: ", (verdict.recommended or "no arm", "bold green"))
    title = Text(f"verdict: {verdict.study}" if verdict.study else "verdict")
    return Panel(Group(pick, Text(), Text(verdict.reason)), title=title, box=box.ROUNDED, padding=(1, 2))


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def _standings(facts: Facts) -> Table:
    measure = facts.measure
    table = _table(f"Standings: {measure.title} on the sealed test set, {measure.better}")
    table.add_column("")
    table.add_column("arm", overflow="fold", min_width=10)
    for head in (measure.title, "95 % interval", "n", "seeds", "unreadable"):
        table.add_column(head, justify="right", overflow="fold")
    for row in facts.rows:
        table.add_row(SIGNS[row.mark], *(Text(cell) for cell in _cells(row, measure)), style=STYLES[row.mark])
    return table


def _cells(row: Row, measure: Measure) -> list[str]:
    one = row.standing
    if row.mark == "out":
        return [one.arm, "-", one.status, "-", "-", "-"]
    doubt = "?" if one.seed_spread == "unknown" else ""
    wrong = f"{100 * one.unreadable:.0f} %" if one.unreadable else "0"
    span = measure.interval(one.low, one.high) + doubt
    return [one.arm, measure.figure(one.mean), span, str(one.n_test), str(one.seeds), wrong]


def _legend(facts: Facts) -> Text:
    marks = dict.fromkeys(row.mark for row in facts.rows)
    lines = [f"{SIGNS[mark]} {MARKS[mark]}" for mark in marks if mark in ("recommended", "winner")]
    if any(row.standing.seed_spread == "unknown" for row in facts.judged):
        lines.append("? one seed only: how much another seed would change is not in this interval")
    lines += [f"x {row.standing.arm}: {row.standing.why}" for row in facts.rows if row.mark == "out"]
    if facts.verdict.unscored:
        lines.append(f"{facts.verdict.unscored} test records could not be scored and are left out for all arms")
    return Text("\n".join([*lines, ""]))


def _costs(facts: Facts) -> Table:
    table = _table("What each costs, and how many settings of it were tried")
    table.add_column("arm", overflow="fold", min_width=10)
    table.add_column("trials", justify="right")
    for words in COSTS.values():
        table.add_column(words.short, justify="right", overflow="fold")
    for row in facts.judged:
        cells = [words.write(row.standing.cost.get(key)) for key, words in COSTS.items()]
        table.add_row(Text(row.standing.arm), str(row.standing.trials), *cells, style=STYLES[row.mark])
    return table


def _contrasts(facts: Facts) -> Table:
    table = _table("Differences on the same records, p corrected after Holm")
    table.add_column("first minus second", overflow="fold", min_width=14)
    for head in (facts.measure.difference_unit, "95 % interval", "p"):
        table.add_column(head, justify="right", overflow="fold")
    table.add_column("says", overflow="fold", min_width=9)
    for one in facts.decisive:
        pair = Text(f"{one.a}\n  minus {one.b}")
        cells = [facts.measure.difference(one.diff), facts.measure.between(one.low, one.high), probability(one.p_holm)]
        table.add_row(pair, *cells, Text(says(one)), style="bold" if one.different else "")
    return table


def _commands(facts: Facts) -> Text:
    spent = facts.spent
    jobs = f"{count(spent.done)} of {count(spent.jobs)} jobs done"
    times = f"{seconds(spent.train_s)} of training and {seconds(spent.score_s)} of scoring"
    lines = [f"{jobs}, {times}.", *(f"failed: {failure}" for failure in spent.failures), *spent.shortened, ""]
    for command in facts.commands[:3]:
        lines += [f"# {command.purpose}", command.line]
    return Text("\n".join(lines))

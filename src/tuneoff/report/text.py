"""The verdict in the terminal: readable at 80 columns, and with no colour at all."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tuneoff.report.beside import FIGURES, BesideTable
from tuneoff.report.facts import Facts, Row
from tuneoff.report.sizes import crossings
from tuneoff.report.words import COSTS, Measure, count, marks, probability, says, seconds, tried
from tuneoff.study.budget.spending import PhaseTime

__all__ = ["paint"]

CORRECTED = "Intervals are each pair's own, p is corrected for all pairs: one may leave out 0 and still be open."
SIGNS = {"recommended": ">", "winner": "*", "tested": " ", "out": "x"}
STYLES = {"recommended": "bold green", "winner": "green", "tested": "", "out": "dim"}


def paint(facts: Facts, console: Console) -> None:
    """Print the verdict: its words first, then the figures that they stand on."""
    console.print(_words(facts))
    console.print(_standings(facts))
    console.print(_legend(facts))
    console.print(_costs(facts))
    console.print(_front(facts))
    if facts.beside.columns:
        console.print(_beside(facts.beside), _beside_notes(facts.beside))
    if facts.decisive:
        console.print(_contrasts(facts), Text(f"{CORRECTED}\n"))
    if facts.changes:
        console.print(_changes(facts))
    if facts.advised and facts.advised.outcome:
        console.print(_advised(facts.advised.outcome))
    if facts.forecast:
        console.print(_forecast(facts.forecast))
    for line in crossings(facts.verdict.facts["sizes"]):
        console.print(Text(line))
    console.print(_commands(facts))


def _words(facts: Facts) -> Panel:
    verdict = facts.verdict
    pick = Text.assemble("Recommended: ", (verdict.recommended or "no arm", "bold green"))
    title = Text(f"verdict: {verdict.study}" if verdict.study else "verdict")
    words = Group(pick, Text(), Text(verdict.reason), *(Text(f"\n! {flag}", style="red") for flag in verdict.flags))
    return Panel(words, title=title, subtitle=_measured_on(verdict.facts), box=box.ROUNDED, padding=(1, 2))


def _measured_on(facts: Mapping) -> Text | None:
    """What the figures are figures of."""
    data = facts.get("measured_on")
    if not data:
        return None
    learned, chosen, judged = (data[f"{split}_records"] for split in ("training", "validation", "test"))
    return Text(f"{data['model']}: {learned} records to learn from, {chosen} to choose on, {judged} to judge on")


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def _standings(facts: Facts) -> Table:
    measure = facts.measure
    table = _table(f"Standings: {measure.title} on the sealed test set, {measure.better}")
    table.add_column("")
    table.add_column("arm", overflow="fold", min_width=10)
    for head in (measure.title, "95 % interval", "n", "seeds", "unreadable"):
        table.add_column(head, justify="right", overflow="fold")
    weighed = any(row.standing.score is not None for row in facts.rows)
    if weighed:
        table.add_column("score", justify="right")
    for row in facts.rows:
        cells = _cells(row, measure) + ([_score(row)] if weighed else [])
        table.add_row(SIGNS[row.mark], *(Text(cell) for cell in cells), style=STYLES[row.mark])
    return table


def _score(row: Row) -> str:
    return "-" if row.standing.score is None else f"{row.standing.score:.2f}"


def _cells(row: Row, measure: Measure) -> list[str]:
    one = row.standing
    if row.mark == "out":
        return [one.arm, "-", one.status, "-", "-", "-"]
    doubt = "?" if one.seed_spread == "unknown" else ""
    wrong = f"{100 * one.unreadable:.0f} %" if one.unreadable else "0"
    span = measure.interval(one.low, one.high) + doubt
    return [one.arm, measure.figure(one.mean), span, str(one.n_test), str(one.seeds), wrong]


def _legend(facts: Facts) -> Text:
    said, found = marks(facts.verdict.facts["decision"]), dict.fromkeys(row.mark for row in facts.rows)
    lines = [f"{SIGNS[mark]} {said[mark]}" for mark in found if mark in ("recommended", "winner")]
    if any(row.standing.seed_spread == "unknown" for row in facts.judged):
        lines.append("? one seed only: how much another seed would change is not in this interval")
    out = [row for row in facts.rows if row.mark == "out"]
    lines += [f"x {row.standing.arm}: {row.standing.why}{_checked(row, facts)}" for row in out]
    if facts.verdict.unscored:
        lines.append(f"{facts.verdict.unscored} test records could not be scored and are left out for all arms")
    return Text("\n".join([*lines, ""]))


def _checked(row: Row, facts: Facts) -> str:
    """What an arm without a test figure got on validation."""
    value = row.standing.validation
    return "" if value is None else f" (on validation: {facts.measure.figure(value)})"


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


def _front(facts: Facts) -> Text:
    """The front, and the settings tried."""
    chosen = facts.axes[0]
    lines = [f"Settings tried: {'; '.join(tried(facts.verdict.facts['trials']))}.", ""]
    if chosen.front:
        words = f"None tested is better for less ({COSTS[chosen.key].title}, plain means)"
        lines.insert(0, f"{words}: {', '.join(chosen.front)}.")
    return Text("\n".join(lines))


def _changes(facts: Facts) -> Text:
    text = Text("What would change this\n", style="bold")
    return text.append("\n".join([*(f"- {line}" for line in facts.changes), ""]), style="not bold")


def _beside(told: BesideTable) -> Table:
    table = _table(f"Beside quality, of what is handed over; differences in {told.measure.difference_unit}")
    table.add_column("arm", overflow="fold", min_width=10)
    names, unit = _short(told), f" {told.measure.difference_unit}"
    for name in names:
        table.add_column(FIGURES[name].short, justify="right", overflow="fold")
    for arm in told.figures:
        table.add_row(Text(arm), *(told.value(arm, name).removesuffix(unit) for name in names))
    return table


def _beside_notes(told: BesideTable) -> Text:
    lines = [f"! {alarm}" for alarm in told.alarms]
    lines += [f"they stand on: {told.stands_on(_short(told))}"]
    return Text("\n".join([*lines, *(f"- {line}" for line in told.missing), ""]))


def _short(told: BesideTable) -> list[str]:
    return [name for name in told.columns if FIGURES[name].short]


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


def _advised(outcome: Sequence[str]) -> Text:
    text = Text("The first opinion, of before training\n", style="bold")
    return text.append("\n".join([*(f"- {line}" for line in outcome), ""]), style="not bold")


def _forecast(phases: Sequence[PhaseTime]) -> Table:
    table = _table("Forecast against fact")
    table.add_column("", overflow="fold", min_width=10)
    for head in ("at best", "at worst", "took"):
        table.add_column(head, justify="right", overflow="fold")
    for one in phases:
        table.add_row(Text(one.name), *(seconds(each) for each in (one.low_s, one.high_s, one.took_s)))
    return table


def _commands(facts: Facts) -> Text:
    spent = facts.spent
    jobs = f"{count(spent.done)} of {count(spent.jobs)} jobs done"
    times = f"{seconds(spent.train_s)} of training and preparing, {seconds(spent.score_s)} of testing"
    lines = [f"{jobs}, {times}.", *(f"failed: {failure}" for failure in spent.failures), *spent.remarks, ""]
    for command in facts.commands[:3]:
        lines += [f"# {command.purpose}", command.line]
    return Text("\n".join(lines))

"""The verdict in the terminal, on one screen: the answer, the reasons, the table, what to know and what to type next.

    demo: take lora

    lora wins: accuracy 83.2 % (95 % interval 79.0 to 87.4 %). It is better than ...
    - Tuning pays.

      arm          accuracy   95 % interval   prompt tokens   artifact size
    > lora           83.2 %    79.0 to 87.4              31          3.7 MB
      few_shot       63.1 %    ...
    > recommended

Readable at 80 columns, and with no colour at all. details.py has the tables behind it.
"""

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tuneoff.report.facts import Facts, Row
from tuneoff.report.words import COSTS, count, seconds

__all__ = ["SIGNS", "STYLES", "bullets", "open_table", "paint"]

SIGNS = {"recommended": ">", "winner": "*", "tested": " ", "out": "x"}
STYLES = {"recommended": "bold green", "winner": "green", "tested": "", "out": "dim"}
LEGEND = {"recommended": "recommended", "winner": "may be the best", "out": "no test figure"}
SHOWN = ("prompt_tokens", "artifact_bytes")
REMARKS = 2
"on this screen; --all shows every one"


def paint(facts: Facts, console: Console) -> None:
    """Print the verdict."""
    console.print(_head(facts), bullets(facts.verdict.reasons))
    for flag in facts.verdict.flags:
        console.print(Text(f"! {flag}", style="red"))
    console.print(Text(), _standings(facts), _legend(facts), sep="\n")
    console.print(_caveats(facts))
    console.print(_next(facts), soft_wrap=True)  # a command is copied whole


def bullets(lines: Iterable[str], style: str = "") -> RenderableType:
    """Lines behind dashes, wrapped under their own beginning."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style=style)
    table.add_column(overflow="fold", style=style)
    for line in lines:
        table.add_row("-", Text(line))
    return table


def open_table(*heads: str, arms: str = "arm") -> Table:
    """A table whose first column holds names, which break between words, and whose others hold figures, which stay
    whole. A head may have two lines."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(arms, overflow="fold", vertical="top")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True, vertical="bottom")
    return table


def _head(facts: Facts) -> Text:
    verdict = facts.verdict
    pick = Text.assemble(
        f"{'So far' if verdict.so_far else 'Recommended'}: ", (verdict.recommended or "no arm", "bold green")
    )
    name = Text(f"{verdict.study}   ", style="bold") if verdict.study else Text()
    return Text.assemble("\n", name, pick, "\n\n", verdict.answer)


def _standings(facts: Facts) -> Table:
    measure, costs = facts.measure, [COSTS[key] for key in SHOWN]
    unread = any(row.standing.unreadable for row in facts.judged)
    weighed = any(row.standing.score is not None for row in facts.rows)
    extra = ["not\nreadable"] * unread + ["\nscore"] * weighed
    heads = [f"\n{measure.title}", "\n95 % interval", *(words.short for words in costs), *extra]
    table = open_table(*heads, arms="\n  arm")
    for row in facts.rows:
        cells = _cells(row, facts) + [_unread(row)] * unread + [_score(row)] * weighed
        name = Table.grid(padding=(0, 1, 0, 0))
        name.add_row(SIGNS[row.mark], Text(f"{row.standing.arm}{', unfinished' * row.standing.unfinished}"))
        table.add_row(name, *(Text(cell) for cell in cells), style=STYLES[row.mark])
    return table


def _cells(row: Row, facts: Facts) -> list[str]:
    one, measure = row.standing, facts.measure
    costs = [COSTS[key].write(one.cost.get(key)) for key in SHOWN]
    if row.mark == "out":
        return ["-", "-", *costs]
    return [measure.figure(one.mean), measure.interval(one.low, one.high), *costs]


def _unread(row: Row) -> str:
    return "-" if row.mark == "out" else f"{100 * row.standing.unreadable:.0f} %"


def _score(row: Row) -> str:
    return "-" if row.standing.score is None else f"{row.standing.score:.2f}"


def _legend(facts: Facts) -> Text:
    told = LEGEND | ({"recommended": "recommended so far"} if facts.verdict.so_far else {})
    found = [mark for mark in LEGEND if any(row.mark == mark for row in facts.rows)]
    better = "" if facts.measure.up else "less is better"
    return Text("   ".join([*(f"{SIGNS[mark]} {told[mark]}" for mark in found), *([better] if better else []), ""]))


def _caveats(facts: Facts) -> RenderableType:
    remarks = [*facts.beside.alarms, *facts.spent.remarks]
    more = [f"{len(remarks) - REMARKS} more remarks: see --all"] if len(remarks) > REMARKS else []
    return bullets([*facts.verdict.caveats, *remarks[:REMARKS], *more], style="dim")


def _next(facts: Facts) -> Text:
    spent = facts.spent
    times = f"{seconds(spent.train_s)} of training, {seconds(spent.score_s)} of testing"
    text = Text()
    for word, line in (("took", f"{times}, {count(spent.done)} of {count(spent.jobs)} jobs done"), *facts.next):
        text.append(f"\n{word:<10}", style="bold").append(line, style="not bold")
    return text

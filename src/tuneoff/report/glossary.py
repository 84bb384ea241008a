"""The words that everybody mixes up, from glossary.toml, and how to print them.

[[entry]]
word = "prompt tuning"
group = "soft prompts"
also = ["soft prompt"]
short = "learn a few vectors that stand where text would; the model stays frozen"
changes, needs, gives, confused, paper (a list), arms
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuneoff.core.errors import ConfigError, nearest

__all__ = ["Entry", "entries", "explained", "look_up", "paint_all", "paint_entry"]

LINES = (
    ("what changes", "changes"),
    ("what it needs", "needs"),
    ("what comes out", "gives"),
    ("often confused", "confused"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One word. short: one line. text: what it is, in a few sentences. An empty field has nothing to say.

    paper: author, year, title and where to find it, one text each. arms: how to try it in a study file.
    """

    word: str
    group: str
    short: str
    text: str = ""
    also: tuple[str, ...] = ()
    changes: str = ""
    needs: str = ""
    gives: str = ""
    confused: str = ""
    paper: tuple[str, ...] = ()
    arms: str = ""


@cache
def entries() -> tuple[Entry, ...]:
    """All words, in the order of the file."""
    tables = tomllib.loads((Path(__file__).parent / "glossary.toml").read_text(encoding="utf-8"))["entry"]
    lists = ("also", "paper")
    return tuple(Entry(**{**table, **{name: tuple(table.get(name, ())) for name in lists}}) for table in tables)


def look_up(word: str) -> Entry:
    """The entry of a word or of another name for it; case, hyphens and underscores do not matter.

    Raises ConfigError with the nearest word where there is none.
    """
    names = {_key(name): entry for entry in entries() for name in (entry.word, *entry.also)}
    if _key(word) not in names:
        close = nearest(_key(word), names)
        raise ConfigError(f"no entry for {word!r}", fix=close or "tuneoff explain lists all words")
    return names[_key(word)]


def explained(arms: Iterable[str]) -> list[Entry]:
    """The words that arms are named by, each once; a name of a person's own is none."""
    names = {_key(name): entry for entry in entries() for name in (entry.word, *entry.also)}
    words = (_key(word) for arm in arms for word in re.findall(r"\w+", arm))
    return list({names[word].word: names[word] for word in words if word in names}.values())


def paint_entry(entry: Entry, console: Console) -> None:
    """Print one entry."""
    head = Text(entry.word, style="bold")
    if entry.also:
        head.append(f"   also: {', '.join(entry.also)}", style="not bold dim")
    console.print(head, Text(f"{entry.short[0].upper()}{entry.short[1:]}."), sep="\n")
    if entry.text:
        console.print(Text(f"\n{entry.text.strip()}"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    rows = [(title, getattr(entry, name)) for title, name in LINES]
    rows += [("paper" if at == 0 else "", paper) for at, paper in enumerate(entry.paper)]
    rows += [("to try it", entry.arms)]
    for title, value in rows:
        if value:
            table.add_row(title, Text(value))
    console.print()
    console.print(table)


def paint_all(console: Console) -> None:
    """Print every word with its one line, group by group."""
    groups = defaultdict(list)
    for entry in entries():
        groups[entry.group].append(entry)
    width = max(len(entry.word) for entry in entries())
    for group, members in groups.items():
        table = Table(box=None, show_header=False, title=Text(group), title_justify="left", title_style="bold")
        table.add_column(no_wrap=True, min_width=width)
        table.add_column(overflow="fold")
        for entry in members:
            table.add_row(Text(entry.word), Text(entry.short))
        console.print(table)
        console.print()
    console.print(Text("tuneoff explain WORD tells more."))


def _key(word: str) -> str:
    return " ".join(word.lower().replace("-", " ").replace("_", " ").split())

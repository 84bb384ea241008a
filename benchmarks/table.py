"""JSON lines as a Markdown table, newest line of each benchmark and case last to win.

| benchmark | case | against | goal | ratio (low to high) | ours | theirs | of the ceiling, ours / theirs |
"""

import json
from collections.abc import Iterable

__all__ = ["markdown"]

HEAD = ("benchmark", "case", "against", "goal", "ratio (low to high)", "ours", "theirs", "of the ceiling")


def markdown(lines: Iterable[str]) -> str:
    """One row per benchmark and case, and what the machine was."""
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    newest = {(row["name"], row["case"]): row for row in rows if "ratio" in row}
    made = [HEAD, ("---",) * len(HEAD), *(_cells(row) for row in newest.values())]
    machines = sorted({f"{row['device']}, {_threads(row)}, {_versions(row)}" for row in newest.values()})
    return "\n".join([*("| " + " | ".join(cells) + " |" for cells in made), "", *machines])


def _cells(row: dict) -> tuple[str, ...]:
    unsteady = "" if row["steady"] else " *"
    theirs = row.get("theirs")
    shares = [f"{side['of_ceiling']:.2f}" for side in (row["ours"], theirs) if side]
    return (
        f"`{row['name']}`",
        row["case"],
        row["against"],
        f"{row['goal']:g}",
        f"**{row['ratio']:.2f}** ({row['low']:.2f} to {row['high']:.2f}){unsteady}",
        _figure(row["ours"]),
        _figure(theirs) if theirs else "",
        " / ".join(shares),
    )


def _figure(side: dict) -> str:
    return f"{side['value']:.4g} {side['unit']}"


def _threads(row: dict) -> str:
    return f"{row['threads']} thread{'s' if row['threads'] > 1 else ''}, {row['cycles']} cycles"


def _versions(row: dict) -> str:
    return ", ".join(f"{name} {version}" for name, version in row["versions"].items())

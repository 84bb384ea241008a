"""What would settle a comparison that is open, in words: "about 900 more test records would settle it"."""

from collections.abc import Sequence

from tuneoff.stats.power import More

__all__ = ["listed", "notes", "settling"]


def notes(more: More | None, unknown: Sequence[str]) -> str:
    """What would settle a comparison, and what it does not cover."""
    limits = f"the seed spread of {listed(unknown)} is unknown" if unknown else ""
    parts = [settling(more) if more else "", limits]
    return "; ".join(part for part in parts if part)


def settling(more: More) -> str:
    """What would settle an open comparison."""
    records = f"about {more.records} more test records" if more.records else ""
    seeds = f"about {more.seeds} more {'seed' if more.seeds == 1 else 'seeds'}" if more.seeds else ""
    if not records and not seeds:
        return "no reasonable number of further records or seeds would settle it"
    return f"{(' together with ' if more.together else ' or ').join(filter(None, (records, seeds)))} would settle it"


def listed(names: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

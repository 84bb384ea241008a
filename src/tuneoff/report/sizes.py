"""The words of a learning curve over data sizes: from which size on tuning overtakes prompting.

peft (lora) overtakes prompting at about 50 training records.
"""

from collections.abc import Mapping

__all__ = ["crossings"]


def crossings(sizes: Mapping) -> list[str]:
    """One sentence a trained family; none where no curve was asked for, or prompting has none."""
    return [_crossing(crossing) for crossing in sizes.get("crossings", [])]


def _crossing(crossing: Mapping) -> str:
    family, over = crossing["family"], crossing["over"]
    if crossing["always"]:
        return f"{family} is ahead of {over} at every size that was measured."
    if crossing["records"] is None:
        return f"{family} does not stay ahead of {over} at any size that was measured."
    return f"{family} overtakes {over} at about {crossing['records']:,} training records."

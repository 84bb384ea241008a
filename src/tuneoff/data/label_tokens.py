"""How a model's tokenizer cuts the labels, told where it matters: several tokens, the same first one, unlike lengths.

search creative work     3 tokens: search| creative| work
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["LabelTokens"]

UNLIKE = 3  # times as many tokens, and so many more


class LabelTokens(NamedTuple):
    """model: whose tokenizer. pieces: by label, in words where it has been renamed."""

    model: str
    pieces: Mapping[str, tuple[str, ...]]

    @property
    def counts(self) -> dict[str, int]:
        return {label: len(own) for label, own in self.pieces.items()}

    @property
    def matter(self) -> bool:
        """Whether some label is more than one token; else there is nothing to tell."""
        return max(self.counts.values(), default=0) > 1

    @property
    def unlike(self) -> bool:
        """Whether the longest label is so much longer that its likelihood suffers from that alone."""
        least, most = self._ends
        return most - least >= UNLIKE and most >= UNLIKE * least

    @property
    def words(self) -> str:
        """All of it in one line."""
        least, most = self._ends
        long = f"{least} to {most} tokens" if least < most else f"{_tokens(most)} each"
        alike = len(self.alike)
        return f"{long} to {self.model}{f'; {alike} share their first one with another' if alike else ''}"

    @property
    def alike(self) -> list[str]:
        """Labels that begin with the same token as another one: the next ones tell them apart."""
        firsts = Counter(own[:1] for own in self.pieces.values())
        return [label for label, own in self.pieces.items() if firsts[own[:1]] > 1]

    @property
    def _ends(self) -> tuple[int, int]:
        return min(self.counts.values()), max(self.counts.values())

    def of(self, label: str) -> str:
        """3 tokens: add| to| playlist; the number alone where a token is part of a letter."""
        own = self.pieces[label]
        number, shown = _tokens(len(own)), "|".join(own)
        return f"{number}: {shown}" if len(own) > 1 and shown.isprintable() and "\ufffd" not in shown else number


def _tokens(count: int) -> str:
    return f"{count} token{'' if count == 1 else 's'}"

"""The console of every screen: names are shown as they are.

rich reads `[r=8]` as markup and `:heart:` as a picture; an arm, a label or a file may be called so. What is bold here
is a Text or a style.
"""

from rich.console import Console

__all__ = ["open_console"]


def open_console() -> Console:
    """Standard output, without markup, emoji codes and highlighting."""
    return Console(highlight=False, markup=False, emoji=False)

"""What libraries warn of while a verb works: kept out of the lines of progress, and counted in one line at the end.

    note: 2 warnings of libraries are not shown (PYTHONWARNINGS=default shows them), FutureWarning: `past_key_values` is

A warning of tuneoff itself is a line of its own, at once. Whoever asks Python for warnings (-W, PYTHONWARNINGS) gets
all of them, as Python writes them. Log lines of libraries are held to errors by the variables that these have for it.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

__all__ = ["held_back"]

OURS = Path(__file__).parents[1]
LEVELS = ("TRANSFORMERS_VERBOSITY", "HF_HUB_VERBOSITY", "DATASETS_VERBOSITY")
LONGEST = 70


@contextmanager
def held_back(say: Callable[[str, str], None]) -> Iterator[None]:
    """Inside the block warnings of libraries are counted, not printed. say: prints a word and its line."""
    for name in LEVELS:
        os.environ.setdefault(name, "error")
    if sys.warnoptions:
        yield
        return
    heard: list[str] = []

    def hear(message: Warning | str, category: type[Warning], filename: str, *_: object) -> None:
        if Path(filename).is_relative_to(OURS):
            say("note:", str(message))
        else:
            heard.append(f"{category.__name__}: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = hear
        try:
            yield
        finally:
            if heard:
                say("note:", _counted(list(dict.fromkeys(heard))))


def _counted(heard: list[str]) -> str:
    count = "1 warning of a library is" if len(heard) == 1 else f"{len(heard)} warnings of libraries are"
    return f"{count} not shown (PYTHONWARNINGS=default shows them), {shorten(heard[0], LONGEST, placeholder=' ...')}"

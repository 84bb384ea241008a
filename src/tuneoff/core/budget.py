"""What a study may take: wall time, training tokens, or both, as a person writes it.

    budget = "20m"      budget = "1h30m"      budget = "300k tokens"      budget = "20m, 2M tokens"

Hours, minutes and seconds are `h`, `m` and `s`, the larger first; thousands and millions of tokens are `k` and `M`.
"""

import re
from dataclasses import dataclass

from tuneoff.core.errors import ConfigError

__all__ = ["Budget", "parse_budget"]

UNITS = {"h": 3600, "m": 60, "s": 1}
SCALES = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}
NUMBER = r"(\d+(?:\.\d+)?)"
TIME = re.compile("".join(rf"(?:{NUMBER}\s*{unit}\s*)?" for unit in UNITS))
TOKENS = re.compile(rf"{NUMBER}\s*([kMG]?)\s*tokens?")
DIGITS = 3  # of a second


@dataclass(frozen=True, slots=True)
class Budget:
    """seconds: of wall time, loading and measuring included. tokens: real ones trained on. None: no limit."""

    seconds: float | None = None
    tokens: int | None = None

    def __bool__(self) -> bool:
        return self.seconds is not None or self.tokens is not None

    def __str__(self) -> str:
        """As a study file says it; `parse_budget` reads it back."""
        parts = [] if self.seconds is None else [_time(self.seconds)]
        return ", ".join(parts if self.tokens is None else [*parts, f"{_scaled(self.tokens)} tokens"])


def parse_budget(text: str, where: object = "study.toml") -> Budget:
    """Read a budget; the empty text is no limit. Raises ConfigError for what is none, with what to write."""
    given: dict[str, float | int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        kind, value = _part(part, text, where)
        if kind in given:
            raise _wrong(f"a budget has one limit of {kind}", text, where, 'write "20m", or "20m, 300k tokens"')
        given[kind] = value
    if text.strip() and not given:
        raise _wrong("an empty budget", text, where, "write a time, or remove the key")
    return Budget(**given)


def _part(part: str, text: str, where: object) -> tuple[str, float | int]:
    if found := TOKENS.fullmatch(part):
        kind, value = "tokens", round(float(found[1]) * SCALES[found[2]])
    elif (found := TIME.fullmatch(part)) and any(found.groups()):
        kind = "seconds"
        value = round(sum(float(n) * UNITS[u] for n, u in zip(found.groups(), UNITS) if n), DIGITS)
    else:
        raise _wrong(f"not a budget: {part!r}", text, where, _guess(part))
    if value <= 0:
        raise _wrong("a budget of nothing", text, where, "write how long the study may take, or remove the key")
    return kind, value


def _guess(part: str) -> str:
    """What was meant, as far as it can be told."""
    found = re.match(rf"{NUMBER}\s*([a-zA-Z]*)", part)
    if not found:
        return 'write a time such as "20m", tokens such as "300k tokens", or both with a comma'
    number, word = found[1], found[2]
    if not word:
        return f'give it a unit: "{number}m" is minutes, "{number}k tokens" is thousands of tokens'
    if "token" in part.lower() or word in SCALES:
        return f'write "{number}k tokens", "{number}M tokens" or "{number} tokens"'
    unit = word[0].lower()
    if word[-1] == "d" or unit == "d":
        return f'a day is 24 hours: write "{24 * float(number):g}h"'
    return f'write "{number}{unit}"' if unit in UNITS else 'write hours, minutes, seconds: "1h30m", "20m", "90s"'


def _wrong(problem: str, text: str, where: object, fix: str) -> ConfigError:
    allowed = '"20m", "2h", "90s", "1h30m", "300k tokens", "20m, 300k tokens"'
    return ConfigError(problem, where=where, found=f"budget = {text!r}", allowed=allowed, fix=fix)


def _time(seconds: float) -> str:
    whole, rest = divmod(round(seconds * 10**DIGITS), 60 * 10**DIGITS)
    hours, minutes = divmod(whole, 60)
    counts = (hours, minutes, rest / 10**DIGITS)
    return "".join(f"{count:g}{unit}" for count, unit in zip(counts, UNITS) if count) or "0s"


def _scaled(tokens: int) -> str:
    scale = next(word for word, size in reversed(SCALES.items()) if tokens % size == 0)
    return f"{tokens // SCALES[scale]}{scale}"

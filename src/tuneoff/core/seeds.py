"""Named random streams: randomness is an argument, never global state.

stream(3, "order", epoch) is the same integer on every machine, and has nothing to do with stream(3, "init").
"""

import hashlib

__all__ = ["stream"]


def stream(seed: int, *names: object) -> int:
    """A 63-bit seed for one purpose, from the run's seed and the purpose's name."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

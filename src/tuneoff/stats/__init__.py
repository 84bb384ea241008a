"""Floor 1: intervals, comparisons with the best, power, sequential tests. Arrays in, named tuples out."""

from tuneoff.stats.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]

"""Floor 1: intervals, paired tests, multiple comparisons, the decision. Arrays in, named tuples out."""

"""Floor 4: the metric contract, answer reading, outcomes."""

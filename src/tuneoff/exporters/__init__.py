"""Plugin folder: one file per place that a winner can go to."""

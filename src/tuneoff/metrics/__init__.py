"""Plugin folder: one file per metric."""

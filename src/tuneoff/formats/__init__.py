"""Plugin folder: one file per data format."""

"""Plugin folder: one file per way to adapt a model."""

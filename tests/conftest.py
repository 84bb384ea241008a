"""Its place here puts tests/ on the import path, so that made_run.py can be shared."""

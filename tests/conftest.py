"""Its place here puts tests/ on the import path, so that made_run.py and tiny_arms.py can be shared."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny matrices: a second thread makes them ten times slower

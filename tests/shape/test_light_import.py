"""`import tuneoff` and `tuneoff --help` are there at once: nothing heavy is imported before it is used."""

import json
import subprocess
import sys

import pytest

from tiny_study import environment

HEAVY = (
    "torch",
    "transformers",
    "pandas",
    "scipy",
    "sklearn",
    "statsmodels",
    "plotly",
    "pyarrow",
    "datasets",
    "peft",
    "rich",
)
HELP = """
import sys
from tuneoff.cli.main import app
try:
    app(["--help"])
except SystemExit:
    pass
"""


def loaded(code: str) -> set[str]:
    """Names of the top-level packages that a fresh Python holds after running some code."""
    told = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{told}"], capture_output=True, text=True, env=environment(), check=True
    )
    return set(json.loads(done.stdout.strip().splitlines()[-1]))


@pytest.mark.parametrize(("code", "heavy"), [("import tuneoff", HEAVY), (HELP, HEAVY[:-1])], ids=["import", "--help"])
def test_nothing_heavy_is_loaded(code, heavy):
    # typer draws its help with rich, which is therefore allowed there
    assert loaded(code) & set(heavy) == set()


def test_the_probe_sees_a_heavy_import():
    assert "scipy" in loaded("import scipy")


def test_help_names_every_verb():
    done = subprocess.run(
        [sys.executable, "-m", "tuneoff", "--help"], capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0
    for verb in ("new", "plan", "run", "show", "report", "predict", "inspect", "explain"):
        assert f" {verb} " in done.stdout

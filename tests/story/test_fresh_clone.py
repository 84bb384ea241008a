"""A fresh clone on a machine with nothing installed: make sets everything up, and the command line answers."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEPT_OUT = shutil.ignore_patterns(".git", ".venv", "runs", "__pycache__", ".*_cache")


@pytest.mark.slow
def test_make_sets_up_and_the_doctor_answers(tmp_path):
    clone = shutil.copytree(ROOT, tmp_path / "clone", ignore=KEPT_OUT)
    environment = {key: value for key, value in os.environ.items() if key not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment["TUNEOFF_CACHE"] = str(tmp_path / "cache")

    def says(*command):
        done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    says("make", ".venv/.ready")
    assert "is up to date" in says("make", ".venv/.ready")
    facts = json.loads(says(".venv/bin/tuneoff", "doctor", "--json"))
    assert facts["models"] == {}
    assert facts["cache"] == str(tmp_path / "cache")

"""A whole study in seconds: a tiny random model, a small data file and a study file, all in one folder.

folder/model/        the tiny model, as load_model opens it
folder/data.jsonl    {"text": "x w v !! 17", "label": "good"}; the marks tell the label
folder/study.toml
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import tomli_w

LABELS = ("good", "bad")
SMALL = {"train_records": 24, "validation_records": 12, "test_records": 20}
QUICK = {"epochs": 1.0, "checks": 2}
NOTHING_BESIDE = {"serving": False, "retention": False, "rewordings": 0, "memorisation": False}


def rows(count: int = 120, seed: int = 0) -> list[dict[str, str]]:
    """Texts whose last mark but the number gives the label away, so that a classifier can learn it."""
    rng = random.Random(seed)
    return [_row(rng, at) for at in range(count)]


def _row(rng: random.Random, at: int) -> dict[str, str]:
    label = LABELS[at % 2]
    words = " ".join(rng.choice("xyzwv") for _ in range(rng.randint(2, 5)))
    return {"text": f"{words} {'!!' if label == 'good' else '??'} {at}", "label": label}


def put_rows(file: Path, tables: Sequence[Mapping[str, Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(table) + "\n" for table in tables), encoding="utf-8")
    return file


def table(arms: Sequence[Any] = ("zero_shot", "lora"), **more: Any) -> dict[str, Any]:
    """The study file as a table; `data` and `train` in `more` are added to the small ones. Nothing is measured beside
    quality unless `measure` is given."""
    whole = {"version": 1, "name": "tiny", "arms": list(arms), "seeds": 2, "model": {"name": "model"}, **more}
    whole["data"] = {"path": "data.jsonl", **SMALL, **more.get("data", {})}
    whole["train"] = {**QUICK, **more.get("train", {})}
    whole["measure"] = {"share": 1.0, **more.get("measure", NOTHING_BESIDE)}  # a race of a second has no time beside it
    return whole


def put_study(folder: Path, arms: Sequence[Any] = ("zero_shot", "lora"), **more: Any) -> Path:
    """Write study.toml; the data file too where there is none. Returns the study file."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "data.jsonl").exists():
        put_rows(folder / "data.jsonl", rows())
    (folder / "study.toml").write_text(tomli_w.dumps(table(arms, **more)), encoding="utf-8")
    return folder / "study.toml"


def put_model(folder: Path, **config: Any) -> Path:
    """A tiny model under folder/model. config: entries of config.json to change."""
    target = folder / "model"
    shutil.copytree(_saved_model(), target)
    if config:
        file = target / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return target


@cache
def _saved_model() -> Path:
    from tuneoff.models.tiny import save_tiny

    return save_tiny(Path(mkdtemp(prefix="tiny-model-")))


def tuneoff(folder: Path, *words: object, **more: Any) -> subprocess.CompletedProcess:
    """`tuneoff WORDS` in a process of its own, typed in `folder`. more: of the environment."""
    return subprocess.run(
        [sys.executable, "-m", "tuneoff", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
        env=environment(**more),
    )


def started(folder: Path, *words: object, **more: Any) -> subprocess.Popen:
    """The same, still running, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tuneoff", *map(str, words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=environment(**more),
        start_new_session=True,
        preexec_fn=_hears_ctrl_c,
    )


def _hears_ctrl_c() -> None:
    """A shell starts background jobs with SIGINT ignored, which children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def environment(**more: Any) -> dict[str, str]:
    """One thread, no network, wide lines, no colours."""
    fixed = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200", "NO_COLOR": "1"}
    return {**os.environ, **fixed, **{name: str(value) for name, value in more.items()}}


def job_rows(run: Path) -> list[dict[str, Any]]:
    """The jobs of a run's ledger as they stand now, read from outside; none where there is no ledger yet."""
    file = run / "ledger.sqlite"
    if not file.is_file():
        return []
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
    db.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in db.execute("select * from jobs order by rowid")]
    except sqlite3.OperationalError:
        return []  # the tables are not made yet
    finally:
        db.close()


def standings(run: Path) -> list[tuple]:
    """What must be the same however often a run was broken: arm, figures, seeds, records."""
    told = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    return [
        tuple(row[key] for key in ("arm", "mean", "low", "high", "seeds", "n_test", "validation", "status"))
        for row in told["standings"]
    ]

"""The three calls: compare() races, tune() trains one arm, load() opens what was left behind."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneoff.core.errors import ConfigError, StudyError
from tuneoff.core.files import write_text
from tuneoff.data.in_memory import tables_of
from tuneoff.engine.examples import TooLong
from tuneoff.models.int8 import check_int8
from tuneoff.study.asides import forget_asides
from tuneoff.study.bundle import save_tuned
from tuneoff.study.conduct import conduct, open_checked
from tuneoff.study.ground import make_folder
from tuneoff.study.plan import make_plan
from tuneoff.study.predict import open_ready
from tuneoff.study.ready import Ready, ReadyBaseline
from tuneoff.study.spec import StudySpec, read_spec
from tuneoff.study.steps import Watch
from tuneoff.study.verdict.judgement import Verdict
from tuneoff.study.work import Worker

__all__ = ["compare", "load", "tune"]

Rows = Iterable[Mapping[str, Any]]  # a DataFrame or a Dataset as well


def compare(
    data: str | Path | Rows,
    *,
    arms: Sequence[str] = ("zero_shot", "few_shot", "soft_prompt_after", "lora"),
    model: str = "smollm2-135m-instruct",
    instruction: str = "",
    seeds: int = 3,
    trials: int = 1,
    out: str | Path = "runs/compare",
    tables: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
    strict: bool = False,
    quick: bool = False,
) -> Verdict:
    """Race arms on data and return the verdict, which is also written into `out` with ledger and artifacts.

    data: a study file (then the other arguments but `out` are not used), a data file, or rows: a list of mappings, a
    pandas DataFrame or a datasets.Dataset, whose values become text as those of a file do.
    tables: further tables of the study file, such as {"data": {"answer": "team"}, "train": {"epochs": 3}}.
    strict: stop where something fails that nobody expected, instead of going on without it and flagging the verdict.
    quick: the race alone, without a recommendation before training and without latency, drift, robustness and
    memorisation. Called again with the same arguments it goes on, or returns what is there.
    """
    spec = _spec(
        data, arms=arms, model=model, instruction=instruction, seeds=seeds, trials=trials, out=out, tables=tables
    )
    study_file = Path(data) if _is_study(data) else None
    plan, asked = make_plan(spec), {"study_file": study_file, "strict": strict, "quick": quick}
    return conduct(plan, Path(out), lambda: open_checked(plan), watch, **asked)


def tune(
    data: str | Path | Rows,
    arm: str = "lora",
    *,
    model: str = "smollm2-135m-instruct",
    instruction: str = "",
    out: str | Path = "runs/tune",
    tables: Mapping[str, Any] | None = None,
) -> Ready:
    """Train one arm with one seed, keep its bundle in `out` (tuneoff.load opens it), and return it ready to answer."""
    make_folder(Path(out))
    spec = _spec(data, arms=[arm], model=model, instruction=instruction, seeds=1, trials=1, out=out, tables=tables)
    plan = make_plan(spec)
    named = plan.arm(arm)
    if named.baseline:
        raise ConfigError(f"{arm} needs no tuning", fix='name an arm with a model, such as "lora"')
    base = open_checked(plan)
    if plan.in_8_bits(named):
        check_int8(base)
    worker = Worker(plan, base, Path(out))
    job = plan.job(named, 0, 0, plan.ground(base.fingerprint))
    worker.fit(job)
    forget_asides(worker.folder, job)
    tuned = worker.tuned(job)
    save_tuned(tuned, Path(out), base)
    return Ready(tuned, base)


def load(
    folder: str | Path, arm: str = "", *, model: str | Path = "", too_long: TooLong | None = None
) -> Ready | ReadyBaseline:
    """Open a bundle's folder, or an arm of a run folder (the recommended one unless named), ready to answer.

    model: where the base model lies now, if it was moved; its fingerprint settles whether it is the same one.
    too_long: what becomes of a record longer than the model can read ("error", "truncate_left", "truncate_right"), if
    not what became of it in the study. Raises StudyError where the folder holds neither, or the model is not found.
    """
    return open_ready(Path(folder), arm, model=str(model), too_long=too_long)


def _spec(data, *, arms, model, instruction, seeds, trials, out, tables) -> StudySpec:
    if _is_study(data):
        return read_spec(Path(data))
    tables = dict(tables or {})
    path = str(data) if isinstance(data, str | Path) else _kept(data, Path(out))
    table = {
        "version": 1,
        "name": Path(out).name,
        "arms": list(arms),
        "seeds": seeds,
        "trials": trials,
        **tables,
        "model": {"name": model, **tables.get("model", {})},
        "data": {"path": path, **tables.get("data", {})},
        "prompt": {"instruction": instruction, **tables.get("prompt", {})},
        "folder": str(Path.cwd()),
    }
    return StudySpec.build(table, "compare(...)")


def _is_study(data) -> bool:
    return isinstance(data, str | Path) and str(data).endswith(".toml")


def _kept(rows: Rows, out: Path) -> str:
    """Rows given in memory, as a file of the run, so that it can be gone on with."""
    file = out.resolve() / "data.jsonl"
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in tables_of(rows))
    if file.is_file() and file.read_text(encoding="utf-8") != text:
        raise StudyError("this folder holds a run on other rows", where=out, fix="give out= another folder")
    write_text(file, text)
    return str(file)

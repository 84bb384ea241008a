"""Full curves of real jobs, put down once, so that judge and race can be replayed over them thousands of times.

    python -m benchmarks.record grid_emotion          writes benchmarks/recordings/grid_emotion/part-*

One row is one record's answer at one rung of one job, without its text:

    split       record        arm   trial  seed  rung  correct  p_right
    validation  3f09c1...     lora      2     0     3        1    0.871

`grid_emotion`: 4 methods x 4 settings x 3 seeds, 3 rungs of 128 validation records, then 200 test records.
`aa_emotion`, `aa_ag_news`: 24 seeds of one arm, 300 test records: copies of one arm, of which none is better.
The jobs' knobs, tokens and seconds stand in part-*.json. The texts are those of texts.py.
"""

import argparse
import json
import math
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # they import torch, which reads the number of threads from the environment that is set later
    from tuneoff.engine.learner import Trained
    from tuneoff.models.base import Base
    from tuneoff.study.arm import Job
    from tuneoff.study.plan import Plan

__all__ = ["HERE", "PART", "RECORDINGS", "Recipe", "plan_of", "record"]

HERE = Path(__file__).parent / "recordings"
PART = 6  # jobs in one file, and in one pass
COLUMNS = ("split", "record", "arm", "trial", "seed", "rung", "correct", "p_right")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What is recorded. source: a function of texts.py. train, validation, test: records."""

    source: str
    instruction: str
    arms: tuple[str, ...]
    trials: int
    seeds: int
    train: int
    validation: int
    test: int
    methods: dict
    checks: int

    def spec(self) -> dict:
        """As a study file."""
        return {
            "arms": list(self.arms),
            "trials": self.trials,
            "seeds": self.seeds,
            "data": {
                "path": "data.jsonl",
                "input": ["text"],
                "answer": "label",
                "train_records": self.train,
                "validation_records": self.validation,
                "test_records": self.test,
            },
            "prompt": {"instruction": self.instruction},
            "train": {"epochs": 1, "checks": self.checks},
            "methods": self.methods,
        }


METHODS = ("lora", "ia3", "soft_prompt", "soft_prompt_after")
TWEETS = {"source": "feelings", "instruction": "Which emotion does this tweet show?"}
NEWS = {"source": "news", "instruction": "What is the news about?"}
GRID = {"arms": METHODS, "trials": 4, "seeds": 3, "validation": 128, "test": 200, "checks": 3, "methods": {}}
COPIES = {"arms": ("soft_prompt_after",), "trials": 1, "seeds": 24, "validation": 24, "test": 300, "checks": 1}
SHORT = {"methods": {"soft_prompt_after": {"length": 8}}}
RECORDINGS = {
    "grid_emotion": Recipe(**TWEETS, **GRID, train=216),
    "aa_emotion": Recipe(**TWEETS, **COPIES, **SHORT, train=216),
    "aa_ag_news": Recipe(**NEWS, **COPIES, **SHORT, train=216),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record", description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=list(RECORDINGS))
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    record(RECORDINGS[asked.name], HERE / asked.name)


def record(recipe: Recipe, out: Path) -> None:
    """Do the jobs that have no part yet."""
    from tuneoff.study.conduct import open_base

    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        plan = plan_of(recipe, Path(folder))
        base = open_base(plan.spec)
        for number, jobs in enumerate(_parts(plan, base)):
            if not (out / f"part-{number:02}.json").exists():
                _write(_recorded(plan, base, Path(folder), jobs), out / f"part-{number:02}")
                print(f"part {number} is written", flush=True)


def plan_of(recipe: Recipe, folder: Path) -> "Plan":
    """The study that is recorded. folder: for its data file."""
    from benchmarks import texts
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import StudySpec

    _, records = getattr(texts, recipe.source)()
    some = records[: 2 * (recipe.train + recipe.validation + recipe.test)]
    rows = [json.dumps({"text": each.fields["text"], "label": each.target}) for each in some]
    (folder / "data.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return make_plan(StudySpec.build({**recipe.spec(), "folder": str(folder)}, where="recipe"))


def _parts(plan: "Plan", base: "Base") -> list[list["Job"]]:
    """The trained arms' jobs, one method after the other."""
    ground = plan.ground(base.fingerprint)
    jobs = [
        plan.job(arm, trial, seed, ground)
        for arm in plan.arms
        if arm.stages
        for trial in range(len(plan.settings[arm.name]))
        for seed in range(plan.spec.seeds)
    ]
    return [jobs[at : at + PART] for at in range(0, len(jobs), PART)]


def _recorded(plan: "Plan", base: "Base", folder: Path, jobs: Sequence["Job"]) -> tuple[list[tuple], list[dict]]:
    """Rows and costs of jobs that train in one pass."""
    from tuneoff.study.work import Worker

    class Recorder(Worker):
        """Keeps what it is told at every check, and answers the test set with the tensors of the best one."""

        def __init__(self, *given):
            super().__init__(*given)
            self.rows, self.costs, self.rungs = [], [], defaultdict(int)

        def _trainee(self, *given):
            return replace(super()._trainee(*given), raced=True)  # any seed may be a replay's first one

        def _metric_check(self, job, worn, examples):
            check = super()._metric_check(job, worn, examples)
            self.rungs[job.key] += 1
            self._keep(job, "validation", self._checked[job.key][-1])
            return check

        def _finish(self, job, tuned, curves):
            self._keep(job, "test", self._answers(tuned, self.plan.data.test).answers)
            self.costs.append(_cost(job, curves[0]))

        def _keep(self, job, split, answers):
            place = (job.arm.name, job.trial, job.seed, self.rungs[job.key])
            for example, answer in zip(getattr(self.plan.data, split), answers):
                right = int(answer.text == example.target)
                self.rows.append((split, example.id, *place, right, math.exp(-answer.nll)))

    recorder = Recorder(plan, base, folder)
    for _ in recorder.fit_together(jobs, tick=_told()):
        pass
    return recorder.rows, recorder.costs


def _cost(job: "Job", curve: "Trained") -> dict:
    return {
        "arm": job.arm.name,
        "trial": job.trial,
        "seed": job.seed,
        "knobs": job.settings,
        "train_tokens": curve.tokens,
        "train_s": round(curve.seconds, 2),
        "steps": [point.step for point in curve.points],
        "records": [point.records for point in curve.points],
    }


def _told():
    return lambda step, steps, value: value is not None and print(f"step {step} of {steps}: {value:.3f}", flush=True)


def _write(recorded: tuple[list[tuple], list[dict]], part: Path) -> None:
    """The rows, then the costs, whose file says that the part is whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, costs = recorded
    table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(COLUMNS)})
    small = {"trial": pa.int8(), "seed": pa.int8(), "rung": pa.int8(), "correct": pa.int8(), "p_right": pa.float32()}
    for name, kind in small.items():
        table = table.set_column(COLUMNS.index(name), name, table[name].cast(kind))
    pq.write_table(table, part.with_suffix(".parquet"), compression="zstd")
    part.with_suffix(".json").write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

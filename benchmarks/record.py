"""Full curves of real jobs, put down once, so that judge and race can be replayed over them thousands of times.

    python -m benchmarks.record grid_emotion          writes benchmarks/recordings/grid_emotion/part-*.parquet

One row is one record's answer at one rung of one job, without its text:

    split       record        arm   trial  seed  rung  correct  p_right
    validation  3f09c1...     lora      2     0     3        1    0.871

`grid_emotion`: 4 methods x 4 settings x 3 seeds, 6 rungs of 128 validation records, then 200 test records.
`aa_emotion`, `aa_ag_news`: 24 seeds of one arm, 300 test records: copies of one arm, of which none is better.
The jobs' costs stand in jobs.json beside the parts. Needs the data sets that texts.py reads; nothing is drawn by hand.
"""

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tuneoff.core.cost import Cost

__all__ = ["RECORDINGS", "Recipe"]

HERE = Path(__file__).parent / "recordings"
PART = 12  # jobs in one file


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What is recorded: `source` names a function of texts.py."""

    source: str
    arms: tuple[str, ...]
    trials: int
    seeds: int
    train: int
    validation: int
    test: int
    steps: int
    instruction: str
    methods: dict
    rungs: tuple[float, ...] = (1.0,)
    batch_size: int = 8


METHODS = ("lora", "ia3", "soft_prompt", "soft_prompt_after")
SIX = (1 / 9, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)
FEELING = "Which emotion does this tweet show?"
SAME = {"source": "feelings", "instruction": FEELING, "train": 216, "validation": 128}
COPIES = {"arms": ("soft_prompt_after",), "trials": 1, "seeds": 24, "test": 300, "train": 216, "validation": 24}
SHORT = {"soft_prompt_after": {"length": 8}}
RECORDINGS = {
    "grid_emotion": Recipe(**SAME, arms=METHODS, trials=4, seeds=3, test=200, steps=27, rungs=SIX, methods={}),
    "aa_emotion": Recipe(**COPIES, source="feelings", instruction=FEELING, steps=27, methods=SHORT),
    "aa_ag_news": Recipe(**COPIES, source="news", instruction="What is the news about?", steps=27, methods=SHORT),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record", description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=list(RECORDINGS))
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    record(asked.name, RECORDINGS[asked.name])


def record(name: str, recipe: Recipe) -> None:
    """Do the jobs that have no part yet; a part is written whole or not at all."""
    from tuneoff.study.conduct import open_base

    out = HERE / name
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        plan = _plan(recipe, Path(folder))
        base = open_base(plan.spec)
        worker = _recorder(plan, base, Path(folder))
        for number, jobs in enumerate(_parts(plan, base)):
            path = out / f"part-{number:02}.parquet"
            if not path.exists():
                costs = worker.record(jobs, path)
                (out / f"part-{number:02}.json").write_text(json.dumps(costs, indent=1) + "\n")


def _plan(recipe: Recipe, folder: Path):
    from benchmarks import texts
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import StudySpec

    source, records = getattr(texts, recipe.source)()
    wanted = recipe.train + recipe.validation + recipe.test
    rows = [{"text": each.fields["text"], "label": each.target} for each in records[: 2 * wanted]]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{source}: {len(rows)} records", flush=True)
    spec = StudySpec.build(
        {
            "folder": str(folder),
            "arms": [a for a in recipe.arms if a not in ("majority", "tfidf")],
            "trials": recipe.trials,
            "seeds": recipe.seeds,
            "data": {
                "path": "data.jsonl",
                "input": ["text"],
                "answer": "label",
                "train_records": recipe.train,
                "validation_records": recipe.validation,
                "test_records": recipe.test,
            },
            "prompt": {"instruction": recipe.instruction},
            "train": {"epochs": recipe.steps * recipe.batch_size / recipe.train, "batch_size": recipe.batch_size},
            "methods": recipe.methods,
        },
        where="recipe",
    )
    made = make_plan(spec)
    return replace(made, schedule=_at_rungs(made.schedule, recipe.rungs))


def _at_rungs(schedule, rungs: Sequence[float]):
    class AtRungs(type(schedule)):
        def check_steps(self, records: int) -> list[int]:
            return sorted({max(1, round(self.steps(records) * share)) for share in rungs})

    return AtRungs(**asdict(schedule))


def _parts(plan, base) -> list[list]:
    """Jobs in files of equal size, one method after the other."""
    ground = plan.ground(base.fingerprint)
    jobs = [
        plan.job(arm, trial, seed, ground)
        for arm in plan.arms
        if arm.stages
        for trial in range(len(plan.settings[arm.name]))
        for seed in range(plan.spec.seeds)
    ]
    return [jobs[at : at + PART] for at in range(0, len(jobs), PART)]


def _recorder(plan, base, folder: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tuneoff.evaluation.run import answer_examples
    from tuneoff.study.work import Worker, tensors_of, train

    class Recorder(Worker):
        """A worker that keeps what each record's answer was at each check."""

        def __init__(self, *given):
            super().__init__(*given)
            self.seen = defaultdict(list)

        def _lesson(self, job, stage, prompt, worn):
            validation = self.encode(prompt, self.plan.data.validation, worn.taken)

            def check():
                answers = answer_examples(worn, self.task, validation, cache=self.cache)
                self.seen[job.key].append(("validation", validation, answers))
                return self._pooled(validation, answers)

            return self.encode(prompt, self._unseen(prompt), worn.taken), check

        def _pooled(self, examples, answers):
            from tuneoff.engine.learner import Check

            right = [answer.text == example.record.target for answer, example in zip(answers, examples)]
            return Check(sum(right) / len(right), -sum(answer.nll for answer in answers) / len(answers))

        def record(self, jobs, path: Path) -> list[dict]:
            untuned = [self._untuned(job) for job in jobs]
            learning = [self._fresh(job, 0, job.arm.stages[0]) for job in jobs]
            trainees = [
                replace(self._trainee(job, 0, before, adapters, {}), aside=None)
                for job, before, adapters in zip(jobs, untuned, learning)
            ]
            curves = train(trainees, self.plan.schedule, cache=self.cache, tick=self.tick)
            rows, costs = [], []
            for job, before, trainee, curve in zip(jobs, untuned, trainees, curves):
                with trainee.worn as worn:
                    test = self.encode(before.prompt, self.plan.data.test, worn.taken)
                    self.seen[job.key].append(("test", test, answer_examples(worn, self.task, test, cache=self.cache)))
                rows += self._rows(job, self.seen.pop(job.key))
                costs.append(
                    {
                        "arm": job.arm.name,
                        "trial": job.trial,
                        "seed": job.seed,
                        "knobs": job.settings,
                        "train_tokens": curve.tokens,
                        "train_s": round(curve.seconds, 2),
                        "steps": [point.step for point in curve.points],
                        "records": [point.records for point in curve.points],
                        "best_rung": curve.points.index(curve.best) + 1,
                    }
                )
                print(costs[-1], flush=True)
            columns = ("split", "record", "arm", "trial", "seed", "rung", "correct", "p_right")
            table = pa.table({name: [row[at] for row in rows] for at, name in enumerate(columns)})
            table = table.set_column(7, "p_right", table["p_right"].cast(pa.float32()))
            pq.write_table(table, path, compression="zstd")
            return costs

        def _rows(self, job, seen):
            import math

            place = (job.arm.name, job.trial, job.seed)
            for rung, (split, examples, answers) in enumerate(seen, 1):
                at = rung if split == "validation" else rung - 1
                for example, answer in zip(examples, answers):
                    right = int(answer.text == example.record.target)
                    yield (split, example.record.id, *place, at, right, math.exp(-answer.nll))

        def tick(self, step, steps, value):
            if value is not None:
                print(f"step {step} of {steps}: {value:.3f}", flush=True)

    return Recorder(plan, base, folder)


if __name__ == "__main__":
    main()

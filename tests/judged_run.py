"""A run of which only the ledger is there: arms whose outcomes a test knows, and the verdict on them."""

import numpy as np

from tuneoff.core.cost import Cost
from tuneoff.data.task import Task
from tuneoff.study.outcome import AxisRow, JobRow, Outcome
from tuneoff.study.spec import DecisionSpec
from tuneoff.study.store import Ledger
from tuneoff.study.traits import Traits
from tuneoff.study.verdict.judge import judge

TASK = Task(name="tickets", kind="choice", labels=("no", "yes"))
TUNED = {"uses_weights": True, "trains": True, "tuned": True, "random": True}
TRAITS = {
    "majority": Traits(family="baseline", needs_model=False),
    "tfidf": Traits(family="baseline", needs_model=False),
    "zero_shot": Traits(family="prompting"),
    "few_shot": Traits(family="prompting"),
    "linear_probe": Traits(family="probing", uses_weights=True),
    "lora": Traits(family="peft", **TUNED),
    "dora": Traits(family="peft", **TUNED),
    "soft_prompt": Traits(family="prompt tuning", **TUNED),
}
TOKENS = {"majority": 0.0, "tfidf": 0.0, "zero_shot": 40.0, "few_shot": 300.0}
RECORDS = 200


class Run:
    """A ledger that tests write arms into. judge it with `verdict`, which takes the [decision] table as a dict."""

    def __init__(self, folder, records=RECORDS):
        self.ledger = Ledger(folder / "ledger.db", create=True)
        self.ledger._db.execute("pragma synchronous = off")  # nothing of it must outlive a power cut
        self.records = records
        self.arms = []

    def job(self, arm, seed=0, trial=0):
        if arm not in self.arms:
            self.arms.append(arm)
        key = f"{arm}/{trial}/{seed}"
        self.ledger.add_job(
            JobRow(key=key, arm=arm, trial=trial, seed=seed, status="planned", folder=f"artifacts/{key}")
        )
        return key

    def arm(
        self,
        name,
        right,
        *,
        seeds=1,
        answers=None,
        validation=None,
        unscored=(),
        cost=None,
        metric="accuracy",
        trial=0,
        progress=None,
    ):
        """right: [seeds][records] scores, or a share that is right on the first records. progress: of every seed, or
        a list."""
        matrix = self._matrix(right, seeds)
        for seed, scores in enumerate(matrix):
            key = self.job(name, seed, trial)
            price = cost or Cost(prompt_tokens=TOKENS.get(name, 45.0), artifact_bytes=1000, train_s=10.0)
            told = progress[seed] if isinstance(progress, list) else progress
            self.ledger.finish(key, price, _checked(key, metric, validation[seed]) if validation else [], told)
            rows = [
                Outcome(
                    job=key,
                    record=f"r{at:04}",
                    metric=metric,
                    split="test",
                    stats=None if at in unscored else tuple(np.atleast_1d(score).tolist()),
                    why="grader timed out" if at in unscored else "",
                    answer=answers[at] if answers else str(at % 2),
                )
                for at, score in enumerate(scores)
            ]
            self.ledger.finish_test(key, price, rows)

    def axis(self, arm, name, value, seed=0):
        """A figure beside quality."""
        self.ledger.add_axes([AxisRow(job=f"{arm}/0/{seed}", name=name, value=value)])

    def _matrix(self, right, seeds):
        if np.isscalar(right):
            return [[float(at < right * self.records) for at in range(self.records)]] * seeds
        return right

    def verdict(self, decision=None, **other):
        settings = {
            "metric": "accuracy",
            "others": (),
            "task": TASK,
            "traits": TRAITS,
            "margin": 0.01,
            "decision": DecisionSpec(**(decision or {})),
            "study": "tickets",
            "arms": self.arms,
        }
        return judge(self.ledger, **{**settings, **other})


def _checked(key, metric, value):
    return [Outcome(job=key, record="v", metric=metric, split="validation", stats=(value,))]

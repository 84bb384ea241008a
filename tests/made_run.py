"""A finished run made by hand: four arms of which one failed, three seeds, six validation records."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from tuneoff.core.cost import Cost
from tuneoff.report.folder import LEDGER, VERDICT
from tuneoff.study.outcome import JobRow, Outcome, Point, Progress
from tuneoff.study.store import Ledger
from tuneoff.study.verdict.judgement import Change, Contrast, Standing, Verdict

FLAT = Progress(state="flat", gain=0.0, upper=0.004, steps=4)
IMPROVING = Progress(state="improving", gain=0.05, upper=0.06, steps=4, more_steps=120, more_s=240.0)
NASTY = "<script>alert('owned')</script>"

TUNED = {"uses_weights": True, "trains": True, "tuned": True, "random": True}
COSTS = {
    "lora": Cost(trainable=921_600, train_s=200.0, artifact_bytes=3_700_000, prompt_tokens=31.0, peak_bytes=10**9),
    "few_shot": Cost(artifact_bytes=2_000, prompt_tokens=310.0),
    "zero_shot": Cost(artifact_bytes=300, prompt_tokens=31.0),
}
ANSWERS = {
    "lora": ["joy", "joy", "anger", "anger", "joy", "anger"],
    "few_shot": ["joy", "anger", "anger", "joy", "joy", "anger"],
    "zero_shot": ["joy", "joy", "joy", "joy", "joy", "anger"],
}
RIGHT = ["joy", "joy", "anger", "anger", "joy", "anger"]
TEXTS = {f"record{at}": (f"tweet number {at} {NASTY}", right) for at, right in enumerate(RIGHT)}


def standing(arm: str, mean: float | None, **more) -> Standing:
    low, high = (None, None) if mean is None else (mean - 0.04, mean + 0.04)
    row = {"family": "prompting", "metric": "accuracy", "n_test": 150, "seeds": 3, "low": low, "high": high}
    cost = COSTS[arm].as_dict() if arm in COSTS else {}
    return Standing(**{**row, "arm": arm, "mean": mean, "cost": cost, **more})


def verdict(**more) -> Verdict:
    rows = (
        standing("lora", 0.812, family="peft", **TUNED, artifact_mean=0.82, validation=0.8, others={"macro_f1": 0.79}),
        standing("few_shot", 0.741, validation=0.7, seed_spread="unknown", others={"macro_f1": 0.7}),
        standing("zero_shot", 0.603, validation=0.6, seeds=1, unreadable=0.05),
        standing(
            "full", None, family="full fine-tuning", **TUNED, status="failed", why="out of memory at the first step"
        ),
    )
    contrasts = (
        Contrast(a="lora", b="few_shot", diff=0.071, low=0.02, high=0.122, p=0.004, p_adjusted=0.012, different=True,
                 kind="different"),
        Contrast(a="few_shot", b="zero_shot", diff=0.138, low=-0.01, high=0.2, p=0.06, p_adjusted=0.06, different=False,
                 more_records=140, note="about 140 more test records would settle it"),
    )  # fmt: skip
    table = {
        "metric": "accuracy",
        "winners": ("lora",),
        "recommended": "lora",
        "standings": rows,
        "contrasts": contrasts,
        "answer": "lora wins: accuracy 81.2 % (95 % interval 77.2 to 85.2 %).",
        "reasons": ("Tuning pays.", "Recommended: lora. No other arm matches it."),
        "caveats": ("Measured on 150 test records.",),
        "study": "tweets <b>& feelings</b>",
        "test_opened": 1,
        "changes": (
            Change(kind="price", arm="zero_shot", axis="serving", low=1.5, sure=True),
            Change(kind="left out", detail="the second and third seed of full"),
        ),
        "facts": {
            "kind": "choice",
            "up": True,
            "margin": 0.01,
            "compared": ["lora", "few_shot", "zero_shot"],
            "constant": {},
            "smallest_visible": 0.05,
            "decision": {"cost": "serving", "prefer": "cheapest", "limits": {}, "weights": {}},
            "unchecked": {},
            "front": ["lora"],
            "trials": {"peft": {"lora": 1}, "prompting": {"few_shot": 2, "zero_shot": 1}},
            "sizes": {},
            "data": {"train": 500, "labels": {"joy": 300, NASTY: 200}},
            "model": "tiny",
            "gpu": None,
        },
    }
    return _that_fits(Verdict(**{**table, **more}))


def _that_fits(made: Verdict) -> Verdict:
    """Without what is said of arms that a test has left out."""
    arms = {row.arm for row in made.standings if row.mean is not None}
    changes = tuple(one for one in made.changes if one.kind == "left out" or {one.arm, made.recommended} <= arms)
    front = [arm for arm in made.facts["front"] if arm in arms]
    return replace(made, changes=changes, facts={**made.facts, "front": front})


def unfinished(folder: Path) -> Path:
    """A run folder with jobs in every state and no verdict."""
    ledger = Ledger(folder / LEDGER, create=True)
    for arm in ANSWERS:
        for seed in range(3 if arm == "lora" else 1):
            ledger.add_job(JobRow(key=f"{arm}-{seed}", arm=arm, trial=0, seed=seed, status="planned"))
    ledger.start("lora-0")
    ledger.finish("lora-0", COSTS["lora"], [])
    ledger.start("lora-1")
    ledger.fail("few_shot-0", "the disk was full")
    ledger.close()
    return folder


def finished(folder: Path, judged: Verdict | None = None, early: bool = False) -> Path:
    """A run folder with its ledger and its verdict. early: the trained arm stopped before its curve was flat."""
    ledger = Ledger(folder / LEDGER, create=True)
    for arm, answers in ANSWERS.items():
        for seed in range(3 if arm == "lora" else 1):
            _job(ledger, arm, seed, answers, IMPROVING if early else FLAT)
    ledger.add_job(JobRow(key="full-0", arm="full", trial=0, seed=0, status="planned"))
    ledger.fail("full-0", "out of memory at the first step")
    ledger.close()
    (folder / VERDICT).write_text(json.dumps(asdict(judged or verdict())), encoding="utf-8")
    return folder


def _job(ledger: Ledger, arm: str, seed: int, answers: list[str], ended: Progress) -> None:
    key = f"{arm}-{seed}"
    ledger.add_job(JobRow(key=key, arm=arm, trial=0, seed=seed, status="planned"))
    ledger.start(key)
    checked = [_outcome(key, "validation", at, said) for at, said in enumerate(answers)]
    ledger.finish(key, COSTS[arm], checked, ended if arm == "lora" else None)
    ledger.finish_test(key, COSTS[arm], [_outcome(key, "test", 90 + at, said) for at, said in enumerate(answers)])
    if arm == "lora":
        for step, (loss, value) in enumerate([(1.4, 0.5), (0.9, 0.7 + 0.01 * seed), (0.7, None), (0.6, 0.8)], start=1):
            _point(ledger, key, step, loss, value)


def _point(ledger: Ledger, job: str, step: int, loss: float, value: float | None) -> None:
    seen = {"records": 125 * step, "likelihood": 0.2 * step, "seconds": 9.0 * step}
    ledger.add_point(Point(job=job, step=step, train_loss=loss, value=value, **seen))


def _outcome(job: str, split: str, at: int, said: str) -> Outcome:
    right = RIGHT[at % len(RIGHT)]
    return Outcome(
        job=job, record=f"record{at}", metric="accuracy", split=split, stats=(float(said == right),), answer=said
    )

"""Whether readable labels and an instruction that names the task help a prompt: python -m benchmarks.label_words

    {"set": "emotion", "labels": "codes", "instruction": "plain", "arm": "few_shot", "accuracy": [30.0, 23.8]}

Untuned prompts alone, on 80 validation records; several figures are several draws of demonstrations.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from benchmarks.hand_tuned import DATA
from tuneoff.models.base import Base
from tuneoff.study.conduct import open_checked
from tuneoff.study.plan import Plan, make_plan
from tuneoff.study.spec import StudySpec
from tuneoff.study.work import Worker

__all__ = ["SETS", "Labelled", "figures"]

SIZES = {"train_records": 160, "validation_records": 80, "test_records": 50}
DRAWS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """A public set. names: readable name by the label of the data; codes: likewise, what a program would write."""

    files: dict[str, str]
    codes: dict[str, str]
    names: dict[str, str]
    plain: str
    telling: str


def _own(labels: str) -> dict[str, str]:
    return {label: label for label in labels.split()}


INTENTS = {
    "AddToPlaylist": "add to playlist", "BookRestaurant": "book restaurant", "GetWeather": "get weather",
    "PlayMusic": "play music", "RateBook": "rate book", "SearchCreativeWork": "search creative work",
    "SearchScreeningEvent": "search screening event",
}  # fmt: skip
SETS = {
    "snips": Labelled(
        files={"train": "snips/train.jsonl.gz", "test": "snips/test.jsonl"},
        codes=_own(" ".join(INTENTS)),
        names=INTENTS,
        plain="Which label of snips fits the text?",
        telling="Which intent does the text express?",
    ),
    "emotion": Labelled(
        files={split: f"tweet_eval/emotion_{word}.jsonl" for split, word in
               {"train": "train", "validation": "val", "test": "test"}.items()},
        codes={"anger": "ANG", "joy": "JOY", "optimism": "OPT", "sadness": "SAD"},
        names=_own("anger joy optimism sadness"),
        plain="Which label fits the text?",
        telling="Which emotion does the text express?",
    ),
    "csabstruct": Labelled(
        files={name: f"csabstruct/{file}" for name, file in
               {"train": "train.jsonl.gz", "validation": "dev.jsonl", "test": "test.jsonl"}.items()},
        codes={"background": "BG", "method": "METH", "objective": "OBJ", "other": "OTH", "result": "RES"},
        names=_own("background method objective other result"),
        plain="Which label of csabstruct fits the text?",
        telling="Which part of a scientific abstract is the text?",
    ),
}  # fmt: skip


def figures(name: str, folder: Path, model: str, draws: int = DRAWS) -> Iterator[dict]:
    """Four conditions of a set, each arm a line. The model is opened once."""
    given, base = SETS[name], None
    for labels in ("codes", "names"):
        for instruction in ("plain", "telling"):
            plan = _plan(given, getattr(given, labels), getattr(given, instruction), folder, model)
            base = base or open_checked(plan)
            for arm, accuracy in _accuracies(plan, base, draws):
                yield {"set": name, "labels": labels, "instruction": instruction, "arm": arm, "accuracy": accuracy}


def _plan(given: Labelled, labels: dict[str, str], instruction: str, folder: Path, model: str) -> Plan:
    files = {split: str(folder / file) for split, file in given.files.items()}
    data = {**files, **SIZES, "input": ["text"], "answer": "label", "kind": "choice", "labels": labels}
    table = {
        "arms": ["zero_shot", "few_shot"],
        "model": {"name": model, "dtype": "bfloat16"},
        "data": data,
        "prompt": {"instruction": instruction},
    }
    return make_plan(StudySpec.build({"version": 1, **table}, "label_words"))


def _accuracies(plan: Plan, base: Base, draws: int) -> Iterator[tuple[str, list[float]]]:
    with TemporaryDirectory() as folder:
        worker = Worker(plan, base, Path(folder))
        for arm in (arm for arm in plan.arms if arm.prompt):
            jobs = [plan.job(arm, 0, seed, plan.ground(base.fingerprint)) for seed in range(draws if arm.random else 1)]
            yield arm.name, [_accuracy(worker.fit(job).outcomes) for job in jobs]


def _accuracy(outcomes) -> float:
    return round(100 * fmean(each.stats[0] for each in outcomes if each.metric == "accuracy"), 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_words", description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=list(SETS), help=", ".join(SETS))
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the public sets")
    parser.add_argument("--model", default="smollm2-135m-instruct")
    asked = parser.parse_args()
    for name in asked.sets:
        for line in figures(name, asked.data, asked.model):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

"""Default settings by measurement: what each prompt and each training setting reaches on validation records.

    python -m benchmarks.recipes prompting --data FOLDER
    python -m benchmarks.recipes lora --data FOLDER --sets emotion ag_news --model gemma3-270m

One run is one JSON line in recordings/recipes/PART.jsonl, and what stands there is not run again:

    {"part": "lora", "model": "smollm2-135m-instruct", "set": "emotion", "knobs": {"lr": 0.002}, "size": 8, ...
     "accuracy": 0.71, "nll": 0.82, "curve": [[20, 0.55, 1.1], ...]}

accuracy and nll (of the right answer, over the labels, in nats) are those of the check that was likeliest.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Lines"]

HERE = Path(__file__).parent / "recordings" / "recipes"


class Lines:
    """The runs of one part that are done. A run is told from others by what was asked of it."""

    def __init__(self, part: str):
        self.path = HERE / f"{part}.jsonl"
        self.done = {_asked_of(line) for line in self._lines()}

    def missing(self, asked: dict) -> bool:
        return json.dumps(asked, sort_keys=True) not in self.done

    def add(self, asked: dict, reached: dict) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"asked": asked, **reached}) + "\n")
        self.done.add(json.dumps(asked, sort_keys=True))

    def _lines(self) -> Iterator[dict]:
        if self.path.is_file():
            yield from map(json.loads, self.path.read_text(encoding="utf-8").splitlines())


def _asked_of(line: dict) -> str:
    return json.dumps(line["asked"], sort_keys=True)


def main() -> None:
    """Threads are set before torch is imported, which reads them once."""
    from benchmarks.recipe_grids import GRIDS
    from benchmarks.recipe_sets import SETS

    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="+", choices=["prompting", *GRIDS], help="ways of asking, or grids of settings")
    parser.add_argument("--data", type=Path, required=True, help="the folder of the public sets")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--model", default="smollm2-135m-instruct")
    asked = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from tuneoff.core.errors import TuneoffError

    try:
        _run(asked)
    except TuneoffError as error:
        sys.exit(str(error))


def _run(asked: argparse.Namespace) -> None:
    import torch

    from benchmarks.recipe_prompting import prompting
    from benchmarks.recipe_sets import SETS
    from benchmarks.recipe_training import training
    from tuneoff.models.load import load_model

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    base = load_model(asked.model, dtype="bfloat16").base()
    for part in asked.parts:
        lines = Lines(part)
        for name in asked.sets:
            sample = SETS[name].sample(name, asked.data)
            if part == "prompting":
                prompting(base, asked.model, name, sample, lines)
            else:
                training(base, asked.model, part, name, sample, lines)


if __name__ == "__main__":
    main()

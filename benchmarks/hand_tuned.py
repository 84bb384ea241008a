"""Ours at its defaults against a loop that a competent person writes and tunes by hand, on the same records.

    python -m benchmarks hand_tuned                              all sets, both sides
    python -m benchmarks hand_tuned --sets snips --side theirs   a part of it

`theirs` (hand_tuned_theirs.py) is searched by hand: LoRA at three rates for 8 epochs and the best rate for 16, with
label words and with a classification head; prompt tuning at four rates for 16 epochs, and on to further rates where
the best one stands at an end; the best of each on validation (then by its loss) is judged on the test. `ours`
(hand_tuned_ours.py) is a study as `tuneoff new` writes it: with three seeds of its defaults, with the budget that it
writes, and with their time.

Every finished run is one line of recordings/hand_tuned/MODEL/SET.jsonl, written before the next one starts; a run
whose line is there is not made again. One JSON line a set is printed: see `line_of` in hand_tuned_line.py. The sets
of `HELD_OUT` in hand_tuned_sets.py are not used to find recipes.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.hand_tuned_ours import RUNS
from benchmarks.hand_tuned_sets import SETS, Drawn, drawn

if TYPE_CHECKING:  # they import torch, which reads the number of threads from the environment that is set later
    from benchmarks.hand_tuned_theirs import Setting

__all__ = ["Results", "better", "main", "prompt_tuning", "searched_lora", "theirs"]

HERE = Path(__file__).parent / "recordings" / "hand_tuned"
DATA = Path(__file__).parents[2] / "shared" / "data"
MODEL = "smollm2-135m-instruct"
HEADS, LORA_RATES, LORA_EPOCHS = ("labels", "classifier"), (2e-4, 5e-4, 1e-3), (8, 16)
SOFT_RATES, SOFT_EPOCHS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0), 16
FIRST, LAST = 2, 5  # of SOFT_RATES; the others are tried where the best one stands at an end
FASTER = 1.5  # a processor computes in bfloat16 where that is so many times as fast

Line = dict[str, Any]
Make = Callable[["Setting"], Line]


class Results:
    """The lines of one set and model. common: what stands in each line, and has to be equal for it to count."""

    def __init__(self, path: Path, common: Line):
        self.path, self.common = path, common

    def lines(self, **wanted: object) -> list[Line]:
        """The finished runs that agree with all that is wanted."""
        if not self.path.exists():
            return []
        rows = [json.loads(row) for row in self.path.read_text(encoding="utf-8").splitlines()]
        wanted = {**self.common, **wanted}
        return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]

    def add(self, line: Line) -> Line:
        """Put it down, on the disk before this returns."""
        line = {**self.common, **line}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return line


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line, do what is not done, print a line for each set of which both sides are there."""
    asked = _asked(words)
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(asked.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from tuneoff.core.errors import TuneoffError

    try:
        for line in _lines(asked):
            print(json.dumps(line), flush=True)
    except TuneoffError as error:
        sys.exit(str(error))


def _asked(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks hand_tuned", description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--side", choices=["theirs", "ours", "both", "none"], default="both", help="none: lines alone")
    parser.add_argument("--methods", nargs="+", choices=["lora", "prompt_tuning"], default=["lora", "prompt_tuning"])
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=RUNS, help="of ours")
    parser.add_argument("--seeds", type=int, default=1, help="of the best setting of theirs")
    parser.add_argument("--model", default=MODEL, help="a model's name or folder")
    parser.add_argument(
        "--dtype", choices=["auto", "bfloat16", "float32"], default="auto", help="of the frozen weights"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of the public sets")
    parser.add_argument("--out", type=Path, default=HERE, help="where the results are kept")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(words)


def _lines(asked: argparse.Namespace) -> Iterator[Line]:
    import torch

    from benchmarks.hand_tuned_line import line_of
    from benchmarks.hand_tuned_ours import ours

    torch.set_num_threads(asked.threads)
    torch.set_flush_denormal(True)
    dtype = _fast_dtype() if asked.dtype == "auto" else asked.dtype
    for name in asked.sets:
        data = drawn(name, asked.data)
        common = {"set": name, "records": data.key, "model": asked.model, "dtype": dtype}
        results = Results(asked.out / Path(asked.model).name / f"{name}.jsonl", common)
        if asked.side in ("theirs", "both"):
            theirs(results, _maker(data, asked.model, dtype), asked.methods, asked.seeds)
        if asked.side in ("ours", "both"):
            ours(results, data, asked.runs)
        if line := line_of(results, data):
            yield line


def theirs(results: Results, make: Make, methods: Sequence[str], seeds: int) -> None:
    """Everything of their side that has no line yet."""

    def finished(setting: "Setting") -> Line:
        from dataclasses import asdict

        done = results.lines(side="theirs", **asdict(setting))
        return done[0] if done else _told(results.add({"side": "theirs", **make(setting)}))

    for method in methods:
        best = {"lora": searched_lora, "prompt_tuning": prompt_tuning}[method](finished)
        for seed in range(1, seeds):
            finished(_setting(best, seed=seed))


def searched_lora(finished: Make) -> Line:
    """The best line of LoRA."""
    from benchmarks.hand_tuned_theirs import Setting

    short, long = LORA_EPOCHS
    lines = []
    for head in HEADS:
        lines += (some := [finished(Setting("lora", head, rate, short)) for rate in LORA_RATES])
        lines.append(finished(_setting(max(some, key=better), epochs=long)))
    return max(lines, key=better)


def prompt_tuning(finished: Make) -> Line:
    """The best line of prompt tuning."""
    from benchmarks.hand_tuned_theirs import Setting

    first, last = FIRST, LAST
    while True:
        rates = SOFT_RATES[first : last + 1]
        lines = [finished(Setting("prompt_tuning", "labels", rate, SOFT_EPOCHS)) for rate in rates]
        best = max(lines, key=better)
        if best["rate"] == rates[0] and first > 0:
            first -= 1
        elif best["rate"] == rates[-1] and last < len(SOFT_RATES) - 1:
            last += 1
        else:
            return best


def better(line: Line) -> tuple[float, float]:
    """The more, the better: accuracy on validation, then its loss."""
    return line["validation_accuracy"], -line["validation_loss"]


def _setting(line: Line, **changed: object) -> "Setting":
    from dataclasses import fields

    from benchmarks.hand_tuned_theirs import Setting

    return Setting(**{each.name: line[each.name] for each in fields(Setting)} | changed)


def _maker(data: Drawn, model: str, dtype: str) -> Make:
    import torch

    from benchmarks.hand_tuned_theirs import run
    from tuneoff.models.find import find_model

    folder = find_model(model, Path.cwd()).folder
    return lambda setting: run(setting, data, folder, getattr(torch, dtype))


def _told(line: Line) -> Line:
    shown = (
        "set",
        "method",
        "head",
        "rate",
        "epochs",
        "seed",
        "validation_accuracy",
        "validation_loss",
        "test_accuracy",
    )
    print(time.strftime("%H:%M:%S"), *(line[name] for name in shown), f"{line['all_s']} s", file=sys.stderr, flush=True)
    return line


def _fast_dtype() -> str:
    """bfloat16 where this processor has units for it."""
    import torch

    def seconds(dtype: torch.dtype) -> float:
        x, weight = torch.ones(128, 576, dtype=dtype), torch.ones(1536, 576, dtype=dtype)
        runs = []
        for _ in range(6):
            began = time.perf_counter()
            torch.nn.functional.linear(x, weight)
            runs.append(time.perf_counter() - began)
        return min(runs)

    return "bfloat16" if seconds(torch.float32) > FASTER * seconds(torch.bfloat16) else "float32"


if __name__ == "__main__":
    main()

"""The recordings of recipes.py as Markdown tables: one row a setting, one column a set, the mean over the sets last.

    python -m benchmarks.recipe_table prompting
    python -m benchmarks.recipe_table lora --model smollm2-135m-instruct

    | setting | emotion | csabstruct | mean |
    | lr 0.002 | 71.2 (61.0) | 55.0 (43.1) | 63.1 (52.0) |      accuracy and, in brackets, mean likelihood, in per cent

Ways and settings that were not run on a set have an empty cell there, and the mean is over the others.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from statistics import mean

from benchmarks.recipes import HERE

__all__ = ["markdown"]

Figure = tuple[float, float]  # accuracy, mean likelihood
NAMELESS = ("model", "set", "method", "checks", "seed")
CHOICE, TEXT = "accuracy", "token_f1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe_table", description=__doc__.split("\n")[0])
    parser.add_argument("part", help="a file of recordings/recipes")
    parser.add_argument("--model", default="smollm2-135m-instruct")
    asked = parser.parse_args()
    file = HERE / f"{asked.part}.jsonl"
    if not file.is_file():
        done = ", ".join(sorted(each.stem for each in HERE.glob("*.jsonl"))) or "nothing"
        parser.error(
            f"no run of {asked.part!r}; there is {done}. Run: python -m benchmarks.recipes {asked.part} --data DIR"
        )
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    print(markdown(line for line in lines if line["asked"]["model"] == asked.model))


def markdown(lines: Iterable[Mapping]) -> str:
    """One table; lines of one setting on one set (seeds) are averaged."""
    cells: dict[str, dict[str, list[Figure]]] = {}
    sets: list[str] = []
    for line in lines:
        sets += [line["asked"]["set"]] if line["asked"]["set"] not in sets else []
        for name, figure in _figures(line):
            cells.setdefault(name, {}).setdefault(line["asked"]["set"], []).append(figure)
    rows = [["setting", *sets, "mean"], ["---"] * (len(sets) + 2)]
    rows += [[name, *_row(own, sets)] for name, own in cells.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _figures(line: Mapping) -> list[tuple[str, Figure]]:
    asked = line["asked"]
    if "way" in asked:
        own = [("", line["raw"]), (", calibrated", line["calibrated"])]
        return [(asked["way"] + more, (figure["accuracy"], figure["likelihood"])) for more, figure in own]
    knobs = {**asked["knobs"], **{name: asked[name] for name in asked if name not in (*NAMELESS, "knobs")}}
    name = ", ".join(
        f"{knob} {value:g}" if isinstance(value, float) else f"{knob} {value}" for knob, value in knobs.items()
    )
    return [(name, (line[CHOICE] if CHOICE in line else line[TEXT], line["likelihood"]))]


def _row(own: Mapping[str, list[Figure]], sets: Iterable[str]) -> list[str]:
    means = {name: _mean(figures) for name, figures in own.items()}
    return [_cell(means.get(name)) for name in sets] + [_cell(_mean(means.values()))]


def _mean(figures: Iterable[Figure]) -> Figure:
    accuracy, likelihood = zip(*figures)
    return mean(accuracy), mean(likelihood)


def _cell(figure: Figure | None) -> str:
    return f"{100 * figure[0]:.1f} ({100 * figure[1]:.1f})" if figure else ""


if __name__ == "__main__":
    main()

"""What comes out of `hand_tuned` for a set: one line, made of the results that are kept, and made again at any time.

    {"set": "snips", "held_out": true, "lora": {"ours": 0.947, "theirs": 0.953, "difference": -0.006, "low": -0.021,
     "high": 0.009, ...}, "soft_prompt": {...}, "equal_time": {...}, "agreement": {...}}

A difference is ours less theirs, each the mean over its seeds, paired by record: mean -+ 1.96 standard errors over
records of the difference of each record's means.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.hand_tuned_sets import HELD_OUT, Drawn

if TYPE_CHECKING:
    from benchmarks.hand_tuned import Results

__all__ = ["difference", "line_of"]

Line = dict[str, Any]
SOFT = "prompt tuning"  # the family
NOT_TRAINED = ("training is not shown to pay", "do not train", "no better than prompting", "nothing here is measurably")


def line_of(results: "Results", data: Drawn) -> Line | None:
    """None where a side has no line yet."""
    lora, soft = (_theirs(results, method) for method in ("lora", "prompt_tuning"))
    ours = {line["run"]: line for line in results.lines(side="ours")}
    if not (lora and soft and "3 seeds" in ours):
        return None
    common = {name: value for name, value in results.common.items() if name != "records"}
    defaults, equal = ours.get("defaults"), ours.get("equal time")
    return {
        "name": "hand_tuned",
        **common,
        "held_out": data.name in HELD_OUT,
        "test_records": len(data.test),
        **_sides(ours["3 seeds"], lora, soft),
        "defaults": _sides(defaults, lora, soft) if defaults else None,
        "equal_time": {"time": equal["time"], **_sides(equal, lora, soft)} if equal else None,
        "their_lora": _setting(lora[0]),
        "their_soft_prompt": _setting(soft[0]),
        "their_s": round(sum(line["all_cpu_s"] for line in results.lines(side="theirs", seed=0))),
        "our_s": ours["3 seeds"]["all_cpu_s"],
        "agreement": {run: agreement(line, lora) for run, line in ours.items()},
    }


def difference(ours: Sequence[str], theirs: Sequence[str]) -> Line:
    """Of answers by seed, 1 for a right one."""
    a_R, b_R = (np.array([[int(bit) for bit in seed] for seed in side]).mean(axis=0) for side in (ours, theirs))
    d_R = a_R - b_R
    half = 1.96 * d_R.std(ddof=1) / np.sqrt(len(d_R))
    figures = {"ours": a_R.mean(), "theirs": b_R.mean(), "difference": d_R.mean()}
    figures |= {"low": d_R.mean() - half, "high": d_R.mean() + half}
    return {name: round(float(value), 4) for name, value in figures.items()}


def agreement(ours: Line, lora: Sequence[Line]) -> Line:
    """Whether the verdict says that training does not pay, and whether their loop beats TF-IDF and prompting."""
    said = " ".join([ours["answer"], *ours["reasons"]]).lower()
    tests = [line["test"] for line in lora]
    rivals = {name: arm["test"] for name, arm in ours["arms"].items() if arm["family"] in ("baseline", "prompting")}
    ahead = {name: difference(tests, bits) for name, bits in rivals.items()}
    loses = [name for name, each in ahead.items() if each["high"] < 0]
    beaten = [name for name, each in ahead.items() if each["low"] > 0]
    against = any(words in said for words in NOT_TRAINED)
    return {
        "verdict": ours["answer"],
        "recommended": ours["recommended"],
        "says_do_not_train": against,
        "says_unfinished": "unfinished" in said,
        "their_lora_beats": beaten,
        "their_lora_loses_to": loses,
        "agrees": not (against and "tfidf" in beaten) and (against or not loses) and "unfinished" not in said,
    }


def _theirs(results: "Results", method: str) -> list[Line]:
    """The lines of the setting that is best on validation, all its seeds."""
    from benchmarks.hand_tuned import better

    lines = results.lines(side="theirs", method=method)
    if not lines:
        return []
    best = max((line for line in lines if line["seed"] == 0), key=better)
    same = ("head", "rate", "epochs")
    return [line for line in lines if all(line[name] == best[name] for name in same)]


def _sides(ours: Line, lora: Sequence[Line], soft: Sequence[Line]) -> Line:
    """Our LoRA, and our soft prompt that is best on validation, against theirs; and what else was tested."""
    arms = ours["arms"]
    softs = {name: arm for name, arm in arms.items() if arm["family"] == SOFT}
    sides: Line = {"tested": {name: round(_mean(arm["test"]), 4) for name, arm in arms.items()}}
    if "lora" in arms:
        sides["lora"] = difference(arms["lora"]["test"], [line["test"] for line in lora])
    if softs:
        chosen = max(softs, key=lambda name: softs[name]["validation_accuracy"])
        sides["soft_prompt"] = {"arm": chosen, **difference(softs[chosen]["test"], [line["test"] for line in soft])}
    return sides


def _mean(seeds: Sequence[str]) -> float:
    return sum(bits.count("1") for bits in seeds) / sum(map(len, seeds))


def _setting(line: Line) -> Line:
    return {name: line[name] for name in ("head", "rate", "epochs", "validation_accuracy", "test_accuracy")}

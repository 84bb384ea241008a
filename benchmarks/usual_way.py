"""End to end against the usual way: all 48 jobs of a grid one after the other, or the race over the same grid.

    theirs    a loop of `peft` + Trainer + lm-eval: each job trained to its end, its validation records scored once,
              then the test records by the chosen setting of each method with all its seeds
    ours      the race: arms that train in one pass, validation records scored at every check, contexts kept, then the
              test records by the chosen jobs

The grid is `grid_emotion` of record.py: 4 methods x 4 settings x 3 seeds, 27 steps of 8 tweets, 128 validation and
200 test records. Settings are learning rates, so all jobs of a method cost the same. Nobody runs the whole of it
here: each cycle measures the seconds of every part (a step of each method by the Trainer, a record by lm-eval, a pass
of each company of arms that the race makes, a record by our scoring, a context to keep), and counts.py says how often
each is needed:

    hours = (6 passes of 2 ia3 + 2 lora + ... + 19 x 128 records with lora + ...) / 3600

`peft` has nothing that stands after the input; its prompt tuning of the same length stands in for soft_prompt_after.
What happens once a run or a job is left out on both sides: imports, loading the model, saving. Both sides say the same
loss on a common batch and the same scores of a record before they start. The ceiling is the matmuls of all 48 jobs,
each to its end: the race may pass it, because it does not run all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.counts import Counts, count, grid_jobs, races_over, schedule_of
from benchmarks.harness import WARM, Claim, Settings, line_of, rate, short
from benchmarks.record import HERE, RECORDINGS, plan_of
from benchmarks.slots import lengths_of
from benchmarks.texts import feelings
from benchmarks.usual_sides import (
    MODEL,
    STANDS_IN,
    Grid,
    Side,
    ceiling_side,
    grid_of,
    our_peers,
    our_side,
    their_side,
    worn_arms,
)
from tuneoff.engine.cache import ContextCache
from tuneoff.engine.schedule import Schedule
from tuneoff.study.plan import Plan

__all__ = ["usual_way"]

GRID = "grid_emotion"
CYCLES = 3
ROOM_BYTES = 4 << 30

Measured = Mapping[str, Sequence[Mapping[str, float]]]
"[side][cycle][part]: seconds of one unit"


def usual_way(settings: Settings) -> Iterator[dict]:
    """One line; its rates are grids an hour."""
    plan = _plan()
    source, races = races_over(plan, HERE / GRID)
    counts = count(plan, races)
    grid = grid_of(plan, settings, settings.rounds(CYCLES))
    cache = ContextCache(ROOM_BYTES, grid.base.device)
    with ExitStack() as stack:
        arms = worn_arms(stack, grid, counts, cache)
        peers, same = our_peers(grid, arms, settings)
        sides = {
            "ceiling": ceiling_side(grid, next(iter(arms.values()))[0]),
            "theirs": their_side(grid, peers),
            "ours": our_side(grid, arms, counts, cache),
        }
        measured = _measured(sides, settings.rounds(CYCLES))
    rates = {name: [1 / side.hours(seconds) for seconds in measured[name]] for name, side in sides.items()}
    facts = _facts(grid, counts, settings) | {"counts": source, "same": same} | _extrapolated(sides, measured)
    yield line_of(_claim(grid, facts), rates, settings)


def _plan() -> Plan:
    """The recorded grid, but checked as often as a study is that says nothing of it."""
    with TemporaryDirectory() as folder:
        return plan_of(replace(RECORDINGS[GRID], checks=Schedule().checks), Path(folder))


def _measured(sides: Mapping[str, Side], cycles: int) -> Measured:
    """The sides take turns, part by part, so that whatever slows the machine meets all of them."""
    each = [[(name, part, slot) for part, slot in side.parts.items()] for name, side in sides.items()]
    turns = [turn for turn in chain.from_iterable(zip_longest(*each)) if turn]
    for _, _, slot in turns:
        slot(WARM)
    measured: dict[str, list[dict[str, float]]] = {name: [{} for _ in range(cycles)] for name in sides}
    for cycle in range(cycles):
        for name, part, slot in turns:
            measured[name][cycle][part] = 1 / rate(slot, cycle)
    return measured


def _claim(grid: Grid, facts: dict) -> Claim:
    return Claim(
        name="usual_way",
        case=f"{grid_jobs(grid.plan)} jobs",
        unit="grids/hour",
        goal=10.0,
        against="a loop of peft + transformers.Trainer + lm-eval",
        facts=facts,
        packages=("peft", "accelerate", "lm-eval"),
    )


def _facts(grid: Grid, counts: Counts, settings: Settings) -> dict:
    records, schedule = len(grid.plan.data.train), schedule_of(grid.plan)
    steps = schedule.steps(records)
    return {
        "model": settings.model or MODEL,
        "data": feelings()[0],
        "steps_per_job": steps,
        "checks_per_job": len(schedule.check_steps(records)),
        "token_share": short(counts.arm_steps / (grid_jobs(grid.plan) * steps)),
        "stands_in": STANDS_IN,
        "left_out_of_both": "imports, loading the model, saving",
        **lengths_of(grid.lesson, grid.shared),
        "records_per_slot": {"ours": grid.records, "theirs": grid.questions().theirs},
    }


def _extrapolated(sides: Mapping[str, Side], measured: Measured) -> dict:
    """Hours of the whole, and of each part the seconds of one unit and the units needed; medians over cycles."""
    hours: dict[str, float] = {}
    parts: dict[str, dict] = {}
    for name in ("ours", "theirs"):
        side = sides[name]
        hours[name] = short(median(side.hours(seconds) for seconds in measured[name]))
        each = {part: median(cycle[part] for cycle in measured[name]) for part in side.parts}
        parts[name] = {
            part: {"seconds": short(seconds), "units": short(side.amounts[part])} for part, seconds in each.items()
        }
    return {"hours": hours, "parts": parts}

"""tuneoff plan study.toml: what would run, before anything runs."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["plan"]


def plan(study: Annotated[Path, typer.Argument(help="the study file")]) -> None:
    """Say what a study would run: records, prompt, arms, jobs, and the smallest difference it could see."""
    from rich.console import Console

    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import read_spec

    console = Console(highlight=False)
    made = make_plan(read_spec(study))
    _print_data(console, made)
    _print_arms(console, made)
    console.print(f"\nnext: tuneoff inspect {study} (see what is trained), tuneoff run {study}")


def _print_data(console, made) -> None:
    from rich.markup import escape

    for line in made.data.report.summary():
        console.print(escape(line))
    task = made.task
    console.print(f"task: {task.kind}, judged by {task.metrics[0]} (also {', '.join(task.metrics[1:])})")
    if task.labels:
        console.print(f"labels: {escape(', '.join(task.labels))}")
    console.print(f"instruction: {escape(task.instruction) or '(none)'}")
    if task.kind == "choice":
        console.print(visible(len(made.data.test)))


def visible(n: int) -> str:
    """What a test set of n records can show."""
    from tuneoff.stats.power import smallest_difference

    points = smallest_difference(n)
    if points is None:
        return f"{n} test records are too few to show any difference between two arms that disagree on a fifth"
    return (
        f"{n} test records show a difference of about {100 * points:.0f} points or more "
        "(two arms that disagree on a fifth of the records, one contrast, 80 % power)"
    )


def _print_arms(console, made) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for column in ("arm", "family", "trials", "seeds", "jobs", "steps a job"):
        table.add_column(column, justify="left" if column in ("arm", "family") else "right")
    jobs = 0
    for arm in made.arms:
        trials, seeds = len(made.settings[arm.name]), made.seeds(arm)
        jobs += trials + seeds - 1
        steps = made.training_steps(arm)
        table.add_row(arm.name, arm.family, str(trials), str(seeds), str(trials + seeds - 1), str(steps or "-"))
    console.print()
    console.print(table)
    console.print(
        f"\n{jobs} jobs: every trial with one seed, then the other seeds of the trial that validation chooses, "
        "then the sealed test set once"
    )

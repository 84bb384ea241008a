"""tuneoff plan study.toml: what would run, what the data and the model look like, and a recommendation."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["plan"]

ALLOWANCE_S = 20.0  # for the forecast's rates; a run measures them more closely


def plan(
    study: Annotated[Path, typer.Argument(help="the study file")],
    quick: Annotated[bool, typer.Option("--quick", help="only what would run; loads no model")] = False,
    general: Annotated[
        Path | None, typer.Option("--general-text", help="plain text to compare your texts with; default: built in")
    ] = None,
) -> None:
    """Say what a study would run, measure what speaks for prompting or tuning, and recommend one."""
    from tuneoff.cli.console import open_console
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import read_spec

    console = open_console()
    made = make_plan(read_spec(study))
    _print_data(console, made)
    _print_arms(console, made)
    if not quick:
        from tuneoff.cli.forecast_table import print_forecast

        fitted, advice = _measured(console, made, general)
        print_forecast(console, fitted)
        _print_advice(console, advice)
    console.print(f"\nnext  tuneoff inspect {study}  (see what is trained)\n      tuneoff run {study}", soft_wrap=True)


def _print_data(console, made) -> None:
    for line in made.data.report.summary():
        console.print(line)
    task = made.task
    console.print(f"task: {task.kind}, scored by {task.metrics[0]} (also {', '.join(task.metrics[1:])})")
    if task.labels:
        console.print(f"labels: {', '.join(task.labels)}")
    console.print(f"instruction: {task.instruction or '(none)'}")
    if task.kind == "choice":
        console.print(visible(len(made.data.test)))


def visible(n: int) -> str:
    """What a test set of n records can show."""
    from tuneoff.stats.power import smallest_difference

    points = smallest_difference(n)
    if points is None:
        return f"{n} test records: too few to show any difference between two arms"
    return f"{n} test records: a difference below about {100 * points:.0f} points will mostly not show"


def _print_arms(console, made) -> None:
    from rich.text import Text

    from tuneoff.report.text import open_table

    table = open_table("trials", "seeds", "steps")
    table.add_column("family", overflow="fold")
    jobs = 0
    for arm in made.arms:
        trials, seeds = len(made.settings[arm.name]), made.seeds(arm)
        jobs += trials + seeds - 1
        steps = made.training_steps(arm)
        table.add_row(Text(arm.name), str(trials), str(seeds), str(steps or "-"), arm.family)
    console.print()
    console.print(table)
    console.print(
        f"\n{jobs} jobs: every trial with one seed, then the best trial (on validation) with the other seeds, then the "
        "test set, once"
    )
    for note in made.notes:
        console.print(note)


def _measured(console, made, general: Path | None):
    """What the study would take, as its budget holds it, and the advice."""
    import time
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from tuneoff.engine.attach import Worn
    from tuneoff.models.int8 import check_int8
    from tuneoff.study.advice.adviser import compute_of, measure_advice
    from tuneoff.study.budget.forecast import fit_budget
    from tuneoff.study.budget.rates import measure_rates
    from tuneoff.study.conduct import open_checked
    from tuneoff.study.faults import said
    from tuneoff.study.work import Worker

    def met(what: str, error: Exception) -> None:
        console.print(f"{what} ({said(error)})")

    with console.status("measuring (about a minute for a small model; --quick leaves it out)"):
        began = time.perf_counter()
        base = open_checked(made, lambda remark: console.print(remark, markup=False))
        load_s = time.perf_counter() - began
        if any(made.in_8_bits(arm) for arm in made.racing):
            check_int8(base)
        with TemporaryDirectory() as folder:
            worker = Worker(made, base, Path(folder))
            worker.check_given()
            console.print(Worn(base).capabilities().line)
            rates = measure_rates(made, base, Path(folder), before_s=load_s, allowance_s=ALLOWANCE_S, met=met)
            if not made.spec.budget:
                rates = replace(rates, took_s=0.0)  # a run without a budget measures none
            fitted = fit_budget(made, rates)
            return fitted, measure_advice(worker, compute_of(fitted.forecast), general)


def _print_advice(console, advice) -> None:
    from rich.table import Table
    from rich.text import Text

    from tuneoff.report.advice import factor_lines, order_lines, reason_lines
    from tuneoff.report.text import bullets
    from tuneoff.report.words import seconds

    console.print(Text.assemble(("\nMeasured before training", "bold"), f" (in {seconds(advice.seconds)})"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for factor, lines in factor_lines(advice).items():
        table.add_row(factor, Text("\n".join(lines)))
    console.print(table)
    head = ("\nRecommendation before training", "bold")
    console.print(Text.assemble(head, " (votes of rules on these figures; the study tests it)"))
    for line in order_lines(advice.opinion):
        console.print(Text(f"  {line}"))
    console.print("why:")
    console.print(bullets(reason_lines(advice.opinion)))

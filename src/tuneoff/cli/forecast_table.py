"""The forecast on a console: what each arm takes here, what the whole study takes, and what its budget leaves out."""

from rich.console import Console
from rich.text import Text

from tuneoff.report.text import open_table
from tuneoff.report.words import count, seconds, size
from tuneoff.study.budget.forecast import Fitted

__all__ = ["print_forecast"]

HEADS = ("to stage 1", "full run", "test", "peak memory")


def print_forecast(console: Console, fitted: Fitted) -> None:
    """A table of the arms, the whole at best and at worst, and a sentence for each thing left out or added."""
    told = fitted.forecast
    table = open_table(*HEADS)
    for arm in told.arms:
        times = [seconds(each) for each in (arm.rung_s, arm.run_s, arm.test_s)]
        table.add_row(Text(arm.arm), *times, size(arm.peak_bytes))
    console.print(Text.assemble(("\nForecast", "bold"), " (measured on this machine)"))
    console.print(table)
    for line in forecast_lines(fitted):
        console.print(line)


def forecast_lines(fitted: Fitted) -> list[str]:
    """The whole study in words."""
    best, worst = fitted.forecast.best, fitted.forecast.worst
    tokens = f"{count(best.tokens)} to {count(worst.tokens)}" if best.tokens != worst.tokens else count(worst.tokens)
    times = f"{seconds(best.all_s)} at best, {seconds(worst.all_s)} at worst"
    lines = [f"the whole study: {times}, {tokens} trained tokens"]
    if fitted.budget:
        lines.append(f"budget: {fitted.budget}")
    lines += [f"left out: {line}" for line in fitted.left_out]
    return lines + [f"added: {line}" for line in fitted.added]

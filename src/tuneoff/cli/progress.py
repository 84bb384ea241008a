"""A study run with its progress shown: what, how far, how long still; and at its end the verdict.

On a terminal two live bars; elsewhere a line per job, so that logs stay readable:

         took   validation   left
          2 s       61.7 %   4 min   few_shot, seed 1
         38 s       70.0 %   3 min   lora, seed 1 (stage 1 of 3)
    same pass       68.3 %   3 min   soft_prompt_after, seed 1 (stage 1 of 3)
"""

import sys
import textwrap
import time
import warnings
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from tuneoff.cli.console import open_console
from tuneoff.cli.plan import visible
from tuneoff.core.errors import BrokenPathWarning
from tuneoff.report.folder import STUDY
from tuneoff.report.words import Measure
from tuneoff.study.steps import Watch

__all__ = ["Shown", "race"]

FEW_TEST_RECORDS = 150
ENOUGH_TO_TELL = 0.05  # of the work must be done before what is left can be told from it
AT_ONCE_S = 0.5
"a job that ends so soon after another was trained with it"
HEADS = ("took", "validation", "left")


def race(
    study: Path, out: Path | None = None, *, retry: bool = False, strict: bool = False, quick: bool = False
) -> Path:
    """Run a study file into its folder and paint the verdict. Returns the folder. retry: failed jobs too. strict: stop
    where something fails that nobody expected. quick: nothing beside the race."""
    from tuneoff.report.facts import facts
    from tuneoff.report.folder import open_ledger, texts_of
    from tuneoff.report.html import write_report
    from tuneoff.report.text import paint
    from tuneoff.study.conduct import conduct, open_checked
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import read_spec

    console = open_console()
    study = study / STUDY if study.is_dir() else study
    spec = read_spec(study)
    folder = out or Path("runs") / spec.name
    plan = make_plan(spec)
    for line in plan.data.report.summary():
        console.print(line)
    if plan.task.kind == "choice" and len(plan.data.test) < FEW_TEST_RECORDS:
        console.print(visible(len(plan.data.test)))
    warnings.filterwarnings("ignore", category=BrokenPathWarning, append=True)  # `Shown.notice` says it
    with Shown(console, _measure(plan.task.metrics[0])) as shown:
        asked = {"study_file": study, "retry": retry, "strict": strict, "quick": quick}
        verdict = conduct(plan, folder, lambda: open_checked(plan), shown, **asked)
    write_report(folder, texts_of(plan.data.validation))
    if not shown.jobs:
        console.print("all jobs of this study were done already")
    ledger = open_ledger(folder)
    paint(facts(verdict, ledger, folder=folder), console)
    ledger.close()
    return folder


def _measure(metric: str) -> Measure:
    from tuneoff.core.plugins import load

    return Measure(metric, load("metrics", metric).up)


class Shown(Watch):
    """Progress on a console. Use as a context. measure: of the validation figures."""

    def __init__(self, console: Console, measure: Measure):
        self.console, self.measure = console, measure
        self.jobs = 0
        self._began = time.perf_counter()
        self._since, self._ended = self._began, False
        name = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[steps]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            transient=True,
            expand=True,
            disable=not console.is_terminal,
        )
        self._bar = None
        self._left = ""

    def __enter__(self) -> "Shown":
        self._progress.start()
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def phase(self, text: str) -> None:
        self._bar_of(text, None)
        if not self.console.is_terminal:
            self._print(text)

    def notice(self, text: str) -> None:
        self._print(text)

    def job(self, label: str, work_done: float, work_left: float) -> None:
        self.jobs += 1
        self._since, self._ended = time.perf_counter(), False
        if self.jobs == 1:  # what was measured before it says nothing of how long jobs take
            self._began, self._first_work = self._since, work_done
            self._line(*HEADS, "job")
        elapsed, work = self._since - self._began, work_done - self._first_work
        told = work > ENOUGH_TO_TELL * (work + work_left)
        self._left = _duration(elapsed / work * work_left) if told else ""
        self._bar_of(label, None)

    def step(self, step: int, steps: int, value: float | None) -> None:
        self._progress.update(self._bar, completed=step, total=steps, steps=f"step {step} of {steps}")

    def done(self, label: str, figure: float | None, why: str = "") -> None:
        seconds = time.perf_counter() - self._since
        took = "same pass" if self._ended and seconds < AT_ONCE_S else _duration(seconds)
        said = "failed" if why else "" if figure is None else self.measure.figure(figure)
        self._line(took, said, self._left, f"{label}: {why}" if why else label)
        # of jobs trained in one pass the first line has the time of all
        self._since, self._ended = time.perf_counter(), True

    def dropped(self, label: str, why: str) -> None:
        self._line("", "stopped", "", f"{label}: {why}")

    def _line(self, took: str, figure: str, left: str, job: str) -> None:
        head = f"{took:>9}  {figure:>11}  {left:>11}  "
        room = max(self.console.width - len(head), 20) if self.console.is_terminal else sys.maxsize
        lines = textwrap.wrap(job, room, break_on_hyphens=False)
        self._print(head + f"\n{' ' * len(head)}".join(lines))

    def _print(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=not self.console.is_terminal)  # a line of a log stays whole

    def _bar_of(self, text: str, total: int | None) -> None:
        if self._bar is not None:
            self._progress.remove_task(self._bar)
        left = f"{self._left} left" if self._left else ""
        self._bar = self._progress.add_task(text, total=total, steps="", left=left)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"

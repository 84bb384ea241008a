"""A study run with its progress shown: what, how far, how long still; and at the end what to type next.

On a terminal two live bars; elsewhere a line per job, so that logs stay readable.
"""

import time
import warnings
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tuneoff.cli.plan import visible
from tuneoff.core.errors import BrokenPathWarning
from tuneoff.report.folder import STUDY
from tuneoff.study.steps import Watch

__all__ = ["Shown", "race"]

FEW_TEST_RECORDS = 150
ENOUGH_TO_TELL = 0.05  # of the work must be done before what is left can be told from it


def race(study: Path, out: Path | None = None, *, retry: bool = False, strict: bool = False) -> Path:
    """Run a study file into its folder and paint the verdict. Returns the folder. retry: failed jobs too. strict: stop
    where something fails that nobody expected."""
    from tuneoff.report.facts import facts
    from tuneoff.report.folder import open_ledger, texts_of
    from tuneoff.report.html import write_report
    from tuneoff.report.text import paint
    from tuneoff.study.conduct import conduct, open_base
    from tuneoff.study.plan import make_plan
    from tuneoff.study.spec import read_spec

    console = Console(highlight=False, soft_wrap=True)
    study = study / STUDY if study.is_dir() else study
    spec = read_spec(study)
    folder = out or Path("runs") / spec.name
    plan = make_plan(spec)
    for line in plan.data.report.summary():
        console.print(line, markup=False)
    if plan.task.kind == "choice" and len(plan.data.test) < FEW_TEST_RECORDS:
        console.print(visible(len(plan.data.test)), markup=False)
    warnings.filterwarnings("ignore", category=BrokenPathWarning, append=True)  # `Shown.notice` says it
    with Shown(console) as shown:
        asked = {"study_file": study, "retry": retry, "strict": strict}
        verdict = conduct(plan, folder, lambda: open_base(spec), shown, **asked)
    ledger = open_ledger(folder)
    paint(facts(verdict, ledger, folder=folder), Console())
    ledger.close()
    page = write_report(folder, texts_of(plan.data.validation))
    if not shown.jobs:
        console.print("all jobs of this study were done already")
    console.print(f"\n{next_words(folder, page)}", markup=False)
    return folder


def next_words(folder: Path, page: Path) -> str:
    """What was made and what to type next."""
    lines = [f"verdict   {folder / 'verdict.json'}", f"report    {page}   (open it in a browser)"]
    if (folder / "best").is_dir():
        lines.append(f"artifact  {folder / 'best'}")
    lines.append(f"next      tuneoff predict {folder} YOUR_RECORDS.jsonl")
    return "\n".join(lines)


class Shown(Watch):
    """Progress on a console. Use as a context."""

    def __init__(self, console: Console):
        self.console = console
        self.jobs = 0
        self._began = time.perf_counter()
        self._since, self._ended = self._began, False
        self._progress = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
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
            self.console.print(text, markup=False)

    def notice(self, text: str) -> None:
        self.console.print(text, markup=False)

    def job(self, label: str, work_done: float, work_left: float) -> None:
        self.jobs += 1
        self._since, self._ended = time.perf_counter(), False
        if self.jobs == 1:  # what was measured before it says nothing of how long jobs take
            self._began, self._first_work = self._since, work_done
        elapsed, work = self._since - self._began, work_done - self._first_work
        told = work > ENOUGH_TO_TELL * (work + work_left)
        self._left = f"about {_duration(elapsed / work * work_left)} left" if told else ""
        self._bar_of(label, None)

    def step(self, step: int, steps: int, value: float | None) -> None:
        self._progress.update(self._bar, completed=step, total=steps)

    def done(self, label: str, figure: float | None, why: str = "") -> None:
        seconds = time.perf_counter() - self._since
        took = "with it" if self._ended and seconds < 0.5 else _duration(seconds)
        said = f"failed: {why}" if why else "done" if figure is None else f"validation {figure:.3f}"
        left = f"   {self._left}" if self._left and not self.console.is_terminal else ""
        self.console.print(f"{label:<34} {took:>7}   {said}{left}", markup=False)
        self._since, self._ended = time.perf_counter(), True  # of jobs trained together the first line has all the time

    def dropped(self, label: str, why: str) -> None:
        self.console.print(f"{label:<34} {'':>7}   left behind: {why}", markup=False)

    def _bar_of(self, text: str, total: int | None) -> None:
        if self._bar is not None:
            self._progress.remove_task(self._bar)
        self._bar = self._progress.add_task(text, total=total, left=self._left)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

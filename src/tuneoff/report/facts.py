"""Everything the painters show, gathered once: (verdict, ledger) in, plain frozen values out. Paints nothing.

Views for editing data show validation only: the examples where arms disagree, and an arm's errors, come from
validation outcomes, so that nobody mends data by looking at the sealed test set. Texts of records are not in the
ledger; the caller may hand them over as {record id: (text, wanted answer)}.
"""

import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from tuneoff.core.plugins import load
from tuneoff.engine.capabilities import paths_line
from tuneoff.report.advice import order_lines, reason_lines
from tuneoff.report.beside import BesideTable, beside
from tuneoff.report.errors import Errors, errors
from tuneoff.report.folder import LEDGER, PAGE, study_file
from tuneoff.report.words import CHOSEN, Measure, rounded
from tuneoff.study.advice.advice import ADVICE, compare_opinion, read_advice
from tuneoff.study.budget.spending import PhaseTime, compare
from tuneoff.study.outcome import JobRow, Outcome
from tuneoff.study.store import Ledger
from tuneoff.study.verdict.change_words import told
from tuneoff.study.verdict.judgement import Contrast, Standing, Verdict

__all__ = [
    "Advised",
    "Axis",
    "Command",
    "Curve",
    "Disagreement",
    "Facts",
    "Point",
    "Row",
    "Said",
    "Spent",
    "facts",
]

Answers = Mapping[str, Mapping[str, Sequence[Outcome]]]
"{record: {arm: one outcome a seed}}"

EXAMPLES = 12
AXES = ("trainable", "train_s", "prompt_tokens", "artifact_bytes")


@dataclass(frozen=True, slots=True)
class Row:
    """One arm's standing. mark: recommended, winner, tested or out (words.py says what each means)."""

    standing: Standing
    mark: str


@dataclass(frozen=True, slots=True)
class Point:
    arm: str
    mark: str
    cost: float
    mean: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Quality against one cost. unknown: arms whose cost was not measured. front: of the cost that the study chose,
    the arms than which none is better for less, cheapest first."""

    key: str
    points: tuple[Point, ...]
    unknown: tuple[str, ...]
    front: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Curve:
    """One job's learning curve: after so many training records, nats per trained token, and on validation the figure
    and the mean likelihood of the right answer. unfinished: it stopped before it
    was flat.
    """

    arm: str
    trial: int
    seed: int
    records: tuple[int, ...]
    loss: tuple[float | None, ...]
    value: tuple[float | None, ...]
    likelihood: tuple[float | None, ...]
    unfinished: bool


@dataclass(frozen=True, slots=True)
class Said:
    """What most seeds of an arm answered. score: the deciding metric, mean over seeds, where it has one per record."""

    arm: str
    answer: str
    agree: int
    seeds: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A validation record on which the arms part. text and target None: not handed over by the caller."""

    record: str
    text: str | None
    target: str | None
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """What the run took, over all jobs. restarts: jobs begun again after an interruption.

    remarks: what else is to be known of the jobs: the fast paths that they took and why not the others, records that
    were cut to fit, a training in 8 bits.
    """

    jobs: int
    done: int
    restarts: int
    train_s: float
    score_s: float
    failures: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    purpose: str
    line: str


@dataclass(frozen=True, slots=True)
class Advised:
    """The first opinion of before training, and where it was right and wrong. All are lines of text."""

    order: tuple[str, ...]
    reasons: tuple[str, ...]
    outcome: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """rows: in the verdict's order, the best first, arms that were not tested last. axes: the chosen cost first.

    changes: what would change the recommendation, a sentence each. next: what is there and what to type next, a word
    and its line. beside: figures beside quality. errors: of the
    recommended arm, where it chooses among labels and the wanted ones are known. advised: None where nothing was
    advised before the run.
    """

    verdict: Verdict
    measure: Measure
    further: tuple[Measure, ...]
    rows: tuple[Row, ...]
    axes: tuple[Axis, ...]
    curves: tuple[Curve, ...]
    changes: tuple[str, ...]
    disagreements: tuple[Disagreement, ...]
    beside: BesideTable
    spent: Spent
    commands: tuple[Command, ...]
    next: tuple[tuple[str, str], ...] = ()
    errors: Errors | None = None
    advised: Advised | None = None
    forecast: tuple[PhaseTime, ...] = ()

    @property
    def judged(self) -> list[Row]:
        """The arms that met the test set."""
        return [row for row in self.rows if row.mark != "out"]

    @property
    def decisive(self) -> list[Contrast]:
        """The contrasts of the recommended arm, or all of them where no arm is recommended."""
        pick = self.verdict.recommended
        return [one for one in self.verdict.contrasts if pick is None or pick in (one.a, one.b)]


def facts(
    verdict: Verdict, ledger: Ledger, *, folder: Path, texts: Mapping[str, tuple[str, str]] | None = None
) -> Facts:
    """Gather what a report shows. folder: the run folder as the commands shall name it."""
    jobs, texts = ledger.jobs(), texts or {}
    rows, answers = _rows(verdict), _answers(ledger, jobs, verdict.metric)
    measure = Measure(verdict.metric, verdict.facts["up"])
    return Facts(
        verdict=verdict,
        measure=measure,
        further=tuple(Measure(name, load("metrics", name).up) for name in _others(rows)),
        rows=rows,
        axes=_axes(verdict, rows),
        curves=_curves(ledger, jobs),
        changes=tuple(told(change, verdict) for change in verdict.changes),
        disagreements=_disagreements(answers, rows, texts),
        beside=beside([row.standing for row in rows], jobs, ledger.axes(), measure),
        spent=_spent(ledger, jobs, verdict.facts),
        commands=_commands(folder, study_file(ledger, folder), verdict.recommended, jobs),
        next=_next(folder, study_file(ledger, folder), verdict, jobs),
        errors=_errors(verdict, answers, texts),
        advised=_advised(folder, verdict),
        forecast=compare(ledger),
    )


def _advised(folder: Path, verdict: Verdict) -> Advised | None:
    advice = read_advice(folder / ADVICE)
    if advice is None:
        return None
    order, reasons = order_lines(advice.opinion), reason_lines(advice.opinion)
    return Advised(tuple(order), tuple(reasons), tuple(compare_opinion(advice, verdict)))


def _rows(verdict: Verdict) -> tuple[Row, ...]:
    rows = [Row(standing, _mark(standing, verdict)) for standing in verdict.standings]
    return tuple(sorted(rows, key=lambda row: row.mark == "out"))


def _mark(standing: Standing, verdict: Verdict) -> str:
    if standing.mean is None:
        return "out"
    if standing.arm == verdict.recommended:
        return "recommended"
    return "winner" if standing.arm in verdict.winners else "tested"


def _others(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.standing.others))


def _axes(verdict: Verdict, rows: Sequence[Row]) -> tuple[Axis, ...]:
    chosen = CHOSEN[verdict.facts["decision"]["cost"]]
    ordered = (chosen, *(key for key in AXES if key != chosen))
    return tuple(_axis(key, rows, verdict.facts["front"] if key == chosen else ()) for key in ordered)


def _axis(key: str, rows: Sequence[Row], front: Sequence[str]) -> Axis:
    judged = [(row, row.standing.cost.get(key)) for row in rows if row.mark != "out"]
    points = [Point(row.standing.arm, row.mark, cost, row.standing.mean) for row, cost in judged if cost is not None]
    return Axis(key, tuple(points), tuple(row.standing.arm for row, cost in judged if cost is None), tuple(front))


def _curves(ledger: Ledger, jobs: Sequence[JobRow]) -> tuple[Curve, ...]:
    points = defaultdict(list)
    for point in ledger.points():
        points[point.job].append(point)
    return tuple(
        Curve(
            job.arm,
            job.trial,
            job.seed,
            tuple(point.records for point in points[job.key]),
            tuple(point.train_loss for point in points[job.key]),
            tuple(point.value for point in points[job.key]),
            tuple(point.likelihood for point in points[job.key]),
            job.progress is not None and not job.progress.finished,
        )
        for job in jobs
        if points[job.key]
    )


def _errors(verdict: Verdict, answers: Answers, texts: Mapping[str, tuple[str, str]]) -> Errors | None:
    arm = verdict.recommended
    if arm is None or verdict.facts["kind"] != "choice":
        return None
    own = {record: by_arm[arm] for record, by_arm in answers.items() if arm in by_arm}
    return errors(arm, own, {record: target for record, (_, target) in texts.items()})


def _disagreements(
    answers: Answers, rows: Sequence[Row], texts: Mapping[str, tuple[str, str]]
) -> tuple[Disagreement, ...]:
    arms = [row.standing.arm for row in rows if row.mark != "out"]
    found = []
    for record, by_arm in answers.items():
        said = tuple(_said(arm, by_arm[arm]) for arm in arms if arm in by_arm)
        if _apart(said) > 0:
            text, target = texts.get(record, (None, None))
            found.append(Disagreement(record, text, target, said))
    return tuple(sorted(found, key=_telling)[:EXAMPLES])


def _answers(ledger: Ledger, jobs: Sequence[JobRow], metric: str) -> Answers:
    """From the jobs that went to the test set, at their last step."""
    arm_of = {job.key: job.arm for job in jobs if job.tested}
    rows = ledger.outcomes(split="validation", metric=metric, step=0)
    rows = [row for row in rows if row.job in arm_of and not row.phrasing]
    last = {}
    for row in rows:
        last[row.job] = max(row.step, last.get(row.job, 0))
    answers = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.step == last[row.job] and row.stats is not None:
            answers[row.record][arm_of[row.job]].append(row)
    return answers


def _said(arm: str, outcomes: Sequence[Outcome]) -> Said:
    answer, agree = Counter(outcome.answer for outcome in outcomes).most_common(1)[0]
    alone = all(len(outcome.stats) == 1 for outcome in outcomes)
    score = fmean(outcome.stats[0] for outcome in outcomes) if alone else None
    return Said(arm, answer, agree, len(outcomes), score)


def _apart(said: Sequence[Said]) -> float:
    """How far the arms are apart on one record: by score, or by answer where a record has no score of its own."""
    scores = [one.score for one in said if one.score is not None]
    if len(scores) == len(said):
        return max(scores) - min(scores) if scores else 0.0
    return float(len({one.answer for one in said}) > 1)


def _telling(found: Disagreement) -> tuple:
    """Furthest apart first, then those that split the arms most evenly."""
    scores = [one.score for one in found.said if one.score is not None]
    lean = abs(fmean(scores) - (max(scores) + min(scores)) / 2) if scores else 0.0
    return -_apart(found.said), round(lean, 9), found.record


def _spent(ledger: Ledger, jobs: Sequence[JobRow], found: Mapping) -> Spent:
    """found: the verdict's facts."""
    paths = found.get("paths")
    named = {job.key: f"{job.arm}, seed {job.seed + 1}" for job in jobs}
    cut = {(row["job"], row["detail"]): None for row in ledger.events() if row["what"] == "shortened"}
    return Spent(
        jobs=len(jobs),
        done=sum(job.status == "done" for job in jobs),
        restarts=sum(max(job.attempts - 1, 0) for job in jobs),
        train_s=sum(job.cost.train_s for job in jobs),
        score_s=sum(job.cost.score_s for job in jobs),
        failures=tuple(f"{job.arm}, seed {job.seed + 1}: {job.why}" for job in jobs if job.status == "failed"),
        remarks=(
            *([paths_line(paths)] if paths else []),
            *dict.fromkeys(row["detail"] for row in ledger.events() if row["what"] == "remark"),
            *rounded(found.get("machine", {}).get("int8")),
            *(f"{named[job]}, {detail}" for job, detail in cut if job in named),
        ),
    )


def _commands(folder: Path, study_file: Path, recommended: str | None, jobs: Sequence[JobRow]) -> tuple[Command, ...]:
    run, study, again = (shlex.quote(str(path)) for path in (folder, study_file, f"{folder}-again"))
    ledger = shlex.quote(str(folder / LEDGER))
    lines = [
        Command("write report.html (again)", f"tuneoff report {run}"),
        Command("run it all again, from nothing", f"tuneoff run {study} --out {again}"),
        Command("run only what is new, after adding arms or seeds to the study", f"tuneoff run {study} --out {run}"),
        Command("see the verdict in the terminal", f"tuneoff show {run}"),
        Command("see the rows behind the figures", f"sqlite3 {ledger} \"select * from outcomes where split = 'test'\""),
    ]
    if any(job.status == "failed" for job in jobs):
        lines.insert(0, Command("try again what failed", f"tuneoff run {study} --out {run} --retry-failed"))
    if recommended:
        use = f"tuneoff predict {run} YOUR_RECORDS.jsonl --arm {shlex.quote(recommended)}"
        lines.insert(0, Command("answer new records with the recommended arm", use))
    return tuple(lines)


def _next(folder: Path, study_file: Path, verdict: Verdict, jobs: Sequence[JobRow]) -> tuple[tuple[str, str], ...]:
    run = shlex.quote(str(folder))
    again = f"tuneoff run {shlex.quote(_from_here(study_file))} --out {run}"
    lines = []
    if any(job.status == "failed" for job in jobs):
        lines.append(("retry", f"{again} --retry-failed"))
    if verdict.unfinished:
        lines += [("go on", "raise the budget, or epochs under [train], then type"), ("", again)]
    if verdict.recommended:
        lines.append(("next", f"tuneoff predict {run} YOUR_RECORDS.jsonl"))
    if (folder / "best").is_dir():
        lines.append(("artifact", str(folder / "best")))
    page = folder / PAGE
    lines.append(("report", f"{page} (open it in a browser)" if page.is_file() else f"tuneoff report {run}"))
    return (*lines, ("more", f"tuneoff show {run} --all"))


def _from_here(path: Path) -> str:
    """As short as it can be typed in this folder."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)

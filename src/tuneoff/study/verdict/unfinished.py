"""Training that stopped before its curve was flat: whose it was, and what is said of it.

An unfinished arm could still get better, so it may win, and it has not lost: what is said against it holds so far.

    Unfinished: lora was still improving when it stopped; about 120 more steps, 4 minutes a seed, would show whether it
    has come to its end.
"""

from collections.abc import Collection, Iterable, Sequence
from statistics import median
from typing import Any

from tuneoff.study.outcome import JobRow
from tuneoff.study.verdict.judgement import Change, Standing, Verdict
from tuneoff.study.verdict.settling import listed

__all__ = ["changes_of", "more", "open_arms", "rising", "still_open", "training"]

GO_ON = "a larger budget, or more epochs under [train], and the same command again: it goes on from where it stopped"
WORST = ("improving", "unknown", "flat")


def training(jobs: Iterable[JobRow]) -> dict[str, Any]:
    """How far the seeds of an arm came, as fields of its standing: flat where all that are known are."""
    known = [job.progress for job in jobs if job.progress]
    if not known:
        return {}
    left = [progress for progress in known if not progress.finished]
    if not left:
        return {"training": "flat"}
    return {
        "training": min((progress.state for progress in left), key=WORST.index),
        "more_steps": round(median(progress.more_steps for progress in left)),
        "more_s": float(median(progress.more_s for progress in left)),
    }


def open_arms(rows: Iterable[Standing], out: Collection[str]) -> list[str]:
    """The unfinished arms of a study. out: those that break a limit of it, and so cannot win."""
    return [row.arm for row in rows if row.unfinished and row.arm not in out]


def changes_of(names: Iterable[str]) -> list[Change]:
    """What more training might change."""
    return [Change(kind="unfinished", arm=name, detail=GO_ON) for name in names]


def still_open(verdict: Verdict) -> str:
    """Whose training had not come to its end, and what would show it."""
    rows = [row for row in verdict.standings if row.arm in verdict.unfinished]
    said = [_of_one_state([row for row in rows if (row.training or "unknown") == state], state) for state in WORST]
    means = f"; {more(rows)}, would show whether {_its(rows, 'it has', 'they have')} come to {_its(rows)} end"
    return f"Unfinished: {' and '.join(filter(None, said))}{means if more(rows) else ''}."


def rising(row: Standing) -> str:
    """What is said of an unfinished arm that nothing beats."""
    what = "was still improving when it stopped" if row.training == "improving" else "was not shown to be at its end"
    return f"Its training {what}, so its figure could still rise{f' ({more([row])})' if more([row]) else ''}."


def more(rows: Sequence[Standing]) -> str:
    """about 120 more steps, 4 minutes a seed; empty where it is not known."""
    known = [row for row in rows if row.more_steps]
    if not known:
        return ""
    times = list(dict.fromkeys(_lasting(each(row.more_s for row in known)) for each in (min, max)))
    steps = " to ".join(str(each) for each in sorted({each(row.more_steps for row in known) for each in (min, max)}))
    several = any(row.seeds > 1 for row in known) or len(known) > 1
    return f"about {steps} more steps, {' to '.join(times)}{' a seed' if several else ''}"


def _of_one_state(rows: Sequence[Standing], state: str) -> str:
    if not rows:
        return ""
    were = _its(rows, "was", "were")
    if state == "improving":
        return f"{_names(rows)} {were} still improving when {_its(rows, 'it', 'they')} stopped"
    return f"{_names(rows)} {were} not shown to have come to {_its(rows)} end"


def _names(rows: Sequence[Standing]) -> str:
    return listed([row.arm for row in rows])


def _its(rows: Sequence[Standing], one: str = "its", several: str = "their") -> str:
    return one if len(rows) == 1 else several


def _lasting(seconds: float) -> str:
    if seconds < 90:
        whole = max(round(seconds), 1)
        return f"{whole} second{'s' * (whole > 1)}"
    return f"{round(seconds / 60)} minutes"

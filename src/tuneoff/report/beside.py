"""Figures beside quality as a report shows them, from the ledger's rows (study/axes/take.py), of each artifact.

    lora    first token after 181 ms, 14 tokens/s, drift 0.412, paraphrase drop +7.2 points, membership AUC 71 %

A figure that was not measured is a dash, and `missing` says why.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tuneoff.report.words import DASH, Measure, count, size
from tuneoff.study.outcome import AxisRow, JobRow
from tuneoff.study.verdict.judgement import Standing

__all__ = ["FIGURES", "BesideTable", "FigureWords", "beside"]

ALARM = 0.10  # better on training records by more than this, with an interval above 0


@dataclass(frozen=True, slots=True)
class FigureWords:
    """One column. short: its head in the terminal; empty: it stands on the page alone. of: what its n counts.

    bare: the number as people read it; unit: what stands behind it.
    """

    title: str
    short: str
    of: str
    bare: Callable[[float, Measure], str]
    unit: Callable[[Measure], str] = lambda measure: ""


def _milliseconds(value: float, measure: Measure) -> str:
    return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"


def _count(value: float, measure: Measure) -> str:
    return count(value)


def _size(value: float, measure: Measure) -> str:
    return size(value)


def _nats(value: float, measure: Measure) -> str:
    return f"{value:.3f}"


def _hundredths(value: float, measure: Measure) -> str:
    return f"{100 * value:.0f}"


def _figure(value: float, measure: Measure) -> str:
    return f"{measure.shown(value):.1f}" if measure.up else f"{value:.3f}"


def _difference(value: float, measure: Measure) -> str:
    return measure.difference(value)


def _lost(value: float, measure: Measure) -> str:
    return measure.difference(value if measure.up else -value)


def _per_cent(measure: Measure) -> str:
    return " %"


def _metric_unit(measure: Measure) -> str:
    return measure.unit


def _difference_unit(measure: Measure) -> str:
    return f" {measure.difference_unit}"


FIGURES = {
    "first_token_ms_1": FigureWords("time to first token", "first\ntoken", "requests", _milliseconds),
    "first_token_ms_16": FigureWords("time to first token, 16 requests at once", "", "requests", _milliseconds),
    "tokens_per_s_1": FigureWords("tokens per second", "", "requests", _count),
    "tokens_per_s_16": FigureWords("tokens per second, 16 requests at once", "", "requests", _count),
    "cache_bytes_1": FigureWords("KV cache of a request", "", "requests", _size),
    "cache_bytes_16": FigureWords("KV cache of 16 requests", "", "requests", _size),
    "retention_drift": FigureWords("drift from the base model, nats per token", "\ndrift", "texts", _nats),
    "reworded": FigureWords("score on paraphrased instructions", "", "records", _figure, _metric_unit),
    "reworded_gap": FigureWords("paraphrase drop", "paraphrase\ndrop", "records", _lost, _difference_unit),
    "memorised": FigureWords(
        "membership AUC (50 %: nothing memorised)", "membership\nAUC", "records", _hundredths, _per_cent
    ),
    "overfit": FigureWords("train-validation gap", "train-val.\ngap", "records", _difference, _difference_unit),
    "copied": FigureWords("training answers copied", "answers\ncopied", "answers", _hundredths, _per_cent),
}


@dataclass(frozen=True, slots=True)
class BesideTable:
    """figures: {arm: {name: row}}, in the order of the standings. columns: the names that some arm has a value of.

    missing: per reason, which arms lack what. alarms: who learned its training records by heart, a sentence each.
    """

    figures: dict[str, dict[str, AxisRow]]
    columns: tuple[str, ...]
    measure: Measure
    missing: tuple[str, ...]
    alarms: tuple[str, ...]

    def value(self, arm: str, name: str) -> str:
        row = self.figures[arm].get(name)
        if row is None or row.value is None:
            return DASH
        return FIGURES[name].bare(row.value, self.measure) + FIGURES[name].unit(self.measure)

    def interval(self, arm: str, name: str) -> str:
        """Empty where there is none."""
        row, words = self.figures[arm].get(name), FIGURES[name]
        if row is None or row.low is None or row.high is None:
            return ""
        ends = sorted((words.bare(end, self.measure) for end in (row.low, row.high)), key=float)
        return f"{ends[0]} to {ends[1]}{words.unit(self.measure)}"

    def counted(self, arm: str, name: str) -> str:
        row = self.figures[arm].get(name)
        return f"{row.n} {FIGURES[name].of}" if row is not None and row.value is not None and row.n else ""

    def stands_on(self, names: Iterable[str]) -> str:
        """How much is behind the columns: measured on 8 texts (drift), 12 records (paraphrase drop, membership AUC)."""
        found: dict[str, list[str]] = {}
        for name in names:
            ns = [row[name].n for row in self.figures.values() if name in row and row[name].n]
            if ns:
                span = f"{min(ns)}" if min(ns) == max(ns) else f"{min(ns)} to {max(ns)}"
                words = " ".join((FIGURES[name].short or FIGURES[name].title).split())
                found.setdefault(f"{span} {FIGURES[name].of}", []).append(words)
        return "measured on " + ", ".join(f"{span} ({', '.join(names)})" for span, names in found.items())


def beside(
    standings: Sequence[Standing], jobs: Iterable[JobRow], rows: Iterable[AxisRow], measure: Measure
) -> BesideTable:
    """Gather the figures of each arm's artifact. measure: of the metric that decided."""
    by_job: dict[str, dict[str, AxisRow]] = {}
    for row in rows:
        if row.name in FIGURES:
            by_job.setdefault(row.job, {})[row.name] = row
    handed = {(job.arm, job.folder): by_job[job.key] for job in jobs if job.key in by_job}
    figures = {one.arm: handed[one.arm, one.artifact] for one in standings if (one.arm, one.artifact) in handed}
    known = {name for own in figures.values() for name, row in own.items() if row.value is not None}
    columns = tuple(name for name in FIGURES if name in known)
    return BesideTable(figures, columns, measure, _missing(figures, columns), _alarms(figures, measure))


def _missing(figures: dict[str, dict[str, AxisRow]], columns: Sequence[str]) -> tuple[str, ...]:
    arms: dict[str, dict[str, None]] = {}
    for arm, own in figures.items():
        for name in columns:
            if name in own and own[name].value is None:
                arms.setdefault(own[name].why, {})[arm] = None
    return tuple(f"{', '.join(named)}: {why}" for why, named in arms.items())


def _alarms(figures: dict[str, dict[str, AxisRow]], measure: Measure) -> tuple[str, ...]:
    """Only of a score, which is counted in points."""
    found = [(arm, own["overfit"]) for arm, own in figures.items() if "overfit" in own]
    return tuple(
        f"{arm} is {measure.difference(row.value).lstrip('+')} points better on records that it was trained on than on "
        f"validation records (95 % interval {measure.between(row.low, row.high)}, {row.n} records of each): it learned "
        "some of them by heart. More records, fewer epochs or a smaller update may help."
        for arm, row in found
        if measure.up and row.value is not None and row.value > ALARM and row.low is not None and row.low > 0
    )

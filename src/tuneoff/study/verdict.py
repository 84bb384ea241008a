"""From the ledger's rows to the verdict: who is best, by how much, at what cost, and how sure that is.

    verdict = judge(ledger, metric="accuracy", others=("nll",), task=task, families=families,
                    random_arms={"lora"}, margin=0.01, study="tickets", arms=("majority", "zero_shot", "lora"))
    write_verdict(verdict, folder / "verdict.json")

The verdict is a view: the same ledger gives the same verdict, and nothing is kept between calls.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean, median

import numpy as np

from tuneoff.core.cost import Cost
from tuneoff.core.errors import StudyError
from tuneoff.core.files import write_text
from tuneoff.core.plugins import load
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Metric
from tuneoff.stats.decide import Beats, cheapest, finalists, winners
from tuneoff.stats.many import ALPHA, holm
from tuneoff.stats.paired import Paired
from tuneoff.stats.power import settle, visible
from tuneoff.study.figure import Sample, Scale, compared, figure, scale_of
from tuneoff.study.judgement import Contrast, Standing, Verdict
from tuneoff.study.measured import Measured, Untested, measure, test_rows
from tuneoff.study.store import Ledger
from tuneoff.study.words import notes, reason

__all__ = ["judge", "read_verdict", "write_verdict"]

VERSION = 1


def judge(
    ledger: Ledger,
    *,
    metric: str,
    others: Sequence[str],
    task: Task,
    families: Mapping[str, str],
    random_arms: Collection[str],
    margin: float,
    study: str,
    arms: Sequence[str],
) -> Verdict:
    """The verdict on a ledger.

    metric: the plugin that decides; others: further ones to report. families: by arm. random_arms: those that
    another seed changes. margin: differences inside it are practically equal. arms: all that were asked for.
    """
    judged_by: Metric = load("metrics", metric)()
    measured, untested, records, unscored = measure(ledger, judged_by, arms, random_arms)
    extra = {name: _means(ledger, load("metrics", name)(), measured, records) for name in others}
    rest = [_blank(arm, families, metric) for arm in untested]
    standings, contrasts = [], []
    if measured:
        scale = scale_of(judged_by, [arm.rows_RSK for arm in measured])
        samples = {arm.arm: scale.sample(arm.rows_RSK) for arm in measured}
        standings = [_standing(arm, samples[arm.arm], scale, families, extra) for arm in measured]
        standings.sort(key=lambda row: -row.mean if judged_by.up else row.mean)
        contrasts, seen = _contrasts(measured, standings, samples, scale, margin)
    last = finalists({row.arm: row.mean for row in standings}, judged_by.up)
    best = winners(last, _settled(contrasts, judged_by.up))
    verdict = Verdict(
        metric=metric,
        winners=best,
        recommended=cheapest(best, {row.arm: _price(row.cost) for row in standings}),
        standings=(*standings, *rest),
        contrasts=tuple(contrasts),
        reason="",
        study=study,
        test_opened=int(ledger.meta("test_opened") or 0),
        unscored=unscored,
        facts={
            "task": task.name,
            "kind": task.kind,
            "up": judged_by.up,
            "margin": margin,
            "finalists": last,
            "constant": {arm.arm: arm.constant for arm in measured if arm.constant},
            "smallest_visible": seen if contrasts else None,
        },
    )
    return replace(verdict, reason=reason(verdict))


def write_verdict(verdict: Verdict, path: Path) -> None:
    """verdict.json, whole or not at all."""
    write_text(path, json.dumps(asdict(verdict), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_verdict(path: Path) -> Verdict:
    """The verdict that write_verdict wrote. Raises StudyError where there is none, or of another version."""
    if not path.is_file():
        raise StudyError(
            "this folder holds no verdict yet", where=path, fix="tuneoff run study.toml --out DIR ends in one"
        )
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        fix = "tuneoff run on the same folder writes it anew from the ledger"
        raise StudyError("the verdict cannot be read", where=path, found=error, fix=fix) from None
    if table.get("version") != VERSION:
        raise StudyError(
            "this verdict was written by another version of tuneoff",
            where=path,
            found=f"version {table.get('version')}",
            allowed=f"version {VERSION}",
            fix="tuneoff run on the same folder writes it anew from the ledger",
        )
    rows = {
        "standings": tuple(Standing(**row) for row in table["standings"]),
        "contrasts": tuple(Contrast(**row) for row in table["contrasts"]),
        "winners": tuple(table["winners"]),
    }
    return Verdict(**{**table, **rows})


def _standing(arm: Measured, sample: Sample, scale: Scale, families: Mapping[str, str], extra: Mapping) -> Standing:
    mean, low, high = figure(sample, scale)
    column = _handed_over(arm, scale.metric.up)
    own = figure(scale.sample(arm.rows_RSK[:, [column]]), scale)
    return Standing(
        arm=arm.arm,
        family=families[arm.arm],
        metric=scale.metric.name,
        mean=mean,
        low=low,
        high=high,
        n_test=len(arm.rows_RSK),
        seeds=len(arm.jobs),
        why=arm.why,
        seed_spread=_seed_spread(arm),
        validation=fmean(arm.validation.values()) if arm.validation else None,
        artifact_mean=own.mean,
        artifact_low=own.low,
        artifact_high=own.high,
        artifact=arm.jobs[column].folder,
        unreadable=arm.unreadable,
        trials=arm.trials,
        cost=_mean_cost([job.cost for job in arm.jobs]),
        others={name: means[arm.arm] for name, means in extra.items()},
    )


def _blank(arm: Untested, families: Mapping[str, str], metric: str) -> Standing:
    return Standing(
        arm=arm.arm,
        family=families[arm.arm],
        metric=metric,
        mean=None,
        low=None,
        high=None,
        n_test=0,
        seeds=0,
        status=arm.status,
        why=arm.why,
        validation=arm.validation,
        trials=arm.trials,
    )


def _seed_spread(arm: Measured) -> str:
    if not arm.random:
        return "none"
    return "included" if len(arm.jobs) > 1 else "unknown"


def _handed_over(arm: Measured, up: bool) -> int:
    """The column of the seed that is best on validation; the first one where validation says nothing."""
    worst = -np.inf if up else np.inf
    values = [arm.validation.get(job.key, worst) for job in arm.jobs]
    return int(np.argmax(values) if up else np.argmin(values))


def _mean_cost(costs: list[Cost]) -> dict[str, float | None]:
    """Column means over seeds."""
    return {name: _mean([cost.as_dict()[name] for cost in costs]) for name in costs[0].as_dict()}


def _price(cost: Mapping[str, float | None]) -> tuple[float | None, ...]:
    """What is paid at every request first, then what is kept, then what is paid once."""
    tokens = cost["prompt_tokens"]
    return None if tokens is None else round(tokens, 1), cost["artifact_bytes"], cost["train_s"]


def _means(ledger: Ledger, metric: Metric, measured: list[Measured], records: list[str]) -> dict[str, float | None]:
    """A further metric's mean over seeds, by arm, on the records compared; None where it scored none of them."""
    rows = test_rows(ledger, metric.name)

    def value(job: str) -> float | None:
        found = [rows[job][record].stats for record in records if record in rows.get(job, {})]
        scored = [stats for stats in found if stats is not None]
        return metric.pool(scored) if scored else None

    return {arm.arm: _mean([value(job.key) for job in arm.jobs]) for arm in measured}


def _mean(values: list[float | None]) -> float | None:
    """Of what is known; nothing known stays unknown."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _contrasts(
    measured: list[Measured], standings: list[Standing], samples: Mapping[str, Sample], scale: Scale, margin: float
) -> tuple[list[Contrast], float]:
    """All pairs of the finalists, the better one first, and the smallest difference such a pair would show."""
    arms = {arm.arm: arm for arm in measured}
    names = finalists({row.arm: row.mean for row in standings}, scale.metric.up)
    pairs = list(combinations(names, 2))
    tests = [compared(samples[a], samples[b], arms[a].seeds, arms[b].seeds, scale) for a, b in pairs]
    corrected = holm(np.array([test.p for test in tests]))
    still_open = max(int((corrected >= ALPHA).sum()), 1)
    rows = [
        _contrast(arms[a], arms[b], test, float(p), margin, still_open)
        for (a, b), test, p in zip(pairs, tests, corrected)
    ]
    return rows, median(visible(test.components, still_open) for test in tests) if tests else 0.0


def _contrast(a: Measured, b: Measured, test: Paired, p_holm: float, margin: float, still_open: int) -> Contrast:
    kind = _kind(test, p_holm, margin)
    more = settle(test.diff, test.components, margin, still_open) if kind == "open" else None
    unknown = [arm.arm for arm in (a, b) if _seed_spread(arm) == "unknown"]
    return Contrast(
        a=a.arm,
        b=b.arm,
        diff=test.diff,
        low=test.low,
        high=test.high,
        p=test.p,
        p_holm=p_holm,
        different=p_holm < ALPHA,
        kind=kind,
        more_records=more.records if more else None,
        more_seeds=more.seeds if more else None,
        note=notes(more, unknown),
    )


def _kind(test: Paired, p_holm: float, margin: float) -> str:
    if p_holm < ALPHA:
        return "different"
    return "practically_equal" if -margin <= test.low and test.high <= margin else "open"


def _settled(contrasts: list[Contrast], up: bool) -> list[Beats]:
    return [Beats(row.a, row.b) if (row.diff > 0) == up else Beats(row.b, row.a) for row in contrasts if row.different]

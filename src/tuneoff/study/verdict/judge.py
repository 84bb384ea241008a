"""From the ledger's rows to the verdict: who is best, by how much, at what cost, and how sure that is.

    verdict = judge(ledger, metric="accuracy", others=("nll",), task=task, traits=plan.traits, margin=0.01,
                    decision=spec.decision, study="tickets", arms=("majority", "zero_shot", "lora"))
    write_verdict(verdict, folder / "verdict.json")

The verdict is a view: the same ledger gives the same verdict, and nothing is kept between calls. Arms that break a
limit of the study leave before anything is compared.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tuneoff.core.errors import StudyError
from tuneoff.core.files import write_text
from tuneoff.core.plugins import load
from tuneoff.data.task import Task
from tuneoff.evaluation.metric import Metric
from tuneoff.stats.comparison import Comparison, compare
from tuneoff.study.spec import DecisionSpec
from tuneoff.study.store import Ledger
from tuneoff.study.traits import Traits
from tuneoff.study.verdict.changes import changes, left_out
from tuneoff.study.verdict.decision import Case
from tuneoff.study.verdict.judgement import Change, Contrast, Standing, Verdict
from tuneoff.study.verdict.limits import active, held
from tuneoff.study.verdict.measured import Measured, measure
from tuneoff.study.verdict.price import score
from tuneoff.study.verdict.scores import scores_of
from tuneoff.study.verdict.standing import axes_by_arm, blank, further, handed_over, ruled_out, standing
from tuneoff.study.verdict.unfinished import changes_of, open_arms
from tuneoff.study.verdict.words import words

__all__ = ["judge", "read_verdict", "write_verdict"]

VERSION = 5


def judge(
    ledger: Ledger,
    *,
    metric: str,
    others: Sequence[str],
    task: Task,
    traits: Mapping[str, Traits],
    margin: float,
    decision: DecisionSpec,
    study: str,
    arms: Sequence[str],
) -> Verdict:
    """The verdict on a ledger.

    metric: the plugin that decides; others: further ones to report. traits: by arm. margin: differences inside it are
    practically equal. decision: limits, and what settles the choice between winners. arms: all that were asked for.
    """
    judged_by: Metric = load("metrics", metric)()
    random = {name for name, own in traits.items() if own.random}
    measured, untested, records, unscored = measure(ledger, judged_by, arms, random)
    case = _case(ledger, measured, traits, judged_by, margin, decision)
    case.rows |= _with_others(case.rows, {name: further(ledger, _metric(name), measured, records) for name in others})
    missing = [blank(arm, traits[arm.arm], metric) for arm in untested]
    limits = held([*case.rows.values(), *missing], decision)
    decided = case.decided([name for name in case.rows if name not in limits.out])
    rows = [_last(row, limits.out) for row in [*_ranked(case, limits.out), *missing]]
    unfinished = open_arms(rows, limits.out)
    verdict = Verdict(
        metric=metric,
        winners=decided.winners,
        recommended=decided.recommended,
        standings=tuple(rows),
        contrasts=tuple(decided.contrasts),
        answer="",
        study=study,
        test_opened=int(ledger.meta("test_opened") or 0),
        unscored=unscored,
        changes=(*changes_of(unfinished), *changes(case, decided, missing, left_out(ledger.events()))),
        facts={
            "task": task.name,
            "kind": task.kind,
            "up": judged_by.up,
            "margin": margin,
            "compared": decided.compared,
            "constant": {arm.arm: arm.constant for arm in measured if arm.constant},
            "smallest_visible": decided.smallest_visible,
            "decision": _preference(decision),
            "unchecked": limits.unchecked,
            "front": decided.front,
            "unfinished": unfinished,
            "trials": _trials(rows),
            "sizes": {},
        },
    )
    return replace(verdict, **words(verdict)._asdict())


def _case(
    ledger: Ledger,
    measured: Sequence[Measured],
    traits: Mapping[str, Traits],
    metric: Metric,
    margin: float,
    decision: DecisionSpec,
) -> Case:
    """Rows of the tested arms, and how to compare some of them."""
    arms = {arm.arm: arm for arm in measured}
    scores = scores_of(metric, {name: arm.rows_RSK for name, arm in arms.items()})
    alike = {name: "trained" if traits[name].trains else "drawn" for name in arms}

    def compare_some(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Comparison:
        return compare(
            {name: scores.x[name] for name in names},
            margin=margin,
            bounds=scores.bounds,
            deterministic=[name for name in names if not arms[name].random],
            groups={name: alike[name] for name in names},
            artifact={name: handed_over(arms[name], metric.up) for name in names},
            pairs=pairs,
        )

    rows: dict[str, Standing] = {}
    if arms:
        found = compare_some(list(arms), ())
        axes = axes_by_arm(ledger, measured)
        rows = {
            name: replace(standing(arm, traits[name], found, scores), axes=axes[name]) for name, arm in arms.items()
        }
    if decision.weights:
        rows = {name: replace(row, score=score(row, decision.weights, metric.up)) for name, row in rows.items()}
    return Case(rows, compare_some, margin=margin, up=metric.up, choice=decision)


def _metric(name: str) -> Metric:
    return load("metrics", name)()


def _with_others(rows: Mapping[str, Standing], figures: Mapping[str, Mapping[str, float | None]]) -> dict:
    return {
        name: replace(row, others={metric: means[name] for metric, means in figures.items()})
        for name, row in rows.items()
    }


def _ranked(case: Case, out: Collection[str]) -> list[Standing]:
    """Best first; those that are ruled out behind the others, in the order asked for."""
    sign = -1 if case.up else 1
    return sorted(case.rows.values(), key=lambda row: (row.arm in out, 0 if row.arm in out else sign * row.mean))


def _last(row: Standing, out: Mapping[str, str]) -> Standing:
    """A failure says more than a limit that the arm would have broken."""
    return ruled_out(row, out[row.arm]) if row.arm in out and row.status in ("tested", "not run") else row


def _preference(decision: DecisionSpec) -> dict:
    limits = active(decision)
    return {"cost": decision.cost, "prefer": decision.prefer, "limits": limits, "weights": dict(decision.weights)}


def _trials(rows: Sequence[Standing]) -> dict[str, dict[str, int]]:
    """Settings tried, by family and arm."""
    table: dict[str, dict[str, int]] = {}
    for row in rows:
        table.setdefault(row.family, {})[row.arm] = row.trials
    return table


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
        "changes": tuple(Change(**row) for row in table["changes"]),
        "flags": tuple(table.get("flags", ())),
        **{key: tuple(table[key]) for key in ("winners", "reasons", "caveats")},
    }
    return Verdict(**{**table, **rows})

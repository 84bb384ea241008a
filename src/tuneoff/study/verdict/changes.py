"""What would change the recommendation: computed from the figures that made it, never guessed.

    evidence    open contrasts of the recommended arm, and how many records or seeds would settle each
    price       the rates (points of quality per unit of the chosen cost) at which another arm is worth most
    limit       a limit without which another arm would be recommended: the decision is made again without it
    dropped     arms that left the race before the test
    left out    what the budget had no room for

One limit is lifted at a time; prices are compared between the winners and the arms on the front, in plain means.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isinf

from tuneoff.stats.decide import bargains
from tuneoff.study.verdict.decision import Case, Decided
from tuneoff.study.verdict.judgement import Change, Contrast, Standing
from tuneoff.study.verdict.limits import active, held, without
from tuneoff.study.verdict.price import AXES, quality

__all__ = ["changes", "left_out"]

Event = Mapping[str, object]


def changes(case: Case, decided: Decided, blank: Iterable[Standing], cuts: Iterable[str]) -> tuple[Change, ...]:
    """All of them. blank: arms without a test figure. cuts: what the budget left out, one sentence each."""
    return (
        *_evidence(case, decided),
        *_prices(case, decided),
        *_limits(case, decided),
        *(Change(kind="dropped", arm=row.arm, detail=row.why) for row in blank if row.status == "dropped"),
        *(Change(kind="left out", detail=cut) for cut in cuts),
    )


def left_out(events: Iterable[Event]) -> list[str]:
    """What the budget of the latest run left out. A verdict ends a run; work or another list begins the next one."""
    found: dict[str, None] = {}
    ended = False
    for event in events:
        if event["what"] == "verdict":
            ended = True
        elif event["what"] == "after all":
            found.pop(str(event["detail"]), None)
        elif event["what"] in ("left out", "start"):
            if ended:
                found, ended = {}, False
            if event["what"] == "left out":
                found[str(event["detail"])] = None
    return list(found)


def _evidence(case: Case, decided: Decided) -> list[Change]:
    best = decided.recommended
    return [
        Change(
            kind="evidence",
            arm=row.b if row.a == best else row.a,
            gain=(row.diff if (row.b == best) == case.up else -row.diff) + 0.0,  # 0, not -0
            records=row.more_records,
            seeds=row.more_seeds,
            together=row.together,
        )
        for row in decided.contrasts
        if best in (row.a, row.b) and row.kind == "open"
    ]


def _prices(case: Case, decided: Decided) -> list[Change]:
    axis = case.choice.cost
    names = list(dict.fromkeys([*decided.winners, *decided.front]))
    cost = {name: AXES[axis].figure(case.rows[name]) for name in names}
    worth = {name: _worth(case, name, cost[name]) for name in names if cost[name] is not None}
    worth = {name: value for name, value in worth.items() if value is not None}
    ranges = bargains(worth, {name: cost[name] for name in worth})
    return [
        Change(
            kind="price",
            arm=name,
            axis=axis,
            low=found.low,
            high=None if isinf(found.high) else found.high,
            sure=_sure(decided.contrasts, name, decided.recommended),
        )
        for name, found in ranges.items()
        if name != decided.recommended
    ]


def _worth(case: Case, name: str, cost: float) -> float | None:
    """Points before the chosen cost is paid; the other costs go off where the study weighs them."""
    weights, row = case.choice.weights, case.rows[name]
    if not weights:
        return quality(row, case.up)
    paid = weights.get(case.choice.cost, 0.0) * cost
    return None if row.score is None else (row.score + paid) / weights.get("quality", 1.0)


def _sure(contrasts: Sequence[Contrast], a: str, b: str | None) -> bool:
    return any(row.different for row in contrasts if {row.a, row.b} == {a, b})


def _limits(case: Case, decided: Decided) -> list[Change]:
    found = []
    for key, limit in active(case.choice).items():
        out = held(case.rows.values(), without(case.choice, key)).out
        again = case.decided([name for name in case.rows if name not in out]).recommended
        if again and again != decided.recommended:
            value = None if isinstance(limit, bool) else limit
            found.append(Change(kind="limit", arm=again, axis=key, limit=value))
    return found

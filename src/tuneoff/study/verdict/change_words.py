"""What would change the recommendation, in words: one sentence or two a change, made from its figures alone.

few_shot is 1.2 points ahead of lora as measured, which is open: about 900 more test records would settle it. If it
is shown to be ahead, lora is no longer recommended.
zero_shot (60.3 %) is preferred if a prompt token costs 1.5 points or more; it is measurably worse than lora.
Without max_latency_ms = 100, full would be recommended.
lora had not come to its end: about 120 more steps, 4 minutes, would tell. To go on: a larger budget, ...
"""

from tuneoff.stats.power import More
from tuneoff.study.verdict.judgement import Change, Standing, Verdict
from tuneoff.study.verdict.phrases import amount, gap
from tuneoff.study.verdict.price import AXES
from tuneoff.study.verdict.settling import settling
from tuneoff.study.verdict.unfinished import more

__all__ = ["told"]


def told(change: Change, verdict: Verdict) -> str:
    """One change of this verdict."""
    return WORDS[change.kind](change, verdict)


def _evidence(change: Change, verdict: Verdict) -> str:
    best, up = verdict.recommended, verdict.facts["up"]
    ahead = change.gain > 0
    side = "ahead of" if ahead else "behind" if change.gain < 0 else "level with"
    by = f"{gap(abs(change.gain), up)} " if change.gain else ""
    more = settling(More(change.records, change.seeds, change.together))
    then = f" If it is shown to be ahead, {best} is no longer recommended." if ahead else ""
    return f"{change.arm} is {by}{side} {best} as measured, which is open: {more}.{then}"


def _price(change: Change, verdict: Verdict) -> str:
    unit, up, row = AXES[change.axis].unit, verdict.facts["up"], _row(verdict, change.arm)
    points = "points" if up else "nats"
    if change.high is None and change.low == 0:
        rate = f"0 {points} or more: it costs no more and its mean is better"
    elif change.high is None:
        rate = f"{change.low:.2g} {points} or more"
    elif change.low == 0:
        rate = f"less than {change.high:.2g} {points}"
    else:
        rate = f"{change.low:.2g} to {change.high:.2g} {points}"
    head = f"{change.arm} ({amount(row.mean, up)}) is preferred if a {unit} costs {rate}"
    return f"{head}; {_standing(change, verdict)}."


def _standing(change: Change, verdict: Verdict) -> str:
    """How sure the figures under a price are."""
    best, up = verdict.recommended, verdict.facts["up"]
    if change.sure:
        better = (_row(verdict, change.arm).mean > _row(verdict, best).mean) == up
        so_far = " so far" if change.arm in verdict.unfinished or best in verdict.unfinished else ""
        return f"it is measurably {'better' if better else 'worse'} than {best}{so_far}"
    kinds = [one.kind for one in verdict.contrasts if {one.a, one.b} == {change.arm, best}]
    if not kinds:
        return f"it was not tested against {best}"
    if kinds[0] == "practically_equal":
        return "the two are practically equal"
    return "that is as measured, the two being too close to call"


def _limit(change: Change, verdict: Verdict) -> str:
    limit = change.axis if change.limit is None else f"{change.axis} = {change.limit:g}"
    return f"Without {limit}, {change.arm} would be recommended."


def _dropped(change: Change, verdict: Verdict) -> str:
    return f"{change.arm} left the race before the test ({change.detail}), so it was not compared."


def _unfinished(change: Change, verdict: Verdict) -> str:
    needs = more([_row(verdict, change.arm)])
    means = f": {needs}, would tell" if needs else ""
    return f"{change.arm} had not come to its end{means}. To go on: {change.detail}."


def _left_out(change: Change, verdict: Verdict) -> str:
    return f"A larger budget would have room for more: {change.detail.rstrip('.')}."


def _row(verdict: Verdict, name: str) -> Standing:
    return next(row for row in verdict.standings if row.arm == name)


WORDS = {
    "unfinished": _unfinished,
    "evidence": _evidence,
    "price": _price,
    "limit": _limit,
    "dropped": _dropped,
    "left out": _left_out,
}

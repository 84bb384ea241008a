"""Plotly figures as plain values: {"data": [...], "layout": {...}}.

Colours are words that begin with @ (@accent, @muted, @arm3); the page puts in the colours of the light or the dark
theme before it draws. Names are escaped, because plotly reads HTML in its texts.

    standings(facts)      one dot an arm with its 95 % interval, the best at the top
    quality(facts)        one figure a cost: the metric against it, on a log axis that keeps a place for 0
    curves(facts)         figure and likelihood on validation and training loss after so many records, one line a job
    sizes(facts)          validation by number of training records, one line a family, with 95 % intervals
"""

import math
from collections.abc import Iterable, Sequence
from html import escape
from textwrap import wrap

from tuneoff.report.facts import Axis, Curve, Facts, Point, Row
from tuneoff.report.words import COSTS, Measure, marks

__all__ = ["curves", "quality", "sizes", "standings"]

COLOURS = {"recommended": "@accent", "winner": "@second", "tested": "@muted"}
ARM_COLOURS = 8
NAME_LETTERS = 22
TOGETHER = 0.06
"of the span of an axis: dots nearer than that share a label"
DASHES = ("solid", "dash", "dot", "dashdot")


def standings(facts: Facts) -> dict:
    said = marks(facts.verdict)
    traces = [
        _dots([row for row in facts.judged if row.mark == mark], mark, said[mark], facts.measure)
        for mark in COLOURS
        if any(row.mark == mark for row in facts.judged)
    ]
    names = [escape(row.standing.arm) for row in reversed(facts.judged)]
    unit = facts.measure.unit.strip()  # on the axis, not at each number: a phone has little room
    layout = _layout(f"{facts.measure.title}, {unit}", "", height=90 + 40 * len(names))
    layout["showlegend"] = False  # the page has the key
    layout["yaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": names, "showgrid": False}
    layout["yaxis"] |= {"tickvals": names, "ticktext": [_folded(row.standing.arm) for row in reversed(facts.judged)]}
    layout["yaxis"]["range"] = [-0.6, len(names) - 0.4]
    return {"data": traces, "layout": layout}


def _folded(name: str) -> str:
    """A long name on several lines, broken between words."""
    return "<br>".join(escape(line) for line in wrap(name, NAME_LETTERS, break_long_words=False)) or escape(name)


def _dots(rows: Sequence[Row], mark: str, name: str, measure: Measure) -> dict:
    shown = [row.standing for row in rows]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [measure.shown((one.mean if one.high is None else one.high) - one.mean) for one in shown],
        "arrayminus": [measure.shown(one.mean - (one.mean if one.low is None else one.low)) for one in shown],
        "color": COLOURS[mark],
        "thickness": 2.5,
        "width": 0,
    }
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [measure.shown(one.mean) for one in shown],
        "y": [escape(one.arm) for one in shown],
        "error_x": bars,
        "marker": {"size": 13, "color": COLOURS[mark]},
        "text": [
            f"{escape(one.arm)}<br>{measure.figure(one.mean)} ({measure.interval(one.low, one.high)})<br>"
            f"{one.n_test} records, {one.seeds} seeds"
            for one in shown
        ],
        "hoverinfo": "text",
    }


def quality(facts: Facts) -> list[dict]:
    """One entry a cost axis that has points: {"name": its words, "figure": ..., "unknown": [arms]}."""
    return [
        {"name": COSTS[axis.key].title, "figure": _against(axis, facts), "unknown": list(axis.unknown)}
        for axis in facts.axes
        if axis.points
    ]


def _against(axis: Axis, facts: Facts) -> dict:
    measure, write = facts.measure, COSTS[axis.key].write
    said = marks(facts.verdict)
    zero, ticks = _log_ticks([point.cost for point in axis.points])
    places = {value: write(value) for value in ticks} | ({zero: "0"} if zero else {})
    low, high = math.log10(min(places)), math.log10(max(places))
    room = max(0.12 * (high - low), 0.1)
    layout = _layout(COSTS[axis.key].title, measure.title, height=400)
    layout["showlegend"] = False
    layout["yaxis"]["ticksuffix"] = measure.unit
    layout["xaxis"] |= {
        "type": "log",
        "tickvals": list(places),
        "ticktext": list(places.values()),
        "range": [low - room, high + room],
    }
    traces = [_front(axis, measure, zero)] if axis.front else []
    labels = _labels(axis.points, zero)
    for mark, colour in COLOURS.items():
        points = [point for point in axis.points if point.mark == mark]
        at = [point.cost or zero for point in points]
        if points:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers+text",
                    "name": said[mark],
                    "meta": mark,
                    "x": at,
                    "y": [measure.shown(point.mean) for point in points],
                    "text": [labels[point.arm] for point in points],
                    "textposition": [_side(math.log10(x), low, high) for x in at],
                    "textfont": {"color": "@ink"},
                    "cliponaxis": False,
                    "marker": {"size": 13, "color": colour},
                    "hovertext": [f"{escape(p.arm)}<br>{measure.figure(p.mean)}<br>{write(p.cost)}" for p in points],
                    "hoverinfo": "text",
                }
            )
    return {"data": traces, "layout": layout}


def _front(axis: Axis, measure: Measure, zero: float | None) -> dict:
    """The front as steps: what the best arm so far gives, until a dearer one is better."""
    places = {point.arm: point for point in axis.points}
    points = [places[arm] for arm in axis.front]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "front: none tested is better for less",
        "x": [point.cost or zero for point in points],
        "y": [measure.shown(point.mean) for point in points],
        "line": {"color": "@second", "width": 1.5, "dash": "dot", "shape": "hv"},
        "hoverinfo": "skip",
    }


def _labels(points: Sequence[Point], zero: float | None) -> dict[str, str]:
    """What stands beside each dot: of dots that lie together one has the names of all, the others none."""
    places = {point.arm: (math.log10(point.cost or zero), point.mean) for point in points}
    spans = [max(max(side) - min(side), 1e-9) for side in zip(*places.values())]
    groups: list[list[str]] = []
    for arm, place in places.items():
        group = next((group for group in groups if _near(places[group[0]], place, spans)), None)
        if group is None:
            groups.append([arm])
        else:
            group.append(arm)
    labels = dict.fromkeys(places, "")
    for first, *others in groups:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        labels[first] = escape(", ".join([first, *others[:1]])) + more
    return labels


def _near(a: tuple[float, float], b: tuple[float, float], spans: Sequence[float]) -> bool:
    return all(abs(x - y) < TOGETHER * span for x, y, span in zip(a, b, spans))


def _side(place: float, low: float, high: float) -> str:
    return "middle right" if place <= (low + high) / 2 else "middle left"


def _log_ticks(costs: Sequence[float]) -> tuple[float | None, list[float]]:
    """(where to draw 0 or None, ticks) of a log axis: decades, or 1 2 5 where there are few."""
    above = [cost for cost in costs if cost > 0]
    if not above:
        return 1.0, []
    low, high = math.floor(math.log10(min(above))), math.ceil(math.log10(max(above)))
    steps = (1,) if high - low > 3 else (1, 2, 5)
    marks = [step * 10.0**power for power in range(low, high + 1) for step in steps]
    first = max((mark for mark in marks if mark <= min(above)), default=marks[0])
    last = min((mark for mark in marks if mark >= max(above)), default=marks[-1])
    kept = [mark for mark in marks if first <= mark <= last]
    zero = first / (10.0 if len(steps) == 1 else 4.0)
    return (zero if len(above) < len(costs) else None), kept


def curves(facts: Facts) -> list[dict]:
    """The views of the learning curves: on validation the figure, then the likelihood; training loss. Those that have
    points."""
    loss, likely = Measure("training loss", up=False), Measure("likelihood", up=True)
    return [
        {"name": name, "figure": figure}
        for name, field, measure in (
            (f"{facts.measure.title} on validation", "value", facts.measure),
            ("likelihood of right answers on validation", "likelihood", likely),
            ("training loss", "loss", loss),
        )
        if (figure := _view(facts, name, field, measure))["data"]
    ]


def _view(facts: Facts, name: str, field: str, measure: Measure) -> dict:
    arms = list(dict.fromkeys(curve.arm for curve in facts.curves))
    layout = _layout("training records seen", name, height=420)
    layout["yaxis"]["ticksuffix"] = measure.unit
    if field == "value":
        layout |= _level(facts)
    return {"data": list(_lines(facts, arms, field, measure)), "layout": layout}


def _lines(facts: Facts, arms: Sequence[str], field: str, measure: Measure) -> Iterable[dict]:
    named = set()
    for curve in facts.curves:
        kept = [at for at, y in enumerate(getattr(curve, field)) if y is not None]
        if not kept:
            continue
        points = [(curve.records[at], getattr(curve, field)[at]) for at in kept]
        marks, remarks = _events(curve, kept)
        name = escape(curve.arm)
        who = f"{name}, seed {curve.seed + 1}" + (f", trial {curve.trial + 1}" if curve.trial else "")
        yield {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "legendgroup": name,
            "showlegend": name not in named,
            "x": [x for x, _ in points],
            "y": [measure.shown(y) for _, y in points],
            "line": {
                "color": f"@arm{arms.index(curve.arm) % ARM_COLOURS}",
                "width": 2,
                "dash": DASHES[curve.trial % len(DASHES)],
            },
            "marker": {"size": [6 if mark == "circle" else 10 for mark in marks], "symbol": marks},
            "hovertext": [f"{who}<br>{x} records: {measure.figure(y)}{told}" for (x, y), told in zip(points, remarks)],
            "hoverinfo": "text",
        }
        named.add(name)


def _events(curve: Curve, kept: Sequence[int]) -> tuple[list[str], list[str]]:
    """The symbol of each point that is drawn, and what is said at it: an end too early."""
    symbols, remarks = ["circle"] * len(kept), [""] * len(kept)
    if curve.unfinished:
        symbols[-1], remarks[-1] = "circle-open", "<br>stopped before the curve was flat"
    return symbols, remarks


def _level(facts: Facts) -> dict:
    """A dotted line where the best arm that is not tuned stands, if there is one."""
    others = [row.standing for row in facts.rows if not row.standing.tuned]
    known = [one for one in others if one.validation is not None]
    if not known:
        return {}
    best = (max if facts.measure.up else min)(known, key=lambda one: one.validation)
    level = facts.measure.shown(best.validation)
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level}
    words = {
        "xref": "paper",
        "x": 0,
        "y": level,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "text": f"{escape(best.arm)}, not tuned",
    }
    return {"shapes": [line | {"line": {"color": "@muted", "dash": "dot", "width": 1.5}}], "annotations": [words]}


def _layout(x: str, y: str, *, height: int) -> dict:
    axis = {"gridcolor": "@grid", "linecolor": "@grid", "zeroline": False, "automargin": True, "fixedrange": True}
    return {
        "height": height,
        "margin": {"l": 16, "r": 24, "t": 24, "b": 40},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "@ink", "family": "system-ui, sans-serif", "size": 14},
        "hoverlabel": {"align": "left"},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "itemclick": False},
        "xaxis": axis | {"title": {"text": escape(x), "standoff": 12}, "tickangle": 0, "nticks": 7},
        "yaxis": axis | {"title": {"text": escape(y), "standoff": 12}},
    }


def sizes(facts: Facts) -> list[dict]:
    """One figure where the study asked for a learning curve over data sizes; else none."""
    curves = facts.verdict.facts["sizes"].get("curves", [])
    if not curves:
        return []
    layout = _layout("training records", facts.measure.title, height=380)
    layout["xaxis"]["type"] = "log"
    layout["yaxis"]["ticksuffix"] = facts.measure.unit
    lines = [_size_line(curve, at, facts.measure) for at, curve in enumerate(curves)]
    return [{"name": "", "figure": {"data": lines, "layout": layout}}]


def _size_line(curve: dict, at: int, measure: Measure) -> dict:
    points = curve["points"]
    colour = f"@arm{at % ARM_COLOURS}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"{curve['family']} ({escape(curve['arm'])})",
        "x": [point["records"] for point in points],
        "y": [measure.shown(point["mean"]) for point in points],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [measure.shown(point["high"] - point["mean"]) for point in points],
            "arrayminus": [measure.shown(point["mean"] - point["low"]) for point in points],
            "color": colour,
            "thickness": 1,
        },
        "line": {"color": colour},
        "text": [
            f"{point['records']} training records<br>{measure.figure(point['mean'])} "
            f"({measure.interval(point['low'], point['high'])}), n = {point['n']}"
            for point in points
        ],
        "hoverinfo": "text+name",
    }

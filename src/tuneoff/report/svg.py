"""The standings as a small picture without any library: a dot an arm, a line for its 95 % interval.

It has no background, and takes light or dark ink from the reader's setting, so it sits on either kind of page.
"""

import math
from html import escape

from tuneoff.report.words import Measure
from tuneoff.study.verdict.judgement import Standing, Verdict

__all__ = ["standings_svg"]

WIDTH, ROW, TOP, BOTTOM, RIGHT = 760, 40, 44, 44, 96
LETTER = 8.2  # the widest a letter of the 15 px font is on average; names longer than 30 letters are cut
LONGEST = 30

STYLE = """
text { font: 15px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #24292f }
.small { font-size: 13px; fill: #656d76 } .strong { font-weight: 600 }
.grid { stroke: #d0d7de; stroke-width: 1 }
.tested { stroke: #8c959f; fill: #8c959f } .winner { stroke: #54a3a5; fill: #54a3a5 }
.recommended { stroke: #0b7285; fill: #0b7285 } .bar { stroke-width: 3; stroke-linecap: round }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
.tested { stroke: #7d8590; fill: #7d8590 } .winner { stroke: #3f8f96; fill: #3f8f96 }
.recommended { stroke: #4fd1d9; fill: #4fd1d9 } }
"""


def standings_svg(verdict: Verdict) -> str:
    """An <svg> text. Arms without a test figure are left out."""
    measure = Measure(verdict.metric, verdict.facts["up"])
    rows = [one for one in verdict.standings if one.mean is not None]
    left = 24 + LETTER * max((min(len(one.arm), LONGEST) for one in rows), default=0)
    height = TOP + ROW * len(rows) + BOTTOM
    ticks = _ticks(rows)
    scale = _Scale(left, WIDTH - RIGHT, ticks[0], ticks[-1])
    body = [
        *_grid(ticks, scale, height, measure),
        *(_row(one, at, verdict, scale, measure) for at, one in enumerate(rows)),
    ]
    words = escape(f"{measure.title} on {rows[0].n_test} sealed test records, with 95 % intervals" if rows else "")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img"'
            ' aria-labelledby="title desc">',
            f'<title id="title">{escape(verdict.study or "Standings")}</title>',
            f'<desc id="desc">{escape(verdict.reason)}</desc>',
            f"<style>{STYLE}</style>",
            f'<text class="small" x="{left:.0f}" y="22">{words}</text>',
            *body,
            "</svg>\n",
        ]
    )


class _Scale:
    """Values to pixels."""

    def __init__(self, left: float, right: float, low: float, high: float):
        self.left, self.right, self.low, self.high = left, right, low, high

    def __call__(self, value: float) -> str:
        return f"{self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left):.1f}"


def _ticks(rows: list[Standing]) -> list[float]:
    """Four to seven round values that hold all intervals."""
    values = [value for one in rows for value in (one.mean, one.low, one.high) if value is not None] or [0.0, 1.0]
    span = max(max(values) - min(values), 0.01)
    power = 10 ** math.floor(math.log10(span / 4))
    step = next(power * by for by in (1, 2, 5, 10) if power * by >= span / 5)
    first, last = math.floor(min(values) / step + 1e-9), math.ceil(max(values) / step - 1e-9)
    return [round(step * at, 10) for at in range(first, max(last, first + 1) + 1)]


def _grid(ticks: list[float], scale: _Scale, height: int, measure: Measure) -> list[str]:
    foot, small = height - BOTTOM + 6, 'class="small" text-anchor="middle"'
    return [
        f'<line class="grid" x1="{scale(tick)}" x2="{scale(tick)}" y1="{TOP - 8}" y2="{foot}"/>'
        f'<text {small} x="{scale(tick)}" y="{foot + 20}">{measure.shown(tick):.4g}{measure.unit}</text>'
        for tick in ticks
    ]


def _row(one: Standing, at: int, verdict: Verdict, scale: _Scale, measure: Measure) -> str:
    y = TOP + ROW * at + ROW / 2
    mark = "recommended" if one.arm == verdict.recommended else "winner" if one.arm in verdict.winners else "tested"
    strong = " strong" if mark == "recommended" else ""
    name = one.arm if len(one.arm) <= LONGEST else one.arm[: LONGEST - 1] + "…"
    low, high = (one.mean if edge is None else edge for edge in (one.low, one.high))
    return (
        f'<text class="{strong.strip() or "name"}" x="{scale.left - 16:.0f}" y="{y + 5:g}" text-anchor="end">'
        f"{escape(name)}</text>"
        f'<line class="bar {mark}" x1="{scale(low)}" x2="{scale(high)}" y1="{y:g}" y2="{y:g}"/>'
        f'<circle class="{mark}" cx="{scale(one.mean)}" cy="{y:g}" r="6.5"/>'
        f'<text class="number{strong}" x="{WIDTH - 8}" y="{y + 5:g}" text-anchor="end">'
        f"{measure.figure(one.mean)}</text>"
    )

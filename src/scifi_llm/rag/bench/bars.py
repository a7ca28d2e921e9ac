"""A bar chart of measures with their intervals: one SVG file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from .plot import STYLE

# Okabe and Ito's colours, which the colour-blind tell apart; readable on white and on black.
COLOURS = ("#009e73", "#e69f00", "#0072b2")
BAR, GAP, HEIGHT, LEFT, TOP, BOTTOM = 22, 26, 300, 48, 56, 40

Bar = tuple[float, float, float]  # value and its interval, from 0 to 1


def chart(title: str, groups: Mapping[str, Mapping[str, Bar]]) -> str:
    """`groups`: measure -> series -> bar; the series are the same in every group."""
    series = list(next(iter(groups.values())))
    each = len(series) * BAR + GAP
    width = LEFT + len(groups) * each + GAP
    parts = [f'<text x="{LEFT}" y="20">{escape(title)}</text>']
    for number, name in enumerate(series):
        x = LEFT + number * 130
        parts.append(
            f'<rect x="{x}" y="30" width="12" height="12" fill="{COLOURS[number]}"/>'
            f'<text x="{x + 18}" y="41">{escape(name)}</text>'
        )
    for step in range(6):
        y = _height(step / 5)
        kind = "axis" if step == 0 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{width - GAP}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{step / 5:.1f}</text>'
        )
    for place, (measure, bars) in enumerate(groups.items()):
        left = LEFT + GAP / 2 + place * each
        middle = left + len(series) * BAR / 2
        parts.append(
            f'<text x="{middle:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle" '
            f'style="font-size:12px">{escape(measure)}</text>'
        )
        for number, name in enumerate(series):
            parts.append(_bar(left + number * BAR, COLOURS[number], bars[name]))
    size = f'width="{max(width, 460)}" height="{HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>'
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def _bar(x: float, colour: str, bar: Bar) -> str:
    value, low, high = (min(max(part, 0.0), 1.0) for part in bar)
    top, middle = _height(value), x + (BAR - 4) / 2
    return (
        f'<rect x="{x:.1f}" y="{top:.1f}" width="{BAR - 4}" height="{_height(0) - top:.1f}" '
        f'fill="{colour}"><title>{value:.3f} ({low:.3f} to {high:.3f})</title></rect>'
        f'<line class="axis" x1="{middle:.1f}" x2="{middle:.1f}" y1="{_height(low):.1f}" '
        f'y2="{_height(high):.1f}"/>'
    )


def _height(value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value

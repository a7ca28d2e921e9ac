# ruff: noqa: E501  # markup is read as a whole
"""Line and bar charts as inline SVG, in the page's colours: they follow dark and light."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

COLOURS = ("--a", "--b", "--c", "--d", "--e", "--f")
WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 20, 48
Estimate = dict[str, Any]


def _ceiling(value: float) -> float:
    """A round number that is not below the value."""
    if value <= 0:
        return 1.0
    step = 10 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(step * k for k in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 20) if step * k >= value)


def _top(estimates: Sequence[Estimate]) -> float:
    return _ceiling(max((e.get("high") or e["mean"] or 0 for e in estimates), default=1))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def _frame(top: float) -> list[str]:
    out = []
    for i in range(5):
        y = TOP + (HEIGHT - TOP - BOTTOM) * i / 4
        out.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        label = _number(top * (4 - i) / 4)
        out.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" font-size="12">{label}</text>'
        )
    return out


def _legend(names: Sequence[str]) -> str:
    marks = [
        f'<span><svg viewBox="0 0 10 10" style="width:.7rem;height:.7rem" aria-hidden="true">'
        f'<rect width="10" height="10" fill="var({COLOURS[i % len(COLOURS)]})"/></svg> {escape(name)}</span>'
        for i, name in enumerate(names)
    ]
    return '<div style="display:flex;flex-wrap:wrap;gap:.2rem 1.2rem">' + "".join(marks) + "</div>"


def _figure(title: str, parts: Sequence[str], names: Sequence[str]) -> str:
    inner = "".join(parts)
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{inner}</svg>'
        f"{_legend(names)}</figure>"
    )


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(value, top) / top)


def _error(x: float, estimate: Estimate, top: float, colour: str) -> str:
    if estimate.get("low") is None:
        return ""
    low, high = _y(estimate["low"], top), _y(estimate["high"], top)
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="var({colour})" stroke-width="2"/>'


def lines(
    title: str, series: Sequence[tuple[str, Sequence[tuple[float, Estimate]]]], unit: str, top: float = 0.0
) -> str:  # fmt: skip
    """A line for each series over equally spaced values of x; intervals as upright lines."""
    series = [(n, [(x, e) for x, e in points if e["mean"] is not None]) for n, points in series]
    places = sorted({x for _, points in series for x, _ in points})
    if not places:
        return ""
    top = top or _top([e for _, points in series for _, e in points])
    step = (WIDTH - LEFT - RIGHT) / max(1, len(places))
    at = {x: LEFT + step * (i + 0.5) for i, x in enumerate(places)}
    parts = _frame(top)
    for x in places:
        parts.append(
            f'<text x="{at[x]:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" font-size="12">{_number(x)}</text>'
        )
    parts.append(
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle" font-size="12">{escape(unit)}</text>'
    )
    for i, (_, points) in enumerate(series):
        colour, path = (
            COLOURS[i % len(COLOURS)],
            " ".join(f"{at[x]:.1f},{_y(e['mean'], top):.1f}" for x, e in points),
        )
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="var({colour})" stroke-width="2"/>'
        )
        for x, e in points:
            parts.append(
                f'<circle cx="{at[x]:.1f}" cy="{_y(e["mean"], top):.1f}" r="4" fill="var({colour})"/>'
            )
            parts.append(_error(at[x], e, top, colour))
    return _figure(title, parts, [name for name, _ in series])


def bars(
    title: str, groups: Sequence[tuple[str, Sequence[tuple[str, Estimate]]]], top: float = 100.0
) -> str:
    """A bar for each name of each group; the names stand below, intervals on the bars."""
    names = list(dict.fromkeys(name for _, values in groups for name, _ in values))
    if not names:
        return ""
    step = (WIDTH - LEFT - RIGHT) / len(names)
    width = min(48.0, step * 0.8 / len(groups))
    parts = _frame(top)
    for k, name in enumerate(names):
        middle = LEFT + step * (k + 0.5)
        parts.append(
            f'<text x="{middle:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" font-size="12">{escape(name)}</text>'
        )
        for i, (_, values) in enumerate(groups):
            estimate = dict(values).get(name)
            if not estimate or estimate["mean"] is None:
                continue
            x, y = middle + width * (i - len(groups) / 2), _y(estimate["mean"], top)
            colour = COLOURS[i % len(COLOURS)]
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width * 0.9:.1f}" height="{HEIGHT - BOTTOM - y:.1f}" fill="var({colour})" fill-opacity="0.75"/>'
            )
            parts.append(_error(x + width * 0.45, estimate, top, "--ink"))
    return _figure(title, parts, [name for name, _ in groups])

"""The chart of a session: one SVG file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

# Okabe and Ito's colours, which the colour-blind tell apart; readable on white and on black.
COLOURS = {"stable": "#009e73", "tail": "#e69f00", "system": "#d55e00"}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 460, 300, 56, 46, 44, 84
STYLE = (
    "text{font:13px sans-serif;fill:#222}.axis{stroke:#888}.grid{stroke:#8883}"
    "@media(prefers-color-scheme:dark){svg{background:#1b1b1b}text{fill:#ddd}}"
)


def chart(placements: dict[str, Any]) -> str:
    """Two panels side by side: seconds to the first token, and tokens not read from the cache."""
    first = {name: _of(found, "first_token_s") for name, found in placements.items()}
    fresh = {
        name: [turn["prompt_tokens"] - turn["cached_tokens"] for turn in found["turns"]]
        for name, found in placements.items()
    }
    panels = [
        panel("Seconds to the first token", first, 0),
        panel("Prompt tokens computed, not read from cache", fresh, WIDTH),
    ]
    size = f'width="{2 * WIDTH}" height="{HEIGHT}" viewBox="0 0 {2 * WIDTH} {HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>'
    return "\n".join([head, *panels, "</svg>"]) + "\n"


def _of(found: dict[str, Any], key: str) -> list[float]:
    return [turn[key] for turn in found["turns"]]


def panel(title: str, lines: Mapping[str, Sequence[float]], x: int) -> str:
    """One panel: a line for each placement, named at its end."""
    most = _round_up(max(max(values) for values in lines.values()))
    turns = max(len(values) for values in lines.values())

    def at(turn: int, value: float) -> tuple[float, float]:
        across = (WIDTH - LEFT - RIGHT) * (turn - 1) / max(1, turns - 1)
        return LEFT + across, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / most

    parts = [f'<g transform="translate({x} 0)"><text x="{LEFT}" y="22">{escape(title)}</text>']
    for step in range(5):
        value = most * step / 4
        left, y = at(1, value)
        kind = "axis" if step == 0 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{left}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for turn in range(1, turns + 1):
        left, y = at(turn, 0)
        parts.append(f'<text x="{left:.1f}" y="{y + 18:.1f}" text-anchor="middle">{turn}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">turn</text>')
    for (name, values), label in zip(lines.items(), _labels(lines, at), strict=True):
        points = " ".join("{:.1f},{:.1f}".format(*at(i, v)) for i, v in enumerate(values, 1))
        colour = COLOURS.get(name, "#888")
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
            f'<text x="{WIDTH - RIGHT + 8}" y="{label:.1f}" style="fill:{colour}">'
            f"{escape(name)}</text>"
        )
    return "".join([*parts, "</g>"])


def _labels(lines: Mapping[str, Sequence[float]], at: Any) -> list[float]:
    """Heights of the names at the lines' ends, moved apart where they would overlap."""
    ends = {name: at(len(values), values[-1])[1] + 4 for name, values in lines.items()}
    last = -100.0
    for name in sorted(ends, key=lambda name: ends[name]):
        ends[name] = last = max(ends[name], last + 15)
    return [ends[name] for name in lines]


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 8 times a power of ten, so that a fourth of it is a short number."""
    power = 1.0
    while power < value:
        power *= 10
    return next((power * part for part in (0.1, 0.2, 0.4, 0.8) if power * part >= value), power)

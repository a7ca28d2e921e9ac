# ruff: noqa: E501  # markup is read as a whole
"""The sections of the report: a table and plots for each benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from . import charts
from .score_files import PARTS


def cell(estimate: dict[str, Any] | None, digits: int = 1) -> str:
    """A mean with its interval."""
    if not estimate or estimate.get("mean") is None:
        return "-"
    text = f"{estimate['mean']:.{digits}f}"
    if estimate.get("low") is not None:
        text += f" <small>({estimate['low']:.{digits}f} to {estimate['high']:.{digits}f})</small>"
    return text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the cells are HTML."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _label(data: dict[str, Any]) -> str:
    return str(data["model"]) + (" with canon" if data["parameters"].get("proxy") else "")


def throughput(found: list[dict[str, Any]]) -> str:
    """Section of benchmark 1."""
    rows, lines = [], []
    for data in found:
        for row in data["summary"]["rows"]:
            keys = (
                "output_throughput",
                "request_goodput",
                "mean_ttft_ms",
                "mean_tpot_ms",
                "mean_itl_ms",
            )
            cells = [cell(row[key]) for key in keys]
            rows.append([escape(_label(data)), row["dataset"], str(row["concurrency"]), *cells])
        mine = [r for r in data["summary"]["rows"] if r["dataset"] == "fiction"]
        lines.append((_label(data), [(r["concurrency"], r["output_throughput"]) for r in mine]))
    head = ("model", "prompts", "at once", "tokens/s", "goodput/s", "TTFT ms", "TPOT ms", "ITL ms")
    plot = charts.lines(
        "Fiction-shaped prompts: tokens/s by requests at once", lines, "requests at once"
    )
    return "<h2>1. Throughput</h2>" + plot + table(head, rows)


def scaling(found: list[dict[str, Any]]) -> str:
    """Section of benchmark 2."""
    rows, first, speed = [], [], []
    for data in found:
        sizes = data["summary"]["sizes"]
        for row in sizes:
            rows.append(
                [escape(_label(data)), f"{row['size']}", cell(row["cold_ttft"], 2), cell(row["cached_ttft"], 2),
                 cell(row["cold_tokens_per_second"]), cell(row["cached_tokens_per_second"])]
            )  # fmt: skip
        for name in ("cold", "cached"):
            first.append(
                (f"{_label(data)}, {name}", [(r["size"], r[f"{name}_ttft"]) for r in sizes])
            )
        speed.append((_label(data), [(r["size"], r["cold_tokens_per_second"]) for r in sizes]))
    head = (
        "model",
        "prompt tokens",
        "TTFT cold s",
        "TTFT cached s",
        "tokens/s cold",
        "tokens/s cached",
    )
    return (
        "<h2>2. Context</h2>"
        + charts.lines("Seconds to the first token by prompt length", first, "prompt tokens")
        + charts.lines("Tokens/s by prompt length", speed, "prompt tokens")
        + table(head, rows)
    )


def creative(found: list[dict[str, Any]]) -> str:
    """Section of benchmark 3."""
    rows, groups = [], []
    for data in found:
        for tone, row in data["summary"]["tones"].items():
            rate = "-" if row["completion_rate"] is None else f"{row['completion_rate']:.0%}"
            cells = [cell(row[part]) for part in PARTS]
            rows.append(
                [
                    escape(_label(data)),
                    tone,
                    str(row["texts"]),
                    rate,
                    str(row["length"]),
                    str(row["errors"]),
                    *cells,
                ]
            )
        groups.append(
            (_label(data), [(tone, r["overall"]) for tone, r in data["summary"]["tones"].items()])
        )
    head = ("model", "tone", "texts", "completed", "cut off", "errors", *PARTS)
    note = (
        "<p>Distance from human pages of the same length, 0 to 100; human pages score 74 and more, "
        "loops, lists and word salad 31 and less. Completed: ended by the model; target over 80 %.</p>"
    )
    return (
        "<h2>3. Prose</h2>"
        + note
        + charts.bars("Overall score by tone", groups)
        + table(head, rows)
    )


def coherence(found: list[dict[str, Any]]) -> str:
    """Section of benchmark 4."""
    rows, lines = [], []
    for data in found:
        for name, story in data["summary"]["stories"].items():
            label = data["model"] + (f", {name}" if name != "plain" else "")
            rows.append(
                [escape(label), str(story["words"]), cell(story["recall"], 2), str(story["effective_words"] or "-"),
                 "-" if story["contradictions"] is None else str(story["contradictions"])]
            )  # fmt: skip
            lines.append((label, [(p["depth"], p["recall"]) for p in story["curve"]]))
    head = (
        "model and story",
        "words",
        "recall",
        "effective words",
        "facts contradicted in the story",
    )
    plot = charts.lines(
        "Share of facts recalled by words since they were told", lines, "words", top=1.0
    )
    return "<h2>4. Coherence</h2>" + plot + table(head, rows)


def comparison(found: list[dict[str, Any]]) -> str:
    """Ranks of the models, where intervals allow them."""
    parts = [
        "<h2>Comparison</h2><p>A rank counts the models that are better beyond both intervals: equal ranks are undecided.</p>"
    ]
    for data in found[-1:]:
        names = [item["key"] for item in data["items"]]
        head = ("measure", *names)
        rows = []
        for measure in data["summary"]["measures"]:
            cells = []
            for name in names:
                rank = measure["ranks"].get(name)
                shown = f" <b>#{rank}</b>" if rank else ""
                cells.append(cell(measure["estimates"].get(name), 2) + shown)
            rows.append([escape(measure["name"]), *cells])
        parts.append(table(head, rows))
    return "".join(parts)


SECTIONS = {
    "comparison": comparison, "throughput": throughput, "scaling": scaling, "creative": creative,
    "coherence": coherence,
}  # fmt: skip

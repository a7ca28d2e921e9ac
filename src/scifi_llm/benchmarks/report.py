# ruff: noqa: E501  # markup is read as a whole
"""One HTML page of the results of a folder: tables, plots as inline SVG, nothing from outside.

`python -m scifi_llm.benchmarks.report [DIR]` writes DIR/report.html; every benchmark does so when
it ends. Per kind and model the newest result counts, finished ones before those cut short.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..console import Parser, log_ok, run_main
from ..errors import ToolkitError
from . import charts, results
from .score_files import PARTS

NAME = "report.html"
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #5b6673;
  --line: #d5dbe2; --a: #1f6feb; --b: #c2410c; --c: #15803d; --d: #7c3aed; --e: #b45309; --f: #be185d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #10151b; --soft: #9aa7b4;
  --line: #303a45; --a: #6cb0ff; --b: #ff9e64; --c: #5fd38d; --d: #b79cff; --e: #f0c05a; --f: #ff8fc0; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
p, figcaption, small { color: var(--soft); } code { font-size: .9em; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; }
figure { margin: 1rem 0; } svg { width: 100%; height: auto; } svg text { fill: var(--ink); }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); }
"""


def newest(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Kind -> the newest result of each model, in the order of their names."""
    found: dict[tuple[str, str, bool], dict[str, Any]] = {}
    for file in sorted(folder.rglob("*.json")):
        data = results.load(file)
        if data and data.get("benchmark") in results.KINDS and data["summary"]:
            key = (data["benchmark"], data["model"], bool(data["parameters"].get("proxy")))
            old = found.get(key)
            if not old or (data["complete"], data["started"]) >= (old["complete"], old["started"]):
                found[key] = data
    kinds: dict[str, list[dict[str, Any]]] = {}
    for (kind, _, _), data in sorted(found.items()):
        kinds.setdefault(kind, []).append(data)
    return kinds


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


def page(kinds: dict[str, list[dict[str, Any]]]) -> str:
    """The whole page."""
    every = [data for found in kinds.values() for data in found]
    runs = [
        [escape(d["benchmark"]), escape(d["model"]), d["started"], "yes" if d["complete"] else "cut short",
         str(d["seed"]), escape(d["versions"]["server"] or "-"), escape(d["machine"]["cpu"]),
         escape(", ".join(d["machine"]["gpus"]) or "none"), escape(d["git"]["commit"][:10] or "-")]
        for d in every
    ]  # fmt: skip
    head = ("benchmark", "model", "started", "complete", "seed", "server", "CPU", "GPU", "commit")
    body = "".join(SECTIONS[kind](kinds[kind]) for kind in SECTIONS if kind in kinds)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><title>Benchmarks</title>'
        f"<style>{STYLE}</style></head><body><h1>Benchmarks</h1>"
        "<p>Means with 95 % bootstrap intervals in brackets.</p>"
        f"{body}<h2>Runs</h2>{table(head, runs)}</body></html>\n"
    )


def write(folder: Path) -> Path | None:
    """Write the report of a folder; None where it holds no result."""
    kinds = newest(folder)
    if not kinds:
        return None
    file = folder / NAME
    file.write_text(page(kinds), encoding="utf-8")
    return file


def main() -> int:
    """Entry of `python -m scifi_llm.benchmarks.report`."""
    parser = Parser(prog="report", description="Write report.html of a folder of results.")
    parser.add_argument("folder", nargs="?", default=str(results.RESULTS), metavar="DIR")
    file = write(Path(parser.parse_args().folder))
    if not file:
        raise ToolkitError("No results there.", "Run: vllm/benchmarks/2_context_scaling.py --quick")
    log_ok(f"Written: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))

# ruff: noqa: E501  # markup is read as a whole
"""One HTML page of the results of a folder: tables, plots as inline SVG, nothing from outside.

`python -m scifi_llm.benchmarks.report [DIR]` writes DIR/report.html; every benchmark does so when
it ends. Per kind and model the newest result counts, finished ones before those cut short.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import Any

from ..console import Parser, log_ok, run_main
from ..errors import ToolkitError
from . import results
from .sections import SECTIONS, table

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

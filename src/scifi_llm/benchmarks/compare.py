"""Results of several models side by side; ranked only where their intervals do not overlap.

`vllm/benchmarks/5_model_comparison.sh` runs it: `python -m scifi_llm.benchmarks.compare DIR`, and
`… compare --missing DIR` to ask which benchmarks a model's folder lacks.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..console import Parser, log_ok, run_main
from ..errors import ToolkitError
from . import report, results
from .results import Run
from .statistics import ranks
from .target import Target

PARTS = {
    "throughput": "1_throughput.sh", "scaling": "2_context_scaling.py",
    "creative": "3_creative_quality.py", "coherence": "4_long_context_coherence.py",
}  # fmt: skip


def of_folder(folder: Path) -> dict[str, dict[str, Any]]:
    """Kind -> the newest finished result of a model's folder."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("*.json")):
        data = results.load(file)
        if data and data["complete"] and data["benchmark"] in PARTS:
            found[data["benchmark"]] = data
    return found


Measure = tuple[str, bool, Any]  # name, whether high is good, estimate


def _prose(summary: dict[str, Any]) -> list[Measure]:
    parts = ("overall", "vocabulary", "structure", "creativity")
    # A model that writes nothing that could be scored has no score to rank: that shows here.
    enough = [("texts with prose enough to score", True, summary["scored"])]
    return enough + [(f"prose, {part}", True, summary[part]) for part in parts]


def _speed(summary: dict[str, Any]) -> list[Measure]:
    label = "tokens/s, {dataset} prompts, {concurrency} at once"
    return [(label.format(**row), True, row["output_throughput"]) for row in summary["rows"]]


def _context(summary: dict[str, Any]) -> list[Measure]:
    label = "s to first token, {size} tokens cold"
    return [(label.format(**row), False, row["cold_ttft"]) for row in summary["sizes"]]


def _memory(summary: dict[str, Any]) -> list[Measure]:
    stories = summary["stories"].items()
    return [(f"facts recalled, {name}", True, story["recall"]) for name, story in stories]


READERS = {"creative": _prose, "throughput": _speed, "scaling": _context, "coherence": _memory}


def measures(found: dict[str, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Each measure with the estimates of all models and their ranks."""
    rows: dict[str, tuple[bool, dict[str, Any]]] = {}
    for model, kinds in found.items():
        for kind, read in READERS.items():
            for name, good, estimate in read(kinds[kind]["summary"]) if kind in kinds else []:
                rows.setdefault(name, (good, {}))[1][model] = estimate
    return [
        {
            "name": name,
            "high_is_good": good,
            "estimates": estimates,
            "ranks": ranks(estimates, good),
        }
        for name, (good, estimates) in rows.items()
    ]


def compare(folder: Path, quick: bool) -> Run:
    """Write the comparison of a folder with one folder a model, and its report."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for place in sorted(p for p in folder.iterdir() if p.is_dir()):
        if kinds := of_folder(place):
            found[next(iter(kinds.values()))["model"]] = kinds
    if not found:
        raise ToolkitError(
            f"{folder} holds no results.", "Run: vllm/benchmarks/5_model_comparison.sh"
        )
    target = Target("", ", ".join(found))
    run = results.start(
        "comparison", target, {"models": list(found), "quick": quick}, 1, str(folder), True
    )
    run.items = [
        {
            "key": model,
            "item_seconds": 0.0,
            "results": sorted(kinds),
            "missing": sorted(set(PARTS) - set(kinds)),
        }
        for model, kinds in found.items()
    ]
    run.finish(
        {"measures": measures(found)}, complete=all(not item["missing"] for item in run.items)
    )
    return run


def show(run: Run) -> None:
    """Print measures and ranks."""
    names = [item["key"] for item in run.items]
    for measure in run.data["summary"]["measures"]:
        print(measure["name"])
        for name in names:
            estimate, rank = measure["estimates"].get(name), measure["ranks"].get(name)
            if not estimate or estimate["mean"] is None:
                continue
            low, high = estimate["low"], estimate["high"]
            span = (
                f"{low:10.2f} to {high:.2f}"
                if low is not None
                else "         - too few repeats for a rank"
            )
            print(
                f"  {'#' + str(rank) if rank else '  '} {name:<44} {estimate['mean']:10.2f} {span}"
            )


def main() -> int:
    """Entry of `python -m scifi_llm.benchmarks.compare`."""
    parser = Parser(prog="compare", description="Compare the results of several models.")
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument(
        "--missing", action="store_true", help="print the scripts whose results DIR lacks"
    )
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    folder = Path(options.folder)
    if options.missing:
        there = of_folder(folder)
        print("\n".join(script for kind, script in PARTS.items() if kind not in there))
        return 0
    run = compare(folder, options.quick)
    show(run)
    file = report.write(folder)
    log_ok(f"Written: {run.file} and {file}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))

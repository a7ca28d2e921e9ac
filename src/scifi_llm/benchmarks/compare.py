"""Results of several models side by side; ranked only where their intervals do not overlap.

`vllm/benchmarks/5_model_comparison.sh` runs it: `python -m scifi_llm.benchmarks.compare DIR`, and
`… compare --done DIR MODEL` to ask whether a model's four results are there.
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

PARTS = ("throughput", "scaling", "creative", "coherence")


def of_folder(folder: Path) -> dict[str, dict[str, Any]]:
    """Kind -> the newest finished result of a model's folder."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("*.json")):
        data = results.load(file)
        if data and data["complete"] and data["benchmark"] in PARTS:
            found[data["benchmark"]] = data
    return found


def measures(found: dict[str, dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Each measure with the estimates of all models and their ranks."""
    rows: dict[str, tuple[bool, dict[str, Any]]] = {}

    def note(name: str, high_is_good: bool, model: str, estimate: Any) -> None:
        rows.setdefault(name, (high_is_good, {}))[1][model] = estimate

    for model, kinds in found.items():
        if "creative" in kinds:
            summary = kinds["creative"]["summary"]
            for part in ("overall", "vocabulary", "structure", "creativity"):
                note(f"prose, {part}", True, model, summary[part])
        if "throughput" in kinds:
            for row in kinds["throughput"]["summary"]["rows"]:
                label = f"{row['dataset']} prompts, {row['concurrency']} at once"
                note(f"tokens/s, {label}", True, model, row["output_throughput"])
        if "scaling" in kinds:
            for row in kinds["scaling"]["summary"]["sizes"]:
                note(f"s to first token, {row['size']} tokens cold", False, model, row["cold_ttft"])
        if "coherence" in kinds:
            for name, story in kinds["coherence"]["summary"]["stories"].items():
                note(f"facts recalled, {name}", True, model, story["recall"])
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
    places = sorted(p for p in folder.iterdir() if p.is_dir())
    found = {d["model"]: kinds for p in places if (kinds := of_folder(p)) for d in [next(iter(kinds.values()))]}  # fmt: skip
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
        "--done", action="store_true", help="exit 0 where DIR holds all four results"
    )
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    folder = Path(options.folder)
    if options.done:
        return 0 if set(of_folder(folder)) == set(PARTS) else 1
    run = compare(folder, options.quick)
    show(run)
    file = report.write(folder)
    log_ok(f"Written: {run.file} and {file}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))

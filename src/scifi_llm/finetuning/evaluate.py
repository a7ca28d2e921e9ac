"""Step 3: was the style learned, and was the text memorised? One report, before and after."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..console import log_next, log_ok, log_test, log_warn
from ..documents import read_folder
from ..errors import ToolkitError
from ..paths import EXAMPLE_WORLD
from .adapters import Adapter, adapter_parser, read_adapter
from .canaries import read_canaries
from .forms import Record
from .leakage import all_grams
from .ledger import check_folder, read_records
from .report import html
from .verdict import beyond_other, change, verdict

LEAST_PIECES = 5
SAME_TEXT = 0.01  # of its runs of words: another author may quote the same line


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of 3_evaluate.py."""
    parser = adapter_parser("3_evaluate.py", "Measure an adapter against its base model.")
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="what 1_prepare_data.py wrote (the run's own)")
    add(
        "--other",
        type=Path,
        metavar="DIR",
        default=EXAMPLE_WORLD / "chapters",
        help="another author's prose (the example world's chapters)",
    )
    add("--out", type=Path, metavar="DIR", help="folder of the report (ADAPTER/evaluation)")
    add(
        "--tokens", type=int, default=20_000, metavar="N", help="held-out tokens to measure (20000)"
    )
    add(
        "--words",
        type=int,
        default=2200,
        metavar="N",
        help="words of samples, before and after (2200)",
    )
    add("--sample-tokens", type=int, default=200, metavar="N", help="tokens of a sample (200)")
    add(
        "--openings",
        type=int,
        default=16,
        metavar="N",
        help="training texts whose continuation is asked for (16)",
    )
    return parser.parse_args(words)


def find_data(options: argparse.Namespace, adapter: Adapter) -> Path:
    """The prepared data: named, or those of the run.

    Raises ToolkitError where neither is there, or where it is not what was trained on.
    """
    recorded = adapter.run.get("data")
    if options.data is None and not recorded:
        raise ToolkitError(
            "The adapter does not say on what data it was trained.", "Name them: --data DIR"
        )
    folder = options.data or Path(str(recorded))
    check_folder(folder)
    from .train import data_mark

    if adapter.run and adapter.run.get("data_mark") != data_mark(folder):
        raise ToolkitError(
            f"{folder} is not what the adapter was trained on; other chapters may be held out.",
            "Prepare it as it was, or train again.",
        )
    return folder


def check_other(train: Sequence[Record], other: Sequence[Record], folder: Path) -> None:
    """Raises ToolkitError where the other author's prose is too little, or the author's own."""
    fix = "Name another author's prose: --other DIR"
    if len(other) < LEAST_PIECES:
        raise ToolkitError(f"{folder} holds too little prose.", fix)
    known = all_grams(record["text"] for record in other)
    if len(known & all_grams(record["text"] for record in train)) > SAME_TEXT * len(known):
        raise ToolkitError(f"{folder} holds text that the adapter was trained on.", fix)


def evaluate(options: argparse.Namespace, adapter: Adapter, data: Path) -> dict[str, Any]:
    """All numbers of the report."""
    from . import samples as measure
    from .scoring import load_pair
    from .training import has_gpu

    train, test = (read_records(data / f"{split}.jsonl") for split in ("train", "test"))
    other = measure.other_records(read_folder(options.other).sections)
    check_other(train, other, options.other)
    dtype = "bfloat16" if has_gpu() else "float32"
    log_test(f"Loading {adapter.base} with {adapter.folder}")
    pair = load_pair(adapter.folder, adapter.base, dtype)
    length = int(adapter.run.get("config", {}).get("max_length", 1024))
    half = options.tokens // 2
    own_losses = measure.measure_losses(
        pair, measure.take(test, half, length), length, "Held-out text"
    )
    other_losses = measure.measure_losses(
        pair, measure.take(other, half, length), length, "Another author"
    )
    made = measure.write_samples(pair, test, options.words, options.sample_tokens)
    texts = [" \n\n".join(record["text"] for record in records) for records in (train, test, other)]
    return {
        "adapter": str(adapter.folder.resolve()),
        "base": adapter.base,
        "data": str(data.resolve()),
        "other": str(options.other),
        "perplexity": {
            "author": asdict(change(own_losses)),
            "other": asdict(change(other_losses)),
            "author_beyond_other": beyond_other(own_losses, other_losses),
            "tokens": {
                "author": sum(x.tokens for x in own_losses),
                "other": sum(x.tokens for x in other_losses),
            },
            "pieces": {"author": len(own_losses), "other": len(other_losses)},
        },
        "delta": measure.measure_style(made, *texts),
        "memorisation": {
            **measure.measure_copies(pair, train, texts[1], made, options.openings, 60),
            "canaries": measure.measure_canaries(pair, read_canaries(data)),
        },
        "samples": made,
    }


def main() -> int:
    """Entry of fine-tuning/scripts/3_evaluate.py."""
    options = parse()
    adapter = read_adapter(options.adapter, options.base)
    data = find_data(options, adapter)
    if not options.other.is_dir():
        raise ToolkitError(
            f"{options.other} is not a folder.", "Name another author's prose: --other DIR"
        )
    from .training import quieten

    quieten()
    numbers = evaluate(options, adapter, data)
    numbers["verdict"] = verdict(numbers)
    if not numbers["delta"]["reliable"]:
        log_warn("The samples have fewer than 2,000 words: Delta is unsure. Raise --words.")
    out = options.out or options.adapter / "evaluation"
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(
        json.dumps(numbers, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )
    (out / "report.html").write_text(html(numbers), "utf-8")
    log_ok(numbers["verdict"])
    log_ok(f"{out / 'report.html'} and report.json")
    log_next(f"fine-tuning/scripts/5_serve_adapter.sh {options.adapter}")
    return 0

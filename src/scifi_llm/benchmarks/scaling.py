"""Time to the first token and tokens per second by length of the prompt, cold and cached.

`vllm/benchmarks/2_context_scaling.py` runs it. Every prompt begins with words of its own, so that
the first request finds nothing in the prefix cache and the second one everything.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..console import log_ok, log_test, log_warn
from ..paths import EXAMPLE_WORLD
from . import results
from .statistics import bootstrap
from .target import Target, arguments, ask, connect

PROGRAM = "2_context_scaling.py"
SIZES = (1024, 4096, 16384, 32768, 49152, 61440)
QUICK_SIZES = (256, 512, 1024)
ANSWER_TOKENS, QUICK_TOKENS = 128, 16
REPEATS = 3
COLUMNS = (
    "cold_prompt_tokens", "cold_ttft", "cached_ttft", "cold_tokens_per_second",
    "cached_tokens_per_second",
)  # fmt: skip
EPILOG = f"""\
sizes: {", ".join(f"{size // 1024}k" for size in SIZES)} tokens, as far as the window allows
examples:
  ./{PROGRAM}
  ./{PROGRAM} --sizes 1024 8192 --repeats 5
"""


def filler(tokens: int, seed: int) -> str:
    """Prose of about so many tokens that begins differently for every seed.

    Made of paragraphs of the example world's chapters in random order (1.3 tokens a word).
    """
    rng = random.Random(seed)
    paragraphs = [
        paragraph
        for file in sorted((EXAMPLE_WORLD / "chapters").glob("*.md"))
        for paragraph in file.read_text(encoding="utf-8").split("\n\n")[1:]
        if len(paragraph) > 40
    ]
    out, words = [f"Log {rng.randrange(10**9)}."], 0
    while words * 1.3 < tokens:
        paragraph = rng.choice(paragraphs)
        out.append(paragraph)
        words += len(paragraph.split())
    return " ".join("\n\n".join(out).split(" ")[: int(tokens / 1.3)])


def one(target: Target, size: int, seed: int, tokens: int) -> dict[str, Any]:
    """One prompt, sent twice: cold, then with its prefix in the cache."""
    text = filler(size - tokens - 60, seed)
    messages = [
        {"role": "user", "content": f"{text}\n\nContinue this story in plain prose for a page."}
    ]
    options: dict[str, Any] = {"max_tokens": tokens, "temperature": 0.7, "seed": seed}
    if target.proxy:
        options["rag"] = {"enabled": False}
    shown = {}
    for name in ("cold", "cached"):
        answer = ask(target, messages, **options)
        rate = answer.tokens_per_second
        shown[name] = {
            "ttft": round(answer.ttft, 4) if answer.ttft is not None else None,
            "tokens_per_second": round(rate, 2) if rate else None,
            "prompt_tokens": answer.prompt_tokens,
            "cached_tokens": answer.cached_tokens,
            "completion_tokens": answer.completion_tokens,
            "error": answer.error,
        }
    return {"size": size, "seed": seed, **shown}


def summarize(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A row for each size with means and intervals, cold and cached."""
    rows = []
    for size in sorted({item["size"] for item in items}):
        mine = [item for item in items if item["size"] == size]
        row: dict[str, Any] = {"size": size}
        for name in ("cold", "cached"):
            good = [i[name] for i in mine if not i[name]["error"]]
            for key in ("ttft", "tokens_per_second", "prompt_tokens"):
                row[f"{name}_{key}"] = bootstrap([g[key] for g in good if g[key] is not None])
        row["errors"] = sum(bool(i[n]["error"]) for i in mine for n in ("cold", "cached"))
        rows.append(row)
    return {"sizes": rows}


def parser() -> argparse.ArgumentParser:
    """The options of 2_context_scaling.py."""
    made = arguments(PROGRAM, "Measure speed by length of the prompt.", EPILOG)
    made.add_argument("--sizes", type=int, nargs="+", metavar="TOKENS", help="see below")
    made.add_argument("--repeats", type=int, metavar="N", help=f"default: {REPEATS}")
    return made


def main() -> int:
    """Entry of 2_context_scaling.py."""
    options = parser().parse_args()
    tokens = QUICK_TOKENS if options.quick else ANSWER_TOKENS
    sizes = options.sizes or (QUICK_SIZES if options.quick else SIZES)
    repeats = options.repeats or (1 if options.quick else REPEATS)
    if min(sizes) < tokens + 100 or repeats < 1:
        parser().error(f"--sizes must be {tokens + 100} or more, --repeats 1 or more")
    target = connect(options.base_url, options.model)
    fits = [size for size in sizes if not target.context or size <= target.context]
    for size in sorted(set(sizes) - set(fits)):
        log_warn(f"{size} tokens do not fit the server's window of {target.context}: left out")
    parameters = {"sizes": fits, "repeats": repeats, "max_tokens": tokens, "quick": options.quick}
    run = results.start("scaling", target, parameters, options.seed, options.out, options.fresh)
    log_test(f"{target.model}: {len(fits)} sizes, {repeats} repeats, cold and cached")
    work = [
        (f"{size}/{n}", partial(one, target, size, options.seed * 1000 + 10 * n + i, tokens))
        for n in range(repeats)
        for i, size in enumerate(fits)
    ]
    ask(target, [{"role": "user", "content": "Warm up."}], max_tokens=4)
    results.work_through(run, work, "Prompts", summarize)
    report(run.data["summary"])
    return 0


def report(summary: dict[str, Any]) -> None:
    """Print the table."""
    print(f"\n{'prompt':>8} {'TTFT cold':>10} {'cached':>8} {'tokens/s cold':>14} {'cached':>8}")
    for row in summary["sizes"]:
        cells = [row[key]["mean"] for key in COLUMNS]
        shown = [
            "-" if cell is None else f"{cell:.0f}" if i == 0 else f"{cell:.2f}"
            for i, cell in enumerate(cells)
        ]
        print(f"{shown[0]:>8} {shown[1]:>8} s {shown[2]:>6} s {shown[3]:>14} {shown[4]:>8}")
    print()
    log_ok("The first token of a cached prompt is what an unchanged beginning saves.")

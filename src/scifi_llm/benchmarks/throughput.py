"""Requests at the same time: `vllm bench serve` at several concurrencies, its JSON as our items.

`vllm/benchmarks/1_throughput.sh` runs it. Prompts are fiction-shaped (a custom dataset made of
the writing tests) and random ones; every repeat has a seed of its own, because a repeated prompt
would be answered from the prefix cache.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..console import log_next, log_test, run_main
from ..errors import ToolkitError
from ..openai_api import sync_client
from . import results
from .scaling import filler
from .statistics import bootstrap
from .target import Target, arguments, ask, connect
from .tones import SYSTEM_PROMPTS, TESTS

PROGRAM = "1_throughput.sh"
CONCURRENCY, QUICK_CONCURRENCY = (1, 4, 9, 16), (2,)
REPEATS, QUICK_REPEATS = 3, 1
DATASETS = ("fiction", "random")
INPUT, OUTPUT = 1024, 256  # tokens of a prompt, of an answer
QUICK_INPUT, QUICK_OUTPUT = 128, 16
# What a writer still calls prompt: first token within 3 s, then 10 tokens/s (faster than reading).
GOODPUT = ("ttft:3000", "tpot:100")
KEYS = (
    "completed", "duration", "request_throughput", "request_goodput", "output_throughput",
    "total_token_throughput", "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms", "mean_tpot_ms",
    "median_tpot_ms", "p99_tpot_ms", "mean_itl_ms", "median_itl_ms", "p99_itl_ms",
)  # fmt: skip
SHOWN = ("output_throughput", "request_goodput", "mean_ttft_ms", "mean_tpot_ms", "mean_itl_ms")
EPILOG = f"""\
goodput: share of requests a second that keep {" and ".join(GOODPUT)} (milliseconds)
examples:
  vllm/benchmarks/{PROGRAM}
  vllm/benchmarks/{PROGRAM} --concurrency 1 9 --repeats 5
"""


def prompts(count: int, tokens: int, seed: int) -> list[str]:
    """Fiction-shaped prompts: some pages of a story, then a writing task; all different."""
    rng = random.Random(seed)
    made = []
    for i in range(count):
        task = rng.choice(list(TESTS.values()))
        tone = rng.choice(list(SYSTEM_PROMPTS.values()))
        pages = filler(max(40, tokens - 150), seed * 1000 + i)
        made.append(f"{pages}\n\n{tone}\n\n{task}")
    return made


def tokenizer_of(target: Target) -> str:
    """Folder or hub name of the model's tokenizer: what the server calls the model's root."""
    with sync_client(target.base_url, target.api_key) as client:
        entries = client.get("models").json().get("data", [])
    mine: dict[str, Any] = next((e for e in entries if e.get("id") == target.model), {})
    return str(mine.get("root") or target.model)


def vllm_version() -> tuple[int, int]:
    """Major and minor version of the vLLM beside this Python; its options differ between versions.

    Raises ToolkitError where there is none.
    """
    try:
        found = re.match(r"(\d+)\.(\d+)", version("vllm"))
    except PackageNotFoundError:
        found = None
    if not found:
        raise ToolkitError("vLLM is not installed here.", "Run: vllm/setup/4_install_vllm.sh")
    return int(found[1]), int(found[2])


def command(
    known: tuple[int, int],
    target: Target,
    tokenizer: str,
    dataset: Sequence[str],
    more: Sequence[str],
) -> list[str]:
    """The words of one call of `vllm bench serve`."""
    vllm = str(Path(sys.executable).with_name("vllm"))
    backend = "--backend" if known >= (0, 11) else "--endpoint-type"
    words = [
        vllm, "bench", "serve", backend, "openai-chat", "--endpoint", "/v1/chat/completions",
        "--base-url", target.base_url.removesuffix("/v1"), "--model", tokenizer,
        "--served-model-name", target.model, *dataset, *more,
        "--percentile-metrics", "ttft,tpot,itl,e2el", "--save-result", "--disable-tqdm",
        "--goodput", *GOODPUT,
    ]  # fmt: skip
    return words + (["--num-warmups", "1"] if known >= (0, 32) else [])


def run(
    words: Sequence[str], folder: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Ctrl+C leaves no child behind, even while it is being started.

    subprocess.run loses a child that was forked when the signal came and had not begun its program.
    """
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        child = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder,
            env=environment,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    with child:
        try:
            if pressed:
                raise KeyboardInterrupt
            out, errors = child.communicate()
        except BaseException:
            child.kill()
            raise
    return subprocess.CompletedProcess(words, child.returncode, out, errors)


def one(
    known: tuple[int, int], target: Target, tokenizer: str, name: str, concurrency: int, seed: int,
    sizes: tuple[int, int],
) -> dict[str, Any]:  # fmt: skip
    """One measurement. Raises ToolkitError with the last lines where vLLM's benchmark fails."""
    count, (length, answer) = max(4, 2 * concurrency), sizes
    with tempfile.TemporaryDirectory() as scratch:
        if name == "fiction":
            file = Path(scratch) / "prompts.jsonl"
            lines = (json.dumps({"prompt": p}) for p in prompts(count, length, seed))
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            dataset = ["--dataset-name", "custom", "--dataset-path", str(file),
                       "--custom-output-len", str(answer), "--skip-chat-template"]  # fmt: skip
        else:
            dataset = ["--dataset-name", "random", "--random-input-len", str(length),
                       "--random-output-len", str(answer)]  # fmt: skip
        more = ["--num-prompts", str(count), "--max-concurrency", str(concurrency),
                "--seed", str(seed), "--result-dir", scratch,
                "--result-filename", "result.json"]  # fmt: skip
        environment = {**os.environ, "OPENAI_API_KEY": target.api_key or "EMPTY"}
        done = run(command(known, target, tokenizer, dataset, more), scratch, environment)
        result = Path(scratch) / "result.json"
        if done.returncode or not result.exists():
            last = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
            raise ToolkitError(f"vllm bench serve failed: {last}", "Is the server still up?")
        data = json.loads(result.read_text(encoding="utf-8"))
    values = {key: data.get(key) for key in KEYS}
    return {"dataset": name, "concurrency": concurrency, "seed": seed, "prompts": count, **values}


def summarize(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A row for each dataset and concurrency, means with intervals over the repeats."""
    rows = []
    for name, concurrency in sorted({(i["dataset"], i["concurrency"]) for i in items}):
        mine = [i for i in items if (i["dataset"], i["concurrency"]) == (name, concurrency)]
        rows.append(
            {
                "dataset": name,
                "concurrency": concurrency,
                "completed": sum(i["completed"] or 0 for i in mine),
                "asked": sum(i["prompts"] for i in mine),
                **{k: bootstrap([i[k] for i in mine if i[k] is not None]) for k in SHOWN},
            }
        )
    return {"rows": rows, "goodput_limits": list(GOODPUT)}


def report(summary: dict[str, Any]) -> None:
    """Print the table."""
    heads = ("tokens/s", "goodput/s", "TTFT ms", "TPOT ms", "ITL ms")
    print(f"\n{'prompts':<8} {'at once':>7} " + " ".join(f"{h:>10}" for h in heads))
    for row in summary["rows"]:
        cells = ["-" if (m := row[k]["mean"]) is None else f"{m:.1f}" for k in SHOWN]
        numbers = " ".join(f"{c:>10}" for c in cells)
        print(f"{row['dataset']:<8} {row['concurrency']:>7} {numbers}")
    print()


def main() -> int:
    """Entry of 1_throughput.sh."""
    parser = arguments(PROGRAM, "Measure requests at the same time with vllm bench serve.", EPILOG)
    parser.add_argument("--concurrency", type=int, nargs="+", metavar="N", help="default: 1 4 9 16")
    parser.add_argument("--repeats", type=int, metavar="N", help=f"default: {REPEATS}")
    options = parser.parse_args()
    quick = options.quick
    levels = options.concurrency or (QUICK_CONCURRENCY if quick else CONCURRENCY)
    repeats = options.repeats or (QUICK_REPEATS if quick else REPEATS)
    if min(levels) < 1 or repeats < 1:
        parser.error("--concurrency and --repeats must be 1 or more")
    target = connect(options.base_url, options.model)
    sizes = (QUICK_INPUT, QUICK_OUTPUT) if quick else (INPUT, OUTPUT)
    parameters = {"concurrency": list(levels), "repeats": repeats, "input": sizes[0],
                  "output": sizes[1], "goodput": list(GOODPUT), "quick": quick}  # fmt: skip
    run = results.start("throughput", target, parameters, options.seed, options.out, options.fresh)
    known, tokenizer = vllm_version(), tokenizer_of(target)
    log_test(f"{target.model}: {', '.join(DATASETS)} prompts, {levels} at once, {repeats} repeats")
    ask(target, [{"role": "user", "content": "Warm up."}], max_tokens=4)
    work: list[results.Work] = []
    for n in range(repeats):
        for name in DATASETS:
            for level in levels:
                seed = options.seed * 1000 + n * 100 + level
                do = partial(one, known, target, tokenizer, name, level, seed, sizes)
                work.append((f"{name}/{level}/{n}", do))
    results.work_through(run, work, "Benchmarks", summarize)
    report(run.data["summary"])
    log_next("vllm/benchmarks/2_context_scaling.py")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))

"""Speed and peak memory of our run beside the plainest TRL loop with the same settings."""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from ..console import Parser, log_ok, log_test
from ..errors import ToolkitError
from ..paths import REPO
from .bases import find_base
from .config import Config, find_config, load
from .encoding import encode_all
from .ledger import check_folder, read_records

SIDES = ("ours", "plain")
COMPARED = {
    "steps_a_second": "steps/s",
    "tokens_a_second": "tokens/s",
    "tokens_a_cpu_second": "tokens a CPU second",
    "peak_gib": "peak memory",
}
WARM = 2  # steps that are not timed: memory is fetched and kernels are chosen in them


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of 1_training_speed.py."""
    parser = Parser(
        prog="1_training_speed.py",
        description="Time our training against the plainest TRL loop with the same settings.",
    )
    add = parser.add_argument
    add(
        "--config", type=Path, default=Path("smoke_cpu"), metavar="FILE", help="variant (smoke_cpu)"
    )
    data = REPO / "fine-tuning" / "data" / "processed"
    add("--data", type=Path, default=data, metavar="DIR", help="what 1_prepare_data.py wrote")
    add("--steps", type=int, default=12, metavar="N", help=f"timed steps after {WARM} others (12)")
    add("--repeats", type=int, default=3, metavar="N", help="runs of each, in turn (3)")
    add("--out", type=Path, metavar="FILE", help="JSON (fine-tuning/benchmarks/results/…)")
    add("--side", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def ours(config: Config, data: Path, out: Path) -> Any:
    """The trainer as 2_train.py makes it."""
    from . import training

    base = find_base(config.model)
    tokenizer = training.load_tokenizer(base)
    train = training.dataset_of(read_records(data / "train.jsonl"), tokenizer, config)
    model = training.with_adapter(config, training.load_base(config, base))
    return training.make_trainer(config, model, tokenizer, train, None, out)


def plain(config: Config, data: Path, out: Path) -> Any:
    """The trainer as TRL's own examples make it, on the same tokens; the base is quantized where
    ours is.

    A row of several texts takes longer than one of a single text as long: were the end tokens not
    the same, packing would make other rows, and the loops would not be compared.
    """
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTTrainer

    from . import training

    base = find_base(config.model)
    tokenizer = training.load_tokenizer(base)
    columns = encode_all(read_records(data / "train.jsonl"), tokenizer, "all")
    arguments = training.trainer_arguments(config, out)
    arguments.packing_strategy = "bfd"
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora.rank,
        lora_alpha=config.lora.alpha,
        target_modules="all-linear",
    )
    return SFTTrainer(
        model=training.load_base(config, base),
        args=arguments,
        train_dataset=Dataset.from_dict({"input_ids": columns["input_ids"]}),
        processing_class=tokenizer,
        peft_config=lora,
    )


def measure(side: str, config: Config, data: Path, out: Path) -> dict[str, float]:
    """Tokens a second after the warm steps, and the peak of memory in GiB, of this process.

    A CPU second is one of this process's: other programs on the machine do not count into it.
    """
    from transformers import TrainerCallback

    trainer = (ours if side == "ours" else plain)(config, data, out)
    marks: list[tuple[float, float, float]] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            marks.append((time.perf_counter(), time.process_time(), trainer._total_train_tokens))

    trainer.add_callback(Clock())
    trainer.train()
    (start, cpu, before), (end, cpu_end, after) = marks[WARM - 1], marks[-1]
    return {
        "steps_a_second": (len(marks) - WARM) / (end - start),
        "tokens_a_second": (after - before) / (end - start),
        "tokens_a_cpu_second": (after - before) / (cpu_end - cpu),
        "tokens": after,
        "peak_gib": _peak_gib(),
        "loss": trainer.state.log_history[-2].get("loss", 0.0),
    }


def _peak_gib() -> float:
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def ratios(found: dict[str, list[dict[str, float]]], key: str) -> dict[str, float]:
    """Ours through the plain loop's, run by run in turn: median, lowest and highest."""
    pairs = sorted(a[key] / b[key] for a, b in zip(found["ours"], found["plain"], strict=True))
    return {"median": median(pairs), "low": pairs[0], "high": pairs[-1]}


def main() -> int:
    """Entry of fine-tuning/benchmarks/1_training_speed.py."""
    options = parse()
    config = load(find_config(options.config), max_steps=options.steps + WARM)
    config = replace(config, evaluate=replace(config.evaluate, every=0, patience=0))
    results = REPO / "fine-tuning" / "benchmarks" / "results"
    if options.side:
        from .training import quieten

        quieten()
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(measure(options.side, config, options.data, Path(scratch))))
        return 0
    check_folder(options.data)
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for turn in range(options.repeats):
        for side in SIDES if turn % 2 == 0 else SIDES[::-1]:
            log_test(f"{side}, run {turn + 1} of {options.repeats}")
            found[side].append(_child(side))
    report = {
        "config": config.name,
        "steps": options.steps,
        "runs": found,
        **_machine(),
        "median": {
            side: median(run["tokens_a_second"] for run in runs) for side, runs in found.items()
        },
        "ours_to_plain": {key: ratios(found, key) for key in COMPARED},
    }
    out = options.out or results / f"training_speed_{config.name}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for side, runs in found.items():
        peak = max(run["peak_gib"] for run in runs)
        cpu = median(run["tokens_a_cpu_second"] for run in runs)
        log_ok(
            f"{side}: {report['median'][side]:,.0f} tokens/s, {cpu:,.1f} a CPU second, "
            f"peak {peak:.2f} GiB"
        )
    for key, what in COMPARED.items():
        ratio = report["ours_to_plain"][key]
        log_ok(
            f"ours / plain, {what}: {ratio['median']:.2f} "
            f"({ratio['low']:.2f} to {ratio['high']:.2f} in {options.repeats} pairs)"
        )
    log_ok(f"{out}")
    return 0


def _child(side: str) -> dict[str, float]:
    """A run in a process of its own, so that its peak is its own."""
    done = subprocess.run(
        [sys.executable, *sys.argv, "--side", side], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolkitError(f"The run of {side} failed: {last}", "Try fewer --steps.")
    made: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return made


def _machine() -> dict[str, Any]:
    from .dry_run import card

    names = ("torch", "transformers", "trl", "peft", "bitsandbytes")
    return {
        "machine": platform.processor() or platform.machine(),
        "card": card()[0],
        "versions": {name: version(name) for name in names},
    }

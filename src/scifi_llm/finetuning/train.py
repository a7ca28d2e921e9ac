"""Step 2: train an adapter on prepared data, after a forecast; resume exactly."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..console import INTERRUPTED, Parser, log_next, log_ok, log_test, log_warn
from ..errors import ToolkitError
from ..paths import REPO
from .bases import find_base
from .config import Config, find_config, load
from .dry_run import report_forecast
from .ledger import check_folder, read_records
from .splitting import SPLITS

RUN_FILE = "run.json"
ADAPTER = "adapter_model.safetensors"
FREE_KEYS = ("evaluate", "name", "merge_only", "card", "shape")  # may differ when a run goes on


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of 2_train.py."""
    parser = Parser(
        prog="2_train.py",
        description="Train an adapter on the author's prose.",
        epilog="example: ./2_train.py --config smoke_cpu --max-steps 60",
    )
    add = parser.add_argument
    add(
        "--config",
        type=Path,
        required=True,
        metavar="FILE",
        help="variant: a file, or a name of configs/",
    )
    add(
        "--data",
        type=Path,
        metavar="DIR",
        default=REPO / "fine-tuning" / "data" / "processed",
        help="what 1_prepare_data.py wrote (fine-tuning/data/processed)",
    )
    add("--out", type=Path, metavar="DIR", help="the run's folder (fine-tuning/checkpoints/CONFIG)")
    add(
        "--max-steps",
        type=int,
        metavar="N",
        help="end after N steps, in place of the file's epochs",
    )
    add("--resume", action="store_true", help="go on from the last checkpoint in --out")
    add("--dry-run", action="store_true", help="only forecast memory, steps, hours and limits")
    return parser.parse_args(words)


def last_checkpoint(out: Path) -> Path | None:
    """The newest whole checkpoint of a run; one whose writing was killed does not count."""
    found = [path for path in out.glob("checkpoint-*") if path.name.split("-")[1].isdigit()]
    for path in sorted(found, key=lambda path: int(path.name.split("-")[1]), reverse=True):
        if _whole(path):
            return path
    return None


def _whole(checkpoint: Path) -> bool:
    names = (ADAPTER, "optimizer.pt", "scheduler.pt", "trainer_state.json")
    if not all((checkpoint / name).is_file() for name in names):
        return False
    try:
        json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
    except ValueError:
        return False
    return zipfile.is_zipfile(checkpoint / "optimizer.pt")


def data_mark(data: Path) -> str:
    """A mark that changes with the data."""
    digest = hashlib.sha256()
    for name in (*(f"{split}.jsonl" for split in SPLITS), "canaries.jsonl"):
        file = data / name
        digest.update(file.read_bytes() if file.is_file() else b"-")
    return digest.hexdigest()[:16]


def start_or_resume(config: Config, data: Path, out: Path, resume: bool) -> Path | None:
    """The checkpoint to go on from, None for a fresh run; writes OUT/run.json.

    Raises ToolkitError where OUT holds a run and --resume was not given, or where a run would go on
    with other settings or data.
    """
    file = out / RUN_FILE
    now = {"config": asdict(config), "data": str(data.resolve()), "data_mark": data_mark(data)}
    checkpoint = last_checkpoint(out)
    if not resume and file.exists() and (checkpoint or (out / ADAPTER).exists()):
        raise ToolkitError(
            f"{out} holds a run.", "Go on with it: --resume; or name another: --out DIR"
        )
    if resume and checkpoint is None:
        log_warn(f"{out} holds no checkpoint; starting from the beginning.")
    if resume and checkpoint:
        _compare(json.loads(file.read_text("utf-8")), now, out)
    elif os.environ.get("RANK", "0") == "0":
        out.mkdir(parents=True, exist_ok=True)
        for name in ("log.jsonl", "samples.jsonl"):
            (out / name).unlink(missing_ok=True)
        file.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    return checkpoint if resume else None


def _compare(then: dict[str, Any], now: dict[str, Any], out: Path) -> None:
    new = "Undo the change, or start a run of its own: --out DIR"
    if then["data_mark"] != now["data_mark"]:
        raise ToolkitError(f"The data are not those that the run in {out} began with.", new)
    old_steps, new_steps = (run["config"]["train"]["max_steps"] for run in (then, now))
    if old_steps != new_steps:
        log_warn(
            f"The run began with max_steps {old_steps}, now {new_steps}: the learning rate follows "
            "another curve than in a run without a break."
        )
        then["config"]["train"]["max_steps"] = new_steps
    for key, value in now["config"].items():
        before = then["config"].get(key)
        if key not in FREE_KEYS and json.dumps(before) != json.dumps(value):
            raise ToolkitError(f"{key} is {value}; the run in {out} began with {before}.", new)


def run(config: Config, options: argparse.Namespace, base: str) -> int:
    """Train; returns the exit status."""
    from . import training
    from .callbacks import Interrupt, keep_until, make_callbacks
    from .canaries import canary_records

    training.check_machine(config)
    checkpoint = start_or_resume(config, options.data, options.out, options.resume)
    tokenizer = training.load_tokenizer(base)
    records = read_records(options.data / "train.jsonl") + canary_records(options.data)
    held_out = read_records(options.data / "validation.jsonl")
    train = training.dataset_of(records, tokenizer, config)
    validation = training.dataset_of(held_out, tokenizer, config)
    if os.environ.get("RANK", "0") == "0":
        log_test(f"Loading {config.model} ({config.method}, {config.dtype})")
    model = training.with_adapter(config, training.load_base(config, base))
    trainer = training.make_trainer(config, model, tokenizer, train, validation, options.out)
    step = int(checkpoint.name.split("-")[1]) if checkpoint else 0
    for name in ("log.jsonl", "samples.jsonl"):
        keep_until(options.out / name, step)
    if checkpoint:
        log_ok(f"Going on from step {step}")
    with Interrupt() as interrupt:
        for callback in make_callbacks(config, options.out, tokenizer, interrupt):
            trainer.add_callback(callback)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if interrupt.asked:
        command = " ".join(["fine-tuning/scripts/2_train.py", *sys.argv[1:]])
        log_warn(
            f"Stopped at step {trainer.state.global_step} with a checkpoint. Go on with: "
            f"{command}{'' if options.resume else ' --resume'}"
        )
        return INTERRUPTED
    _finish(trainer, tokenizer, options.out)
    return 0


def _finish(trainer: Any, tokenizer: Any, out: Path) -> None:
    trainer.save_model(str(out))
    if not trainer.is_world_process_zero():
        return
    tokenizer.save_pretrained(out)
    state = trainer.state
    best = f", best validation loss {state.best_metric:.4f}" if state.best_metric else ""
    log_ok(f"{state.global_step} steps{best}; adapter in {out}")
    log_next(f"fine-tuning/scripts/3_evaluate.py --adapter {out}")


def process_command(count: int, words: Sequence[str]) -> list[str]:
    """The command that starts `count` processes, one for each GPU; accelerate joins them. Pure."""
    options = ["--standalone", "--nproc_per_node", str(count)]
    return [sys.executable, "-m", "torch.distributed.run", *options, *words]


def launch_processes(config: Config) -> None:
    """Start one process for each GPU, unless this is one of them."""
    if config.parallel.gpus < 2 or "LOCAL_RANK" in os.environ:
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    command = process_command(config.parallel.gpus, sys.argv)
    os.execv(command[0], command)


def main() -> int:
    """Entry of fine-tuning/scripts/2_train.py."""
    options = parse()
    file = find_config(options.config)
    changes = {} if options.max_steps is None else {"max_steps": options.max_steps}
    config = load(file, **changes)
    options.out = options.out or REPO / "fine-tuning" / "checkpoints" / config.name
    ledger = check_folder(options.data)
    if "LOCAL_RANK" not in os.environ:  # a process that was started for one of several GPUs
        report_forecast(config, ledger)
    if options.dry_run:
        return 0
    base = find_base(config.model)
    if options.resume and (options.out / ADAPTER).exists() and not _unfinished(options.out, config):
        log_ok(f"The run in {options.out} is finished.")
        return 0
    launch_processes(config)
    from .training import quieten

    quieten()
    return run(config, options, base)


def _unfinished(out: Path, config: Config) -> bool:
    """Does a finished run have steps left because --max-steps was raised?"""
    checkpoint = last_checkpoint(out)
    if checkpoint is None or not config.train.max_steps:
        return False
    return int(checkpoint.name.split("-")[1]) < config.train.max_steps

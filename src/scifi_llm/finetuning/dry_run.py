"""The forecast as the author reads it: memory against the card, steps, hours, limits."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from ..console import log_ok, log_warn
from ..errors import ToolkitError
from .bases import Shape, find_base, read_config, shape_of
from .config import Config
from .forecast import CARDS, GIB, adapter_parameters, memory, steps, tokens_a_second
from .rules import unservable

RESERVED_GIB = 1.0  # what the driver, the desktop and torch's own pools take beside the tensors
# One trained weight for each training token can hold the text by heart; far more than that does.
MANY_WEIGHTS = 20


def card() -> tuple[str, float]:
    """(name, memory in GiB) of the smallest card, ("", 0) where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30)
        rows = [line.rsplit(",", 1) for line in answer.stdout.strip().splitlines()]
        return min(
            ((name.strip(), float(mib) / 1024) for name, mib in rows), key=lambda row: row[1]
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return "", 0.0


def shape_for(config: Config) -> Shape:
    """The base model's shape: its own config.json where it is here, else the variant's.

    Raises ToolkitError where neither is there.
    """
    try:
        return shape_of(read_config(find_base(config.model)))
    except ToolkitError:
        if config.shape:
            return config.shape
        raise


def report_forecast(config: Config, ledger: dict[str, Any]) -> None:
    """Say what the run will take, warn of what will not fit.

    Raises ToolkitError where the base model is not here and its shape is not known.
    """
    shape = shape_for(config)
    name, card_gib = card()
    if not name and config.card:
        known = CARDS.get(config.card)
        log_warn(f"No GPU here; the forecast is for the {config.card} of the variant.")
        name, card_gib = config.card, known.gib if known else 0.0
    _memory(config, shape, name, card_gib)
    _time(config, shape, ledger, name)
    _capacity(config, shape, int(ledger["train"]))
    _limits(config, ledger)


def _memory(config: Config, shape: Shape, name: str, card_gib: float) -> None:
    need = memory(shape, config)
    parts = (
        f"weights {need.weights:.1f}, adapter {need.adapter:.1f}, optimizer "
        f"{need.optimizer:.1f}, activations {need.activations:.1f}"
    )
    total = f"Memory: {need.total:.1f} GiB ({parts})"
    have = card_gib or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    where = f"the {name} has {have:.0f} GiB" if name else f"no GPU; this machine has {have:.0f} GiB"
    if need.total + RESERVED_GIB > have:
        log_warn(
            f"{total}; {where}: it will not fit. Lower train.batch or max_length, or take qlora."
        )
    else:
        log_ok(f"{total}; {where}")


def _time(config: Config, shape: Shape, ledger: dict[str, Any], name: str) -> None:
    count = steps(config, int(ledger["train"]))
    rows = config.train.batch * config.train.accumulate * config.parallel.gpus
    tokens = count * rows * config.max_length
    if not config.train.max_steps:  # the last row of an epoch is not full
        tokens = min(tokens, round(int(ledger["train"]) * config.train.epochs))
    text = f"Steps: {count:,} of {rows} x {config.max_length} tokens ({tokens:,} in all)"
    speed = tokens_a_second(shape, config, name, os.cpu_count() or 1)
    if not speed:
        log_ok(f"{text}; the speed of the {name} is not known")
        return
    seconds = tokens / speed
    span = _span(seconds)
    log_ok(f"{text}; about {span} at an estimated {speed:,.0f} tokens/s on {name or 'the CPU'}")


def _span(seconds: float) -> str:
    if seconds > 5400:
        return f"{seconds / 3600:.1f} hours"
    minutes = max(1, round(seconds / 60))
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


def _capacity(config: Config, shape: Shape, tokens: int) -> None:
    trained = adapter_parameters(shape, config)
    ratio = trained / max(1, tokens)
    text = f"Adapter: {trained:,} trained weights for {tokens:,} training tokens ({ratio:.1f} each)"
    if ratio > MANY_WEIGHTS:
        text += ": enough to learn the text by heart; 3_evaluate.py shows whether it did"
    log_ok(text)


def _limits(config: Config, ledger: dict[str, Any]) -> None:
    if config.merge_only:
        reasons = [problem for problem, _ in unservable(_served(config))]
        log_ok(
            "vLLM: to be merged (merge_only)"
            + (f"; not servable as an adapter: {'; '.join(reasons)}" if reasons else "")
        )
    else:
        log_ok(f"vLLM: servable beside its base (rank {config.lora.rank})")
    longest = int(ledger.get("max_tokens", 0))
    if longest > config.max_length:
        log_warn(
            f"Samples have up to {longest} tokens, max_length is {config.max_length}: "
            "what is longer is divided inside sentences. "
            f"Prepare with: --max-tokens {config.max_length - 8}"
        )


def _served(config: Config) -> Config:
    from dataclasses import replace

    return replace(config, merge_only=False)

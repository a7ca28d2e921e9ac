"""What a training variant may not say. Pure; every rule is one line with its fix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..lora import SERVED_RANKS

if TYPE_CHECKING:
    from .config import Config

METHODS = ("qlora", "lora")
DTYPES = ("bfloat16", "float32", "float16")
SCHEDULES = ("cosine", "linear", "constant", "constant_with_warmup")
LOSSES = ("completion", "all")
STRATEGIES = ("none", "ddp", "fsdp")
PLAIN_OPTIMIZERS = ("adamw_torch", "adamw_torch_fused")
GPU_OPTIMIZERS = ("adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit")
MERGE = "Or set merge_only: true and serve the merged model (4_merge.py)."

Problem = tuple[str, str]


def problems(config: Config) -> list[Problem]:
    """(problem, fix) of everything wrong with a variant, the plainest first."""
    return [*_choices(config), *_ranges(config), *_combinations(config), *unservable(config)]


def _choices(config: Config) -> Iterator[Problem]:
    for key, value, allowed in (
        ("method", config.method, METHODS),
        ("dtype", config.dtype, DTYPES),
        ("train.schedule", config.train.schedule, SCHEDULES),
        ("train.loss", config.train.loss, LOSSES),
        ("train.optimizer", config.train.optimizer, (*PLAIN_OPTIMIZERS, *GPU_OPTIMIZERS)),
        ("parallel.strategy", config.parallel.strategy, STRATEGIES),
    ):
        if value not in allowed:
            yield f"{key} is {value!r}", f"Use one of: {', '.join(allowed)}."


def _ranges(config: Config) -> Iterator[Problem]:
    train, lora, evaluate = config.train, config.lora, config.evaluate
    for key, value, low, high in (
        ("max_length", config.max_length, 32, 131_072),
        ("lora.rank", lora.rank, 1, 512),
        ("lora.alpha", lora.alpha, 0.01, 4096),
        ("lora.dropout", lora.dropout, 0, 0.9),
        ("train.epochs", train.epochs, 0.01, 100),
        ("train.max_steps", train.max_steps, 0, 10_000_000),
        ("train.batch", train.batch, 1, 1024),
        ("train.accumulate", train.accumulate, 1, 1024),
        ("train.learning_rate", train.learning_rate, 1e-7, 0.01),
        ("train.lora_plus", train.lora_plus, 0, 64),
        ("train.warmup", train.warmup, 0, 0.5),
        ("train.weight_decay", train.weight_decay, 0, 1),
        ("train.max_grad_norm", train.max_grad_norm, 0.01, 100),
        ("train.seed", train.seed, 0, 2**31 - 1),
        ("evaluate.every", evaluate.every, 0, 1_000_000),
        ("evaluate.patience", evaluate.patience, 0, 1000),
        ("evaluate.keep", evaluate.keep, 1, 100),
        ("evaluate.sample_tokens", evaluate.sample_tokens, 1, 4096),
        ("parallel.gpus", config.parallel.gpus, 1, 64),
    ):
        if not low <= value <= high:
            yield f"{key} is {value:g}", f"It must be from {low:,} to {high:,}."


def _combinations(config: Config) -> Iterator[Problem]:
    train, parallel = config.train, config.parallel
    if train.lora_plus and train.lora_plus < 1:
        yield (
            f"train.lora_plus is {train.lora_plus:g}: B must not learn more slowly than A",
            "Set a ratio such as 16, or 0 for one rate.",
        )
    if train.lora_plus and train.optimizer not in PLAIN_OPTIMIZERS:
        yield (
            f"train.lora_plus with train.optimizer {train.optimizer}: LoRA+ builds its own AdamW",
            "Set train.optimizer: adamw_torch, or train.lora_plus: 0.",
        )
    if train.lora_plus and parallel.strategy == "fsdp":
        yield "train.lora_plus with parallel.strategy fsdp", "Set train.lora_plus: 0."
    if config.evaluate.patience and not config.evaluate.every:
        yield (
            "evaluate.patience without evaluate.every",
            "Set evaluate.every, or evaluate.patience: 0.",
        )
    if config.method == "qlora" and config.dtype == "float16":
        yield "method qlora with dtype float16: NF4 sums overflow in it", "Set dtype: bfloat16."
    if parallel.strategy == "none" and parallel.gpus > 1:
        yield (
            f"parallel.gpus is {parallel.gpus} with strategy none",
            "Set parallel.strategy: fsdp (the model is split) or ddp (each GPU holds all).",
        )
    if parallel.strategy == "fsdp" and parallel.gpus < 2:
        yield "parallel.strategy fsdp with one GPU", "Set parallel.gpus to their number."
    if parallel.strategy == "fsdp" and train.optimizer in GPU_OPTIMIZERS:
        yield (
            f"parallel.strategy fsdp with train.optimizer {train.optimizer}: its state stays whole",
            "Set train.optimizer: adamw_torch_fused.",
        )
    if parallel.strategy == "fsdp" and config.lora.modules_to_save:
        yield (
            "parallel.strategy fsdp with lora.modules_to_save: trained and frozen weights would be "
            "in one shard",
            "Remove lora.modules_to_save.",
        )


def unservable(config: Config) -> Iterator[Problem]:
    """Why vLLM would not serve this adapter beside its base; nothing where it is to be merged."""
    if config.merge_only:
        return
    lora = config.lora
    if lora.dora:
        yield "lora.dora: vLLM serves no DoRA adapters", f"Set lora.dora: false. {MERGE}"
    if lora.modules_to_save:
        yield (
            f"lora.modules_to_save {list(lora.modules_to_save)}: vLLM serves none",
            f"Remove it. {MERGE}",
        )
    if lora.rank not in SERVED_RANKS:
        allowed = ", ".join(map(str, SERVED_RANKS))
        yield f"lora.rank is {lora.rank}: vLLM serves {allowed}", f"Take one of them. {MERGE}"
    if lora.targets != "all-linear" and "lm_head" in lora.targets:
        yield "lora.targets names lm_head, which TRL cannot train", "Set lora.targets: all-linear."

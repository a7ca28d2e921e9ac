"""A run: base model, adapter and TRL's trainer, put together from a checked variant."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from ..errors import ToolkitError
from .config import Config
from .encoding import encode_all
from .forms import Record
from .rules import GPU_OPTIMIZERS


def quieten() -> None:
    """Set what libraries read when they are first imported.

    Two spinning OpenMP threads make an NF4 step on a CPU 60 times slower (5.5 s for 0.09 s).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "BITSANDBYTES_NOWELCOME"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("ACCELERATE_LOG_LEVEL", "ERROR")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")  # our own line tells the progress
    # Notices of libraries to each other about what they will rename.
    warnings.filterwarnings("ignore", category=FutureWarning)


def has_gpu() -> bool:
    """Is there a CUDA device?"""
    import torch

    return bool(torch.cuda.is_available())


def check_machine(config: Config) -> None:
    """Raises ToolkitError where this machine cannot run the variant."""
    import torch

    gpus = torch.cuda.device_count()
    if not gpus and config.train.optimizer in GPU_OPTIMIZERS:
        raise ToolkitError(
            f"train.optimizer {config.train.optimizer} needs a GPU, and none is here.",
            "Use --config smoke_cpu, or set train.optimizer: adamw_torch.",
        )
    if config.parallel.gpus > max(1, gpus) and gpus:
        raise ToolkitError(
            f"parallel.gpus is {config.parallel.gpus}; this machine has {gpus}.",
            "Set parallel.gpus to their number.",
        )


def load_tokenizer(folder: str) -> Any:
    """The tokenizer of a model's folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def load_base(config: Config, folder: str) -> Any:
    """The base model, in NF4 with double quantization for qlora, else in the variant's dtype."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    dtype = getattr(torch, config.dtype)
    options: dict[str, Any] = {"dtype": dtype}
    if config.method == "qlora":
        fsdp = config.parallel.strategy == "fsdp"
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            # FSDP shards only what has the dtype of the other weights.
            **({"bnb_4bit_quant_storage": dtype} if fsdp else {}),
        )
    if torch.cuda.is_available() and config.parallel.strategy != "fsdp":
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    return AutoModelForCausalLM.from_pretrained(folder, **options)


def with_adapter(config: Config, model: Any) -> Any:
    """The model with a fresh LoRA adapter; B is zero, so that it starts as the base."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(config.train.seed)
    lora = config.lora
    targets: str | list[str] = lora.targets
    if targets != "all-linear":
        targets = [name.strip() for name in lora.targets.split(",")]
    return get_peft_model(
        model,
        LoraConfig(
            task_type="CAUSAL_LM",
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=targets,
            use_rslora=lora.rslora,
            use_dora=lora.dora,
            modules_to_save=list(lora.modules_to_save) or None,
        ),
    )


def trainer_arguments(config: Config, out: Path) -> Any:
    """TRL's settings for a variant."""
    from trl import SFTConfig

    train, evaluate = config.train, config.evaluate
    gpu = has_gpu()
    steps = {"eval_steps": evaluate.every, "save_steps": evaluate.every} if evaluate.every else {}
    return SFTConfig(
        output_dir=str(out),
        max_length=config.max_length,
        packing=train.packing,
        packing_strategy="bfd_split",  # "bfd" throws away what is longer than max_length
        num_train_epochs=train.epochs,
        max_steps=train.max_steps or -1,
        per_device_train_batch_size=train.batch,
        per_device_eval_batch_size=train.batch,
        gradient_accumulation_steps=train.accumulate,
        learning_rate=train.learning_rate,
        lr_scheduler_type=train.schedule,
        warmup_steps=train.warmup,  # below 1: a share of the steps
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        optim=train.optimizer,
        gradient_checkpointing=train.gradient_checkpointing and config.parallel.strategy != "fsdp",
        bf16=config.dtype == "bfloat16",
        fp16=config.dtype == "float16",
        use_cpu=not gpu,
        seed=train.seed,
        data_seed=train.seed,
        eval_strategy="steps" if evaluate.every else "no",
        save_strategy="steps" if evaluate.every else "no",
        save_total_limit=evaluate.keep,
        load_best_model_at_end=bool(evaluate.every),
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=1,
        logging_first_step=True,
        report_to=["tensorboard"],
        disable_tqdm=True,
        dataloader_pin_memory=gpu,
        ddp_find_unused_parameters=False,
        ddp_backend=None if gpu or config.parallel.gpus < 2 else "gloo",
        **steps,
        **_fsdp(config),
    )


def _fsdp(config: Config) -> dict[str, Any]:
    if config.parallel.strategy != "fsdp":
        return {}
    # FSDP has activation checkpointing of its own; the model's would gather the weights twice.
    return {
        "fsdp": True,
        "fsdp_config": {
            "version": 2,
            "activation_checkpointing": config.train.gradient_checkpointing,
            "state_dict_type": "FULL_STATE_DICT",
        },
    }


def dataset_of(records: list[Record], tokenizer: Any, config: Config) -> Any:
    """Records as a dataset that the trainer takes as it is: no end token is added to it.

    Raises ToolkitError where text would be lost.
    """
    from datasets import Dataset

    columns = encode_all(records, tokenizer, config.train.loss)
    longest = max(map(len, columns["input_ids"]), default=0)
    if longest > config.max_length and not config.train.packing:
        raise ToolkitError(
            f"A sample has {longest} tokens; without packing what is beyond max_length "
            f"{config.max_length} would be lost.",
            "Set train.packing: true, or prepare shorter samples: --max-tokens",
        )
    return Dataset.from_dict(columns)


def make_trainer(
    config: Config, model: Any, tokenizer: Any, train: Any, validation: Any, out: Path
) -> Any:
    """The trainer. Its packing loses nothing and lets no text see another."""
    import torch
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTTrainer

    optimizers = (_lora_plus(config, model), None) if config.train.lora_plus else (None, None)
    trainer = SFTTrainer(
        model=model,
        args=trainer_arguments(config, out),
        train_dataset=train,
        eval_dataset=validation if config.evaluate.every else None,
        processing_class=tokenizer,
        optimizers=optimizers,
    )
    trainer.remove_callback(PrinterCallback)
    # TRL turns the adapter of a quantized base to bfloat16, in which small updates vanish.
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    return trainer


def _lora_plus(config: Config, model: Any) -> Any:
    import torch
    from peft.optimizers import create_loraplus_optimizer

    return create_loraplus_optimizer(
        model,
        torch.optim.AdamW,
        lr=config.train.learning_rate,
        loraplus_lr_ratio=config.train.lora_plus,
        loraplus_weight_decay=config.train.weight_decay,
    )

"""Run by test_training.py under the Python of ~/.venvs/finetune: what happens inside the trainer.

`probe.py tiny FOLDER BUNDLED` writes a small Llama of random weights with the bundled tokenizer;
`probe.py inside FOLDER SCRATCH` prints what it found as JSON.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from scifi_llm.finetuning import training
from scifi_llm.finetuning.callbacks import Interrupt, make_callbacks
from scifi_llm.finetuning.config import Config, from_mapping

training.quieten()

import torch  # noqa: E402
from bitsandbytes.nn import Linear4bit  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM  # noqa: E402

VOCAB = 49152
LENGTH = 64


def tiny(folder: Path, bundled: Path) -> None:
    torch.manual_seed(0)
    shape = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=VOCAB, bos_token_id=1, eos_token_id=2, pad_token_id=2,
        initializer_range=0.1,
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(folder)
    for file in bundled.glob("*"):
        if "token" in file.name or "template" in file.name:
            shutil.copy(file, folder)


def variant(folder: Path, steps: int = 2, **more: Any) -> Config:
    train = {
        "batch": 2,
        "accumulate": 1,
        "optimizer": "adamw_torch",
        "gradient_checkpointing": False,
    }
    made = {
        "model": str(folder), "method": "lora", "dtype": "float32", "max_length": LENGTH,
        "evaluate": {"every": 0, "patience": 0}, **more,
    }  # fmt: skip
    made["train"] = {**train, **more.get("train", {})}
    return from_mapping(made, "probe", max_steps=steps)


def rows(count: int, longest: int, seed: int = 3) -> Any:
    from datasets import Dataset

    pick = random.Random(seed)
    ids = [
        [pick.randrange(3, VOCAB) for _ in range(pick.randint(1, longest))] for _ in range(count)
    ]
    labels = [[-100 if i < 2 else token for i, token in enumerate(row)] for row in ids]
    return Dataset.from_dict({"input_ids": ids, "labels": labels})


def trainer_of(config: Config, data: Any, scratch: Path, validation: Any = None) -> Any:
    model = training.with_adapter(config, training.load_base(config, config.model))
    tokenizer = training.load_tokenizer(config.model)
    return training.make_trainer(config, model, tokenizer, data, validation or data, scratch)


def packing(folder: Path, scratch: Path) -> dict[str, Any]:
    """Tokens before and after packing, more rows than one batch of the map, some too long."""
    data = rows(2500, 3 * LENGTH)
    packed = trainer_of(variant(folder), data, scratch).train_dataset
    count = {
        name: Counter(t for row in data[name] for t in row) for name in ("input_ids", "labels")
    }
    after = {
        name: Counter(t for row in packed[name] for t in row) for name in ("input_ids", "labels")
    }
    return {
        "tokens": sum(count["input_ids"].values()),
        "same_tokens": count["input_ids"] == after["input_ids"],
        "same_labels": count["labels"] == after["labels"],
        "longest": max(map(len, packed["input_ids"])),
        "full": sum(map(len, packed["input_ids"])) / (LENGTH * len(packed)),
    }


def contamination(folder: Path, scratch: Path) -> dict[str, float]:
    """Logits of texts packed in one row against those of each alone."""
    data = rows(9, 20)
    trainer = trainer_of(variant(folder), data, scratch)
    model = trainer.model.eval()
    row = max(trainer.train_dataset, key=lambda row: len(row["seq_lengths"]))
    batch = trainer.data_collator([row])
    inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
    with torch.no_grad():
        together = model(**inputs, use_cache=False).logits[0]
        mixed = model(input_ids=batch["input_ids"], use_cache=False).logits[0]
        alone, at = [], 0
        for length in row["seq_lengths"]:
            part = batch["input_ids"][:, at : at + length]
            alone.append(model(input_ids=part, use_cache=False).logits[0])
            at += length
    apart = torch.cat(alone)
    return {
        "texts": len(row["seq_lengths"]),
        "difference": float((together - apart).abs().max()),
        "without_positions": float((mixed - apart).abs().max()),
        "boundary_labels": int((batch["labels"][batch["position_ids"] == 0] != -100).sum()),
    }


def variants(folder: Path, scratch: Path) -> dict[str, Any]:
    """Two steps of each kind of adapter."""
    kinds = {
        "lora": {},
        "qlora": {"method": "qlora"},
        "rslora": {"lora": {"rslora": True}},
        "dora": {"lora": {"dora": True}, "merge_only": True},
        "lora_plus": {"train": {"lora_plus": 16}},
        "checkpointing": {"train": {"gradient_checkpointing": True}},
    }
    found: dict[str, Any] = {}
    for name, more in kinds.items():
        trainer = trainer_of(variant(folder, **more), rows(40, 30), scratch / name)
        trainer.train()
        parameters = dict(trainer.model.named_parameters())
        trained = {key: p for key, p in parameters.items() if p.requires_grad}
        linears = [m for m in trainer.model.modules() if isinstance(m, Linear4bit)]
        found[name] = {
            "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
            "dtypes": sorted({str(p.dtype) for p in trained.values()}),
            "adapted": sorted({key.split(".lora_")[0].split(".")[-1] for key in trained}),
            "moved": any(bool(p.detach().any()) for k, p in trained.items() if "lora_B" in k),
            "four_bit": len(linears),
            "nested": all(m.weight.quant_state.nested for m in linears),
            "kinds": sorted({m.weight.quant_type for m in linears}),
            "rates": sorted(
                {g["initial_lr"] for g in trainer.optimizer.param_groups if g["params"]}
            ),
            "scale": next(
                m.scaling["default"]
                for m in trainer.model.modules()
                if isinstance(getattr(m, "scaling", None), dict)
            ),
        }
    return found


def early_end(folder: Path, scratch: Path) -> dict[str, Any]:
    """Random texts cannot be learned: what is gained on some is lost on others, so it must stop."""
    scratch.mkdir(parents=True, exist_ok=True)
    evaluate = {"every": 2, "patience": 2, "sample_tokens": 2}
    train = {"learning_rate": 0.01, "schedule": "constant"}
    config = variant(folder, steps=60, evaluate=evaluate, train=train)
    trainer = trainer_of(config, rows(12, 30), scratch, rows(6, 30, seed=4))
    for callback in make_callbacks(config, scratch, None, Interrupt()):
        trainer.add_callback(callback)
    trainer.train()
    losses = [e["eval_loss"] for e in trainer.state.log_history if "eval_loss" in e]
    return {
        "steps": trainer.state.global_step,
        "losses": losses,
        "kept": trainer.evaluate()["eval_loss"],
    }


def adapter_changes_logits(folder: Path, scratch: Path) -> float:
    """How far an adapter that was saved and loaded again moves the base's logits."""
    from peft import PeftModel

    ids = torch.arange(10, 40)[None]
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        before = base(input_ids=ids).logits
        adapted = PeftModel.from_pretrained(base, str(scratch)).eval()
        return float((adapted(input_ids=ids).logits - before).abs().max())


def main() -> None:
    what, folder, other = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if what == "tiny":
        tiny(folder, other)
    elif what == "logits":
        print(json.dumps(adapter_changes_logits(folder, other)))
    else:
        found = {
            "packing": packing(folder, other / "a"),
            "contamination": contamination(folder, other / "b"),
            "variants": variants(folder, other),
            "early_end": early_end(folder, other / "c"),
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main()

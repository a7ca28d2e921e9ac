"""Step 4: an adapter into its base's full-precision weights, checked by what both generate."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import log_next, log_ok, log_test
from ..errors import ToolkitError
from ..paths import REPO
from .adapters import Adapter, adapter_parser, read_adapter
from .bases import find_base, read_config

# Largest mean divergence, in nats a token, between what adapter + base and the merged model
# predict: rounding the sum to 16 bit costs about 0.002.
TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2, "float16": 1e-2}
PROBE = "The night was quiet over the city, and she"


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of 4_merge.py."""
    parser = adapter_parser("4_merge.py", "Merge an adapter into its base model.")
    add = parser.add_argument
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="the model's folder (fine-tuning/merged_models/NAME)",
    )
    add(
        "--dtype",
        choices=("auto", *TOLERANCE),
        default="auto",
        help="what to write (auto: as the base is stored)",
    )
    return parser.parse_args(words)


def merge(adapter: Adapter, base: str, out: Path, dtype: str) -> dict[str, float]:
    """Write the merged model; returns how far its predictions are from adapter + base.

    It is written beside OUT and moved there when it has passed its check.
    Raises ToolkitError where it predicts something else.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    scratch = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(scratch, ignore_errors=True)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    joined = PeftModel.from_pretrained(model, str(adapter.folder)).eval()
    wanted = _predictions(joined, tokenizer)
    merged = joined.merge_and_unload(safe_merge=True)
    merged.config.dtype = getattr(torch, dtype)
    try:
        merged.to(getattr(torch, dtype)).save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        del merged, joined, model
        again = AutoModelForCausalLM.from_pretrained(scratch, dtype=torch.float32).eval()
        found = compare(wanted, _predictions(again, AutoTokenizer.from_pretrained(scratch)))
        if found["divergence"] > TOLERANCE[dtype]:
            raise ToolkitError(
                f"The merged model does not predict what adapter and base do: divergence "
                f"{found['divergence']:.4f} nats a token, {TOLERANCE[dtype]} allowed.",
                "Write it in full precision: --dtype float32",
            )
        note = {
            "base": adapter.base,
            "adapter": str(adapter.folder.resolve()),
            "dtype": dtype,
            **found,
        }
        (scratch / "merged_from.json").write_text(json.dumps(note, indent=1) + "\n", "utf-8")
        shutil.rmtree(out, ignore_errors=True)
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return found


def _predictions(model: Any, tokenizer: Any) -> tuple[Any, list[int]]:
    """(log-probabilities of each next token of a probe, a greedy continuation of it)."""
    import torch

    ids = tokenizer(PROBE, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0].float()
        made = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=16,
            do_sample=False,
            pad_token_id=tokenizer.eos_token_id,
        )
    return torch.log_softmax(logits, -1), made[0, ids.shape[1] :].tolist()


def compare(wanted: tuple[Any, list[int]], found: tuple[Any, list[int]]) -> dict[str, float]:
    """Mean Kullback-Leibler divergence in nats, and the share of equal greedy tokens."""
    (one, tokens), (other, others) = wanted, found
    divergence = float((one.exp() * (one - other)).sum(-1).mean())
    first = next(
        (i for i, (a, b) in enumerate(zip(tokens, others, strict=False)) if a != b), len(tokens)
    )
    return {"divergence": divergence, "equal_tokens": first / max(1, len(tokens))}


def main() -> int:
    """Entry of fine-tuning/scripts/4_merge.py."""
    options = parse()
    adapter = read_adapter(options.adapter, options.base)
    base = find_base(adapter.base)
    config = read_config(base)
    if config.get("quantization_config"):
        raise ToolkitError(
            f"{adapter.base} is stored quantized; merging needs full-precision weights.",
            "Name the unquantized model: --base MODEL",
        )
    out = options.out or REPO / "fine-tuning" / "merged_models" / options.adapter.resolve().name
    if out.exists() and not (out / "merged_from.json").exists():
        raise ToolkitError(f"{out} holds something else.", "Name another folder: --out DIR")
    stored = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    dtype = (
        options.dtype if options.dtype != "auto" else stored if stored in TOLERANCE else "bfloat16"
    )
    from .training import quieten

    quieten()
    log_test(f"Merging {options.adapter} into {adapter.base} ({dtype})")
    out.parent.mkdir(parents=True, exist_ok=True)
    found = merge(adapter, base, out, dtype)
    log_ok(
        f"The merged model predicts what adapter and base do: divergence "
        f"{found['divergence']:.1e} nats a token, {found['equal_tokens']:.0%} of greedy tokens"
    )
    log_ok(f"{out}")
    log_next(f"./serve_vllm.sh {out}")
    return 0

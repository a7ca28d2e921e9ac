"""Adapters beside the base model: LORA=name=path[,name=path…]."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import ToolkitError

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # what --max-lora-rank takes
MERGE = "Merge it into its base model and serve the merged folder instead."


def lora_arguments(text: str) -> list[str]:
    """vLLM's arguments for the adapters that LORA names, [] for "".

    Raises ToolkitError for a wrong form, a folder without adapter, or one that vLLM cannot serve.
    """
    if not text.strip():
        return []
    modules, ranks = [], []
    for part in text.split(","):
        name, equals, path = part.strip().partition("=")
        if not (name and equals and path):
            raise ToolkitError(
                f"LORA has {part.strip()!r}; it must be name=path.",
                "For example: LORA=style=fine-tuning/checkpoints/style ./serve_vllm.sh",
            )
        folder = Path(path).expanduser().resolve()
        ranks.append(adapter_rank(folder))
        modules.append(f"{name}={folder}")
    rank = next((allowed for allowed in RANKS if allowed >= max(ranks)), 0)
    if not rank:
        raise ToolkitError(f"An adapter has rank {max(ranks)}; vLLM serves up to 512.", MERGE)
    return ["--enable-lora", "--lora-modules", *modules, "--max-lora-rank", str(rank)]


def adapter_rank(folder: Path) -> int:
    """The rank of an adapter.

    Raises ToolkitError where it is none, or where vLLM cannot serve it beside its base.
    """
    file = folder / "adapter_config.json"
    try:
        config = json.loads(file.read_text("utf-8"))
        rank = int(config["r"])
    except FileNotFoundError:
        raise ToolkitError(f"{folder} holds no adapter (no adapter_config.json).") from None
    except (ValueError, KeyError, TypeError):
        raise ToolkitError(f"{file} is damaged.", "Copy the adapter anew.") from None
    for key, what in (("use_dora", "DoRA"), ("modules_to_save", "modules_to_save")):
        if config.get(key):
            raise ToolkitError(f"{folder} uses {what}, which vLLM does not serve.", MERGE)
    return rank

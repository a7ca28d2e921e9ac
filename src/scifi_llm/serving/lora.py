"""Adapters beside the base model: LORA=name=path[,name=path…]."""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import ToolkitError
from ..lora import SERVED_RANKS, why_not_served

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
    rank = next(allowed for allowed in SERVED_RANKS if allowed >= max(ranks))
    return ["--enable-lora", "--lora-modules", *modules, "--max-lora-rank", str(rank)]


def adapter_rank(folder: Path) -> int:
    """The rank of an adapter.

    Raises ToolkitError where it is none, or where vLLM cannot serve it beside its base.
    """
    file = folder / "adapter_config.json"
    try:
        config = json.loads(file.read_text("utf-8"))
        reason = why_not_served(config)
    except FileNotFoundError:
        raise ToolkitError(f"{folder} holds no adapter (no adapter_config.json).") from None
    except (ValueError, AttributeError):
        raise ToolkitError(f"{file} is damaged.", "Copy the adapter anew.") from None
    if reason:
        raise ToolkitError(f"{folder} {reason}.", MERGE)
    return int(config["r"])

"""What vLLM serves of an adapter beside its base model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SERVED_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # what --max-lora-rank takes
_NOT_SERVED = {"use_dora": "DoRA", "modules_to_save": "modules_to_save"}


def why_not_served(settings: Mapping[str, Any]) -> str:
    """Why vLLM cannot serve an adapter with this adapter_config.json; "" where it can.

    Raises ValueError where they name no rank.
    """
    rank = settings.get("r")
    if not isinstance(rank, int) or rank < 1:
        raise ValueError(f"r is {rank!r}")
    for key, what in _NOT_SERVED.items():
        if settings.get(key):
            return f"uses {what}, which vLLM does not serve"
    if rank > max(SERVED_RANKS):
        return f"has rank {rank}; vLLM serves up to {max(SERVED_RANKS)}"
    return ""

"""Counting tokens as the serving model does, where its tokenizer is on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from .. import hub
from ..tokens import counter_of

TokenCounter = Callable[[str], int]
# An estimate for English prose: SmolLM2, Llama 3 and Qwen 2.5 take 4.2 to 4.6 characters a token
# of the example world; the lower number keeps the estimate on the safe side.
CHARACTERS_PER_TOKEN = 4.0
MAX_KNOWN = 20_000  # counts that are remembered, about 2 MB


def estimate(text: str) -> int:
    """Tokens of `text`, estimated from its characters."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


@lru_cache(maxsize=8)
def counter(model: str) -> TokenCounter:
    """The token counter of a served model: `model` is its folder or hub name.

    Falls back to `estimate` where there is no tokenizer.json for it on this machine; the network is
    never asked. `is_exact` tells which it is.
    """
    folder = Path(model) if Path(model).is_dir() else Path(hub.cached(model) or "/nonexistent")
    count = counter_of(folder)
    return remembered(count) if count else estimate


def remembered(count: TokenCounter) -> TokenCounter:
    """`count` that counts a text once: the same passages and messages come again and again."""
    known: dict[bytes, int] = {}

    def counted(text: str) -> int:
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        found = known.get(key)
        if found is None:
            if len(known) >= MAX_KNOWN:
                known.clear()
            found = known[key] = count(text)
        return found

    return counted


def is_exact(count: TokenCounter) -> bool:
    """Does this counter use a tokenizer?"""
    return count is not estimate

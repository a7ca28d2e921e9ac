"""Counting tokens as the serving model does, where its tokenizer is on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from .. import hub

TokenCounter = Callable[[str], int]
# An estimate for English prose: SmolLM2, Llama 3 and Qwen 2.5 take 4.2 to 4.6 characters a token
# of the example world; the lower number keeps the estimate on the safe side.
CHARACTERS_PER_TOKEN = 4.0


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
    file = folder / "tokenizer.json"
    if not file.is_file():
        return estimate
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 - tokenizers raises plain Exception for a file it cannot read
        return estimate
    # A tokenizer.json may carry the training's truncation, which would make long text look short.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def is_exact(count: TokenCounter) -> bool:
    """Does this counter use a tokenizer?"""
    return count is not estimate
